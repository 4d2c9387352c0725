//! The rules of the packet filter, read from the text of `nft list ruleset`, and what becomes of an IPv4 packet from the
//! room, which every LAN has. It follows jumps and knows ports, protocols, states, interfaces and to whom a packet goes; a
//! rule with any other condition may or may not hold, and then the answer is that it is not known.

use std::{collections::BTreeMap, net::Ipv4Addr};

/// Multicast DNS.
pub(super) const MDNS_PORT: u16 = 5_353;
const MDNS_GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
/// Jumps followed; the kernel allows as many.
const JUMPS_MAX: usize = 16;

/// A UDP packet over IPv4 from a machine of the room, which nobody here asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet<'a> {
    pub(super) port: u16,
    pub(super) to: To,
    /// The interfaces that the room may be behind.
    pub(super) by: &'a [&'a str],
}

/// To whom a packet goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum To {
    /// An address of this machine.
    Us,
    /// The group of multicast DNS.
    Everybody,
}

/// What becomes of a packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judged {
    Open,
    Unclear,
    /// `family table chain`, and the rule or the policy.
    Blocked {
        by: String,
    },
}

/// Its chains.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// By `family table` and name.
    chains: BTreeMap<(String, String), Chain>,
}

#[derive(Debug, Default)]
struct Chain {
    /// Whether packets for this machine begin here.
    input: bool,
    /// What becomes of packets that no rule takes.
    drops: bool,
    rules: Vec<String>,
}

/// Whether a rule is about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fits {
    Yes,
    No,
    Perhaps,
}

/// What one chain does with a packet. `perhaps` is whether a rule on the way may have let it in before that.
enum Walked {
    Accepted,
    Dropped {
        by: String,
        perhaps: bool,
    },
    /// It came out at the end.
    Through {
        perhaps: bool,
    },
}

impl Rules {
    pub(super) fn read(text: &str) -> Self {
        let mut rules = Self::default();
        let (mut table, mut chain) = (String::new(), None::<String>);
        let mut depth = 0_usize;
        for line in text.lines().map(str::trim) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["table", family, name, "{", ..] if depth == 0 => table = format!("{family} {name}"),
                // Those of other families see no packets of IPv4 for this machine.
                ["chain", ..] if !(table.starts_with("ip ") || table.starts_with("inet ")) => {}
                ["chain", name, "{", ..] if depth == 1 => {
                    chain = Some((*name).to_owned());
                    rules.chains.entry((table.clone(), (*name).to_owned())).or_default();
                }
                [] | ["}"] => {}
                _ if depth == 2 => {
                    if let Some(chain) =
                        chain.as_ref().and_then(|name| rules.chains.get_mut(&(table.clone(), name.clone())))
                    {
                        chain.take(line, &words);
                    }
                }
                _ => {}
            }
            depth = (depth + line.matches('{').count()).saturating_sub(line.matches('}').count());
            if depth < 2 {
                chain = None;
            }
        }
        rules
    }

    pub(super) fn judge(&self, packet: Packet<'_>) -> Judged {
        let mut unclear = false;
        for ((table, name), chain) in self.chains.iter().filter(|(_, chain)| chain.input) {
            let (by, perhaps) = match self.walk(table, name, packet, 0) {
                Walked::Accepted => continue,
                Walked::Dropped { by, perhaps } => (by, perhaps),
                Walked::Through { .. } if !chain.drops => continue,
                Walked::Through { perhaps } => (format!("{table} {name}: policy drop"), perhaps),
            };
            if !perhaps {
                return Judged::Blocked { by };
            }
            unclear = true;
        }
        if unclear { Judged::Unclear } else { Judged::Open }
    }

    fn walk(&self, table: &str, name: &str, packet: Packet<'_>, jumps: usize) -> Walked {
        let mut perhaps = false;
        let Some(chain) = self.chains.get(&(table.to_owned(), name.to_owned())) else {
            return Walked::Through { perhaps: true };
        };
        for rule in &chain.rules {
            let (fits, verdict) = read_rule(rule, packet);
            if fits == Fits::No {
                continue;
            }
            match verdict {
                Does::Accept if fits == Fits::Yes => return Walked::Accepted,
                Does::Drop if fits == Fits::Yes => {
                    return Walked::Dropped { by: format!("{table} {name}: {rule}"), perhaps };
                }
                // What some condition drops is not everything.
                Does::Drop | Does::Nothing => {}
                Does::Return if fits == Fits::Yes => break,
                // What comes after it may not be asked.
                Does::Accept | Does::Return => perhaps = true,
                Does::Jump { .. } if jumps >= JUMPS_MAX => perhaps = true,
                Does::Jump { target, comes_back } => match self.walk(table, &target, packet, jumps + 1) {
                    Walked::Accepted if fits == Fits::Yes => return Walked::Accepted,
                    Walked::Dropped { by, perhaps: inside } if fits == Fits::Yes => {
                        return Walked::Dropped { by, perhaps: perhaps || inside };
                    }
                    Walked::Accepted => perhaps = true,
                    Walked::Dropped { .. } => {}
                    Walked::Through { perhaps: inside } => {
                        perhaps |= inside;
                        if fits == Fits::Yes && !comes_back {
                            break;
                        }
                    }
                },
            }
        }
        Walked::Through { perhaps }
    }

    /// Whether a table has this word in its name, or a chain begins with it.
    pub(super) fn have(&self, word: &str) -> bool {
        self.chains.keys().any(|(table, name)| table.contains(word) || name.starts_with(word))
    }
}

impl Chain {
    fn take(&mut self, line: &str, words: &[&str]) {
        if words.first() == Some(&"type") {
            self.input = words.windows(2).any(|pair| pair == ["hook", "input"]);
            self.drops = line.contains("policy drop");
        } else if !line.starts_with('#') {
            self.rules.push(line.to_owned());
        }
    }
}

/// What a rule does with what it is about.
enum Does {
    Accept,
    Drop,
    Return,
    Jump {
        target: String,
        comes_back: bool,
    },
    /// It counts, or marks, or is not understood.
    Nothing,
}

/// Whether a rule is about a packet, and what it does with it.
fn read_rule(rule: &str, packet: Packet<'_>) -> (Fits, Does) {
    let text = without_texts(rule).replace(',', " ").replace('{', " { ").replace('}', " } ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut fits = Fits::Yes;
    let mut rest = words.as_slice();
    loop {
        let (this, used) = if let Some((head, fits_value)) = asked(rest, packet) {
            match &rest[head..] {
                ["vmap", "{", map @ ..] => return in_map(map, fits, fits_value),
                values => one_of(values, head, fits_value),
            }
        } else {
            match rest {
                [] | ["comment", ..] => return (fits, Does::Nothing),
                ["tcp" | "sctp" | "icmp" | "icmpv6" | "igmp" | "ip6", ..] => return (Fits::No, Does::Nothing),
                // By something that is not known here.
                ["vmap", "{", map @ ..] => return in_map(map, fits, |_| Fits::Perhaps),
                ["counter", "packets", _, "bytes", _, ..] => (Fits::Yes, 5),
                ["counter" | "log" | "prefix", ..] => (Fits::Yes, 1),
                ["level" | "group" | "flags", _, ..] => (Fits::Yes, 2),
                _ => match verdict(rest) {
                    Some(does) => return (fits, does),
                    None => (Fits::Perhaps, 1),
                },
            }
        };
        fits = match (fits, this) {
            (_, Fits::No) => return (Fits::No, Does::Nothing),
            (Fits::Yes, this) => this,
            (before, _) => before,
        };
        rest = &rest[used.min(rest.len())..];
    }
}

/// What is asked of a packet at the beginning of `rest`, where that is known: in how many words, and whether a value
/// fits.
fn asked(rest: &[&str], packet: Packet<'_>) -> Option<(usize, impl Fn(&str) -> Fits)> {
    #[derive(Clone, Copy)]
    enum Asked {
        Is(&'static [&'static str]),
        Interface,
        Goes,
        Port,
    }
    use Asked::{Goes, Interface, Is, Port};
    let (head, asked) = match (rest, packet.to) {
        (["meta", "l4proto", ..] | ["ip", "protocol", ..], _) => (2, Is(&["udp", "17"])),
        (["meta", "nfproto", ..], _) => (2, Is(&["ipv4"])),
        (["meta", "pkttype", ..], To::Us) => (2, Is(&["host", "unicast"])),
        (["meta", "pkttype", ..], To::Everybody) => (2, Is(&["multicast"])),
        (["fib", "daddr", "type", ..], To::Us) => (3, Is(&["local"])),
        (["fib", "daddr", "type", ..], To::Everybody) => (3, Is(&["multicast"])),
        (["ct", "state", ..], _) => (2, Is(&["new"])),
        // What was forwarded, or was waited for.
        (["ct", "status", ..], _) => (2, Is(&[])),
        (["ip", "daddr", ..], _) => (2, Goes),
        (["udp" | "th", "dport", ..], _) => (2, Port),
        (["iif" | "iifname", ..], _) => (1, Interface),
        _ => return None,
    };
    let fits = move |value: &str| match asked {
        Is(names) if names.contains(&value) => Fits::Yes,
        Is(_) => Fits::No,
        Interface => match packet.by {
            _ if value.ends_with('*') => Fits::Perhaps,
            [only] if *only == value => Fits::Yes,
            // Which of them it comes by is not known.
            several if several.contains(&value) => Fits::Perhaps,
            _ => Fits::No,
        },
        Goes => goes_to(value, packet.to),
        Port => port_fits(value, packet.port),
    };
    Some((head, fits))
}

/// What the words at the beginning of `rest` do, where they do something.
fn verdict(rest: &[&str]) -> Option<Does> {
    Some(match rest {
        ["accept", ..] => Does::Accept,
        ["drop" | "reject", ..] => Does::Drop,
        ["return", ..] => Does::Return,
        [how @ ("jump" | "goto"), target, ..] => {
            Does::Jump { target: (*target).to_owned(), comes_back: *how == "jump" }
        }
        _ => return None,
    })
}

/// A map like `udp : accept , tcp : jump other }`: what it does with the value that fits.
fn in_map(map: &[&str], fits: Fits, fits_value: impl Fn(&str) -> Fits) -> (Fits, Does) {
    let mut perhaps = (Fits::No, Does::Nothing);
    for (at, _) in map.iter().enumerate().filter(|(at, word)| **word == ":" && *at > 0) {
        match (fits_value(map[at - 1]), verdict(&map[at + 1..])) {
            (Fits::Yes, Some(does)) => return (fits, does),
            (Fits::Perhaps, Some(Does::Accept | Does::Jump { .. } | Does::Return)) => {
                perhaps = (Fits::Perhaps, Does::Accept);
            }
            (Fits::Yes | Fits::No | Fits::Perhaps, _) => {}
        }
    }
    perhaps
}

/// What stands in quotes is a name, which is kept, or a text for a log or for people, which may look like anything.
fn without_texts(rule: &str) -> String {
    let mut parts = rule.split('"');
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut is_quoted = true;
    for part in parts {
        let is_told = text.ends_with("prefix ") || text.ends_with("comment ");
        if !(is_quoted && is_told) {
            text += part;
        }
        is_quoted = !is_quoted;
    }
    text
}

/// Whether `value` is an address or a network to which a packet may go.
fn goes_to(value: &str, to: To) -> Fits {
    let (address, bits) = value.split_once('/').unwrap_or((value, "32"));
    let (Ok(address), Ok(bits)) = (address.parse::<Ipv4Addr>(), bits.parse::<u32>()) else { return Fits::Perhaps };
    let mask = u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0);
    match to {
        To::Everybody if MDNS_GROUP.to_bits() & mask == address.to_bits() & mask => Fits::Yes,
        To::Everybody => Fits::No,
        To::Us if bits == 0 => Fits::Yes,
        To::Us if address.is_multicast() || address.is_broadcast() => Fits::No,
        To::Us => Fits::Perhaps,
    }
}

/// Whether one value or one of a set fits, and the words that were used with the `head` before them.
fn one_of(values: &[&str], head: usize, fits: impl Fn(&str) -> Fits) -> (Fits, usize) {
    match values {
        ["{", inside @ ..] => {
            let end = inside.iter().position(|word| *word == "}").unwrap_or(inside.len());
            let all: Vec<Fits> = inside[..end].iter().map(|value| fits(value)).collect();
            let best = if all.contains(&Fits::Yes) {
                Fits::Yes
            } else if all.contains(&Fits::Perhaps) {
                Fits::Perhaps
            } else {
                Fits::No
            };
            (best, head + end + 2)
        }
        ["!=", ..] => (Fits::Perhaps, head + 2),
        // `established related` without braces is a list of states; the comma became a blank.
        [value, more @ ..] => {
            let states =
                more.iter().take_while(|word| ["established", "related", "new", "invalid", "untracked"].contains(word));
            let states: Vec<&str> = states.copied().collect();
            let best = if states.iter().any(|state| fits(state) == Fits::Yes) { Fits::Yes } else { fits(value) };
            (best, head + 1 + states.len())
        }
        [] => (Fits::Perhaps, head),
    }
}

fn port_fits(value: &str, port: u16) -> Fits {
    let number = |text: &str| match text {
        "mdns" => Some(MDNS_PORT),
        text => text.parse::<u16>().ok(), // A set's name, or a service's.
    };
    let range = value
        .split_once('-')
        .map_or_else(|| number(value).map(|one| (one, one)), |(first, last)| Some((number(first)?, number(last)?)));
    match range {
        Some((first, last)) if (first..=last).contains(&port) => Fits::Yes,
        Some(_) => Fits::No,
        None => Fits::Perhaps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: &str, port: u16, expect: &Judged) {
        let text = format!(
            "table inet filter {{\n\tset s {{\n\t\ttype inet_service\n\t\telements = {{ 1, 2 }}\n\t}}\n{rules}\n}}\n"
        );
        assert_eq!(&Rules::read(&text).judge(packet(port)), expect, "{rules}");
    }

    fn packet(port: u16) -> Packet<'static> {
        Packet { port, to: if port == MDNS_PORT { To::Everybody } else { To::Us }, by: &["eth0", "eth1"] }
    }

    fn input(policy: &str, rules: &str) -> String {
        format!("\tchain input {{\n\t\ttype filter hook input priority filter; policy {policy};\n{rules}\n\t}}")
    }

    fn blocked(by: &str) -> Judged {
        Judged::Blocked { by: format!("inet filter input: {by}") }
    }

    #[test]
    fn nothing_and_an_open_policy_let_everything_in() {
        assert_eq!(Rules::read("").judge(packet(47_800)), Judged::Open);
        check(&input("accept", ""), 47_800, &Judged::Open);
        check(&input("accept", "udp dport 47801 drop\ntcp dport 47800 drop"), 47_800, &Judged::Open);
        check("\tchain forward {\n\t\ttype filter hook forward priority 0; policy drop;\n\t}", 47_800, &Judged::Open);
    }

    #[test]
    fn a_rule_that_names_the_port_or_everything_blocks() {
        for rule in [
            "udp dport 47800 drop",
            "udp dport 47800-47815 counter packets 3 bytes 120 drop",
            "udp dport { 5000, 47800 } reject with icmp port-unreachable",
            "meta l4proto udp udp dport 47800 drop",
            "meta l4proto { tcp, udp } th dport 47800 drop",
            "drop",
        ] {
            check(&input("accept", rule), 47_800, &blocked(rule));
        }
        check(
            &input("drop", "ct state established,related accept\niif \"lo\" accept"),
            47_800,
            &blocked("policy drop"),
        );
        check(
            &input("drop", "ct state { established, related } accept\ntcp dport 22 accept"),
            47_800,
            &blocked("policy drop"),
        );
    }

    #[test]
    fn what_is_let_in_before_is_open() {
        check(&input("drop", "udp dport { 5353, 47800-47815 } accept"), 47_800, &Judged::Open);
        check(&input("drop", "udp dport { mdns, 47800 } accept"), 5_353, &Judged::Open);
        check(&input("drop", "ct state new,established accept"), 47_800, &Judged::Open);
        let jumps = "\tchain user {\n\t\tudp dport 47800 accept\n\t}\n";
        check(&(jumps.to_owned() + &input("drop", "jump user")), 47_800, &Judged::Open);
        let drops = "\tchain user {\n\t\tudp dport 47800 drop\n\t}\n";
        let by = Judged::Blocked { by: "inet filter user: udp dport 47800 drop".into() };
        check(&(drops.to_owned() + &input("accept", "jump user")), 47_800, &by);
    }

    #[test]
    fn conditions_that_cannot_be_seen_are_unclear() {
        check(&input("drop", "ip saddr 10.0.0.0/8 accept"), 47_800, &Judged::Unclear);
        check(&input("drop", "iifname \"eth0\" udp dport 47800 accept"), 47_800, &Judged::Unclear);
        check(&input("drop", "udp dport @ports accept"), 47_800, &Judged::Unclear);
        check(&input("accept", "ip saddr 10.0.0.9 drop"), 47_800, &Judged::Open);
        check(&input("drop", "udp dport 47800 ip saddr 10.0.0.0/8 accept"), 5_353, &blocked("policy drop"));
    }

    #[test]
    fn what_may_have_been_let_in_before_is_unclear() {
        check(&input("drop", "ip saddr 10.0.0.0/8 accept\ndrop"), 47_800, &Judged::Unclear);
        check(&input("accept", "ip saddr 10.0.0.0/8 return\ndrop"), 47_800, &Judged::Unclear);
        let user = "\tchain user {\n\t\tiifname \"eth0\" accept\n\t\tdrop\n\t}\n";
        check(&(user.to_owned() + &input("accept", "jump user")), 47_800, &Judged::Unclear);
    }

    #[test]
    fn rules_tell_packets_to_us_from_those_to_everybody() {
        let group = input("drop", "ip daddr 224.0.0.251 udp dport 5353 accept\nip daddr 224.0.0.0/4 drop");
        check(&group, 5_353, &Judged::Open);
        check(&group, 47_800, &blocked("policy drop"));
        let kinds = input("drop", "fib daddr type multicast accept\nfib daddr type { broadcast, local } drop");
        check(&kinds, 5_353, &Judged::Open);
        check(&kinds, 47_800, &blocked("fib daddr type { broadcast, local } drop"));
        check(&input("accept", "meta pkttype multicast drop"), 47_800, &Judged::Open);
        check(&input("accept", "meta pkttype multicast drop"), 5_353, &blocked("meta pkttype multicast drop"));
    }

    #[test]
    fn what_a_log_says_means_nothing() {
        for rule in ["udp dport 47800 log prefix \"accept it: \" level info drop", "log flags all counter drop"] {
            check(&input("accept", rule), 47_800, &blocked(rule));
        }
        check(&input("drop", "udp dport 47800 accept comment \"drop\""), 47_800, &Judged::Open);
    }

    #[test]
    fn maps_are_followed() {
        let states = "ct state vmap { invalid : drop, established : accept, related : accept }\n";
        check(&input("drop", states), 47_800, &blocked("policy drop"));
        check(&input("drop", "ct state vmap { established : accept, new : accept }"), 47_800, &Judged::Open);
        let chains = "\tchain u {\n\t\tudp dport 47800 accept\n\t}\n";
        let by_protocol = "meta l4proto vmap { tcp : jump t, udp : jump u }\nreject with icmpx admin-prohibited";
        let both = chains.to_owned() + &input("drop", by_protocol);
        check(&both, 47_800, &Judged::Open);
        check(&both, 5_353, &blocked("reject with icmpx admin-prohibited"));
        check(&input("drop", "iifname vmap { \"lo\" : accept, \"eth0\" : accept }"), 47_800, &Judged::Unclear);
        check(&input("drop", "iifname vmap { \"lo\" : accept }"), 47_800, &blocked("policy drop"));
    }

    /// As firewalld 1.3 makes them.
    #[test]
    fn firewalld_opens_what_it_was_told_to() {
        let firewalld = "\
            chain filter_INPUT {
                type filter hook input priority filter + 10; policy accept;
                ct state { established, related } accept
                ct status dnat accept
                iifname \"lo\" accept
                ct state invalid drop
                jump filter_INPUT_ZONES
                reject with icmpx admin-prohibited
            }
            chain filter_INPUT_ZONES {
                iifname \"eth0\" goto filter_IN_public
                goto filter_IN_public
            }
            chain filter_IN_public {
                jump filter_IN_public_allow
                meta l4proto { icmp, ipv6-icmp } accept
                reject with icmpx admin-prohibited
            }
            chain filter_IN_public_allow {
                tcp dport 22 accept
                ip6 daddr fe80::/64 udp dport 546 accept
                ALLOWED
            }";
        let shut = "inet filter filter_IN_public: reject with icmpx admin-prohibited";
        check(&firewalld.replace("ALLOWED", ""), 47_800, &Judged::Blocked { by: shut.into() });
        let told = "udp dport 47800 accept\nip daddr 224.0.0.251 udp dport 5353 accept";
        check(&firewalld.replace("ALLOWED", told), 47_800, &Judged::Open);
        check(&firewalld.replace("ALLOWED", told), 5_353, &Judged::Open);
    }

    #[test]
    fn who_goes_does_not_come_back() {
        let zone = "\tchain zone {\n\t\ttcp dport 22 accept\n\t}\n";
        check(&(zone.to_owned() + &input("accept", "goto zone\ndrop")), 47_800, &Judged::Open);
        check(&(zone.to_owned() + &input("accept", "jump zone\ndrop")), 47_800, &blocked("drop"));
    }

    #[test]
    fn the_interface_of_the_room_is_known_where_there_is_one() {
        let rules = input("drop", "iifname { \"lo\", \"eth0\" } accept");
        let text = format!("table inet filter {{\n{rules}\n}}\n");
        let judged = |by: &[&str]| Rules::read(&text).judge(Packet { by, ..packet(47_800) });
        assert_eq!(judged(&["eth0"]), Judged::Open);
        assert_eq!(judged(&["wlan0"]), blocked("policy drop"));
        assert_eq!(judged(&["eth0", "wlan0"]), Judged::Unclear);
        check(&input("drop", "iifname \"eth*\" accept"), 47_800, &Judged::Unclear);
    }

    #[test]
    fn other_families_are_not_asked() {
        for family in ["ip6", "arp", "bridge"] {
            let text = format!("table {family} filter {{\n{}\n}}\n", input("drop", ""));
            assert_eq!(Rules::read(&text).judge(packet(47_800)), Judged::Open, "{family}");
        }
    }

    /// As ufw 0.36 makes them by iptables, with nothing allowed.
    #[test]
    fn ufw_keeps_out_peers_and_lets_them_be_found() {
        let ufw = "table ip filter {
            chain ufw-before-input {
                iifname \"lo\" counter packets 2 bytes 72 accept
                ct state related,established counter packets 2 bytes 180 accept
                ct state invalid counter packets 0 bytes 0 jump ufw-logging-deny
                ct state invalid counter packets 0 bytes 0 drop
                meta l4proto icmp icmp type echo-request counter packets 0 bytes 0 accept
                udp sport 67 udp dport 68 counter packets 0 bytes 0 accept
                counter packets 10 bytes 1732 jump ufw-not-local
                ip daddr 224.0.0.251 udp dport 5353 counter packets 10 bytes 1732 accept
                counter packets 0 bytes 0 jump ufw-user-input
            }
            chain ufw-after-input {
                fib daddr type broadcast counter packets 0 bytes 0 jump ufw-skip-to-policy-input
            }
            chain ufw-logging-deny {
                limit rate 3/minute burst 10 packets counter packets 0 bytes 0 log prefix \"[UFW BLOCK] \"
            }
            chain ufw-skip-to-policy-input {
                counter packets 0 bytes 0 drop
            }
            chain ufw-not-local {
                fib daddr type local counter packets 0 bytes 0 return
                fib daddr type multicast counter packets 10 bytes 1732 return
                fib daddr type broadcast counter packets 0 bytes 0 return
                limit rate 3/minute burst 10 packets counter packets 0 bytes 0 jump ufw-logging-deny
                counter packets 0 bytes 0 drop
            }
            chain ufw-user-input {
                ALLOWED
            }
            chain INPUT {
                type filter hook input priority filter; policy drop;
                counter packets 14 bytes 1984 jump ufw-before-input
                counter packets 0 bytes 0 jump ufw-after-input
            }
        }";
        let shut = Judged::Blocked { by: "ip filter INPUT: policy drop".into() };
        let judged = |allowed: &str, port| Rules::read(&ufw.replace("ALLOWED", allowed)).judge(packet(port));
        assert_eq!(judged("", 47_800), shut);
        assert_eq!(judged("", 5_353), Judged::Open);
        assert_eq!(judged("udp dport 47800 counter packets 0 bytes 0 accept", 47_800), Judged::Open);
        assert_eq!(judged("tcp dport 47800 counter packets 0 bytes 0 accept", 47_800), shut);
    }
}
