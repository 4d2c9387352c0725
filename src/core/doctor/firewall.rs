//! What the packet filter does with what the room sends, and the command that lets it in.

mod rules;

use self::rules::{Judged, MDNS_PORT, Packet, Rules, To};
use super::{Finding, Firewall, Interface, InterfaceKind, Unread, Verdict, good};

pub(super) fn of_rules(firewall: &Firewall, port: u16, interfaces: &[Interface]) -> Vec<Finding> {
    let rules = match &firewall.rules {
        Ok(rules) => Rules::read(rules),
        Err(unread) => return vec![of_unread(unread, firewall.ufw, port)],
    };
    let real = interfaces.iter().filter(|interface| interface.kind == InterfaceKind::Real);
    let by: Vec<&str> = real.map(|interface| interface.name.as_str()).collect();
    let packets = [Packet { port, to: To::Us, by: &by }, Packet { port: MDNS_PORT, to: To::Everybody, by: &by }];
    let verdicts = packets.map(|packet| (packet.port, rules.judge(packet)));
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
                opening(&rules, by, *port, firewall.ufw),
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

/// The command that lets the port in.
fn opening(rules: &Rules, by: &str, port: u16, ufw: bool) -> String {
    if ufw || rules.have("ufw-") {
        return format!("sudo ufw allow {port}/udp");
    }
    if rules.have("firewalld") {
        return format!("sudo firewall-cmd --permanent --add-port={port}/udp && sudo firewall-cmd --reload");
    }
    let place = by.split(':').next().unwrap_or_default();
    if place == "ip filter INPUT" {
        // Made by iptables, which asks others to leave it alone.
        return format!("sudo iptables -I INPUT -p udp --dport {port} -j ACCEPT");
    }
    format!("sudo nft insert rule {place} udp dport {port} accept")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_opens_is_that_of_who_made_the_rules() {
        let firewall = |rules: &str, ufw| Firewall { rules: Ok(rules.to_owned()), ufw };
        let plain = "table inet filter {
            chain input {
                type filter hook input priority filter; policy drop;
                udp dport 5353 accept
            }
        }";
        let fix = |rules: &str, ufw| of_rules(&firewall(rules, ufw), 47_800, &[]).remove(0).fix;
        assert_eq!(fix(plain, false), "sudo nft insert rule inet filter input udp dport 47800 accept");
        assert_eq!(fix(plain, true), "sudo ufw allow 47800/udp");
        assert!(fix(&plain.replace("inet filter", "inet firewalld"), false).starts_with("sudo firewall-cmd"));
        let iptables = plain.replace("inet filter", "ip filter").replace("chain input", "chain INPUT");
        assert_eq!(fix(&iptables, false), "sudo iptables -I INPUT -p udp --dport 47800 -j ACCEPT");
        let open = of_rules(&firewall("", false), 47_800, &[]);
        assert_eq!((open.len(), open[0].verdict), (1, Verdict::Good));
    }

    #[test]
    fn rules_that_may_not_be_read_are_not_taken_for_none() {
        let of = |unread, ufw| of_rules(&Firewall { rules: Err(unread), ufw }, 47_800, &[]).remove(0);
        assert_eq!(of(Unread::NoTool, false).verdict, Verdict::Good);
        assert_eq!(of(Unread::NoRight, false).verdict, Verdict::Unknown);
        assert_eq!(of(Unread::Failed("odd".into()), false).verdict, Verdict::Unknown);
        assert!(of(Unread::NoRight, true).fix.contains("ufw allow 47800/udp && sudo ufw allow 5353/udp"));
    }
}
