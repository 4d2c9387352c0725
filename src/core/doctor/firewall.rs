//! What the packet filter does with a packet from the room, read from the text of `nft list ruleset`.
//! It follows jumps and knows ports, protocols, states and the loopback interface; a rule with any
//! other condition may or may not hold, and then the answer is that it is not known.

use std::collections::BTreeMap;

use super::{Finding, Firewall, Unread, Verdict, good};

/// Multicast DNS.
const MDNS_PORT: u16 = 5_353;
/// Jumps followed; the kernel allows as many.
const JUMPS_MAX: usize = 16;

pub(super) fn of_rules(firewall: &Firewall, port: u16) -> Vec<Finding> {
    let rules = match &firewall.rules {
        Ok(rules) => Rules::read(rules),
        Err(unread) => return vec![of_unread(unread, firewall.ufw, port)],
    };
    let verdicts = [port, MDNS_PORT].map(|port| (port, rules.judge(port)));
    let mut findings: Vec<Finding> = verdicts
        .iter()
        .filter_map(|(port, judged)| match judged {
            Judged::Open => None,
            Judged::Unclear => Some(Finding::of(
                "firewall",
                Verdict::Unknown,
                format!("The firewall lets UDP port {port} in under some conditions only."),
                "Whether packets of the room meet them cannot be seen from here.",
                "sudo nft list ruleset",
            )),
            Judged::Blocked { by } => Some(Finding::of(
                "firewall",
                Verdict::Bad,
                format!("The firewall keeps out what comes to UDP port {port} ({by})."),
                if *port == MDNS_PORT {
                    "Peers do not find this machine by themselves, nor it them."
                } else {
                    "Others see this machine, but cannot reach it."
                },
                rules.opening(by, *port, firewall.ufw),
            )),
        })
        .collect();
    if findings.is_empty() {
        findings.push(good("firewall", format!("The firewall lets UDP ports {port} and {MDNS_PORT} in.")));
    }
    findings
}

fn of_unread(unread: &Unread, ufw: bool, port: u16) -> Finding {
    if ufw {
        return Finding::of(
            "firewall",
            Verdict::Unknown,
            "ufw is switched on; what it lets in may be read only by the administrator.",
            "It keeps out everything that nobody allowed.",
            format!("sudo ufw allow {port}/udp && sudo ufw allow {MDNS_PORT}/udp"),
        );
    }
    match unread {
        Unread::NoTool => good("firewall", "No firewall tool is installed here (no nft, no ufw)."),
        Unread::NoRight => Finding::of(
            "firewall",
            Verdict::Unknown,
            "The rules of the firewall may be read only by the administrator.",
            "So it is not known whether one keeps peers out.",
            "sudo HOME=\"$HOME\" potluck doctor",
        ),
        Unread::Failed(why) => Finding::of(
            "firewall",
            Verdict::Unknown,
            format!("The rules of the firewall cannot be read: {why}."),
            "So it is not known whether one keeps peers out.",
            "sudo nft list ruleset",
        ),
    }
}

/// What becomes of a packet.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    Open,
    Unclear,
    /// `family table chain`, and the rule or the policy.
    Blocked {
        by: String,
    },
}

#[derive(Debug, Default)]
struct Rules {
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

/// What one chain does with a packet.
enum Walked {
    Accepted,
    Dropped(String),
    /// It came out at the end; whether a rule on the way may have taken it.
    Through {
        perhaps: bool,
    },
}

impl Rules {
    fn read(text: &str) -> Self {
        let mut rules = Self::default();
        let (mut table, mut chain) = (String::new(), None::<String>);
        let mut depth = 0_usize;
        for line in text.lines().map(str::trim) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["table", family, name, "{", ..] if depth == 0 => table = format!("{family} {name}"),
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

    fn judge(&self, port: u16) -> Judged {
        let mut unclear = false;
        for ((table, name), chain) in self.chains.iter().filter(|(_, chain)| chain.input) {
            match self.walk(table, name, port, 0) {
                Walked::Accepted => {}
                Walked::Dropped(by) => return Judged::Blocked { by },
                Walked::Through { perhaps } if chain.drops && perhaps => unclear = true,
                Walked::Through { .. } if chain.drops => {
                    return Judged::Blocked { by: format!("{table} {name}: policy drop") };
                }
                Walked::Through { .. } => {}
            }
        }
        if unclear { Judged::Unclear } else { Judged::Open }
    }

    fn walk(&self, table: &str, name: &str, port: u16, jumps: usize) -> Walked {
        let mut perhaps = false;
        let Some(chain) = self.chains.get(&(table.to_owned(), name.to_owned())) else {
            return Walked::Through { perhaps: true };
        };
        for rule in &chain.rules {
            let (fits, verdict) = read_rule(rule, port);
            if fits == Fits::No {
                continue;
            }
            match verdict {
                Does::Accept if fits == Fits::Yes => return Walked::Accepted,
                Does::Drop if fits == Fits::Yes => return Walked::Dropped(format!("{table} {name}: {rule}")),
                Does::Accept => perhaps = true,
                // What some condition drops is not everything.
                Does::Drop | Does::Nothing => {}
                Does::Return if fits == Fits::Yes => break,
                Does::Return => {}
                Does::Jump(_) if jumps >= JUMPS_MAX => perhaps = true,
                Does::Jump(target) => match self.walk(table, &target, port, jumps + 1) {
                    Walked::Accepted if fits == Fits::Yes => return Walked::Accepted,
                    Walked::Dropped(by) if fits == Fits::Yes => return Walked::Dropped(by),
                    Walked::Accepted => perhaps = true,
                    Walked::Dropped(_) => {}
                    Walked::Through { perhaps: inside } => perhaps |= inside,
                },
            }
        }
        Walked::Through { perhaps }
    }

    /// The command that lets the port in.
    fn opening(&self, by: &str, port: u16, ufw: bool) -> String {
        let has = |word: &str| self.chains.keys().any(|(table, name)| table.contains(word) || name.starts_with(word));
        if ufw || has("ufw-") {
            return format!("sudo ufw allow {port}/udp");
        }
        if has("firewalld") {
            return format!("sudo firewall-cmd --permanent --add-port={port}/udp && sudo firewall-cmd --reload");
        }
        let place = by.split(':').next().unwrap_or_default();
        format!("sudo nft insert rule {place} udp dport {port} accept")
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
    Jump(String),
    /// It counts, or marks, or is not understood.
    Nothing,
}

/// Whether a rule is about a new UDP packet from the room to `port`, and what it does with it.
fn read_rule(rule: &str, port: u16) -> (Fits, Does) {
    let text = rule.replace(',', " ").replace('{', " { ").replace('}', " } ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut fits = Fits::Yes;
    let mut rest = words.as_slice();
    loop {
        let (this, used) = match rest {
            [] => return (fits, Does::Nothing),
            ["accept", ..] => return (fits, Does::Accept),
            ["drop" | "reject", ..] => return (fits, Does::Drop),
            ["return", ..] => return (fits, Does::Return),
            ["jump" | "goto", target, ..] => return (fits, Does::Jump((*target).to_owned())),
            ["counter", "packets", _, "bytes", _, ..] => (Fits::Yes, 5),
            ["counter", ..] => (Fits::Yes, 1),
            ["comment", ..] => return (fits, Does::Nothing),
            ["meta", "l4proto", ..] => {
                values(&rest[2..], 2, |value| if value == "udp" || value == "17" { Fits::Yes } else { Fits::No })
            }
            ["ip", "protocol", ..] => values(&rest[2..], 2, |value| if value == "udp" { Fits::Yes } else { Fits::No }),
            ["udp" | "th", "dport", ..] => values(&rest[2..], 2, |value| port_fits(value, port)),
            ["tcp" | "sctp" | "icmp" | "icmpv6" | "igmp", ..] => return (Fits::No, Does::Nothing),
            ["ct", "state", ..] => values(&rest[2..], 2, |value| if value == "new" { Fits::Yes } else { Fits::No }),
            ["iif" | "iifname", name, ..] => (if name.trim_matches('"') == "lo" { Fits::No } else { Fits::Perhaps }, 2),
            _ => (Fits::Perhaps, 1),
        };
        fits = match (fits, this) {
            (_, Fits::No) => return (Fits::No, Does::Nothing),
            (Fits::Yes, this) => this,
            (before, _) => before,
        };
        rest = &rest[used.min(rest.len())..];
    }
}

/// One value or a set of them, and the words that were used with the `head` before them.
fn values(rest: &[&str], head: usize, fits: impl Fn(&str) -> Fits) -> (Fits, usize) {
    match rest {
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
        assert_eq!(&Rules::read(&text).judge(port), expect, "{rules}");
    }

    fn input(policy: &str, rules: &str) -> String {
        format!("\tchain input {{\n\t\ttype filter hook input priority filter; policy {policy};\n{rules}\n\t}}")
    }

    fn blocked(by: &str) -> Judged {
        Judged::Blocked { by: format!("inet filter input: {by}") }
    }

    #[test]
    fn nothing_and_an_open_policy_let_everything_in() {
        assert_eq!(Rules::read("").judge(47_800), Judged::Open);
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
    fn the_command_that_opens_is_that_of_who_made_the_rules() {
        let firewall = |rules: &str, ufw| Firewall { rules: Ok(rules.to_owned()), ufw };
        let plain = format!("table inet filter {{\n{}\n}}", input("drop", "udp dport 5353 accept"));
        let fix = |rules: &str, ufw| of_rules(&firewall(rules, ufw), 47_800).remove(0).fix;
        assert_eq!(fix(&plain, false), "sudo nft insert rule inet filter input udp dport 47800 accept");
        assert_eq!(fix(&plain, true), "sudo ufw allow 47800/udp");
        assert!(fix(&plain.replace("inet filter", "inet firewalld"), false).starts_with("sudo firewall-cmd"));
        let open = of_rules(&firewall("", false), 47_800);
        assert_eq!((open.len(), open[0].verdict), (1, Verdict::Good));
    }

    #[test]
    fn rules_that_may_not_be_read_are_not_taken_for_none() {
        let of = |unread, ufw| of_rules(&Firewall { rules: Err(unread), ufw }, 47_800).remove(0);
        assert_eq!(of(Unread::NoTool, false).verdict, Verdict::Good);
        assert_eq!(of(Unread::NoRight, false).verdict, Verdict::Unknown);
        assert_eq!(of(Unread::Failed("odd".into()), false).verdict, Verdict::Unknown);
        assert!(of(Unread::NoRight, true).fix.contains("ufw allow 47800/udp && sudo ufw allow 5353/udp"));
    }
}
