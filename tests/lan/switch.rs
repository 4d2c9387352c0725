//! Hosts on one switch, each a network namespace of Linux with its own addresses, inside this
//! machine. Needs root and iproute2; where either is missing there is no lab, and whoever wants one
//! says so and passes.

use std::{
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
};

/// Labs of one test process that have been made; part of their names.
static LABS: AtomicU32 = AtomicU32::new(0);

/// A switch and its hosts; gone when dropped.
#[derive(Debug)]
pub(crate) struct Lab {
    name: String,
    hosts: usize,
}

impl Lab {
    /// `hosts` hosts, 10.78.0.1 and up. `None`, with a word why, where that cannot be made.
    pub(crate) fn up(hosts: usize) -> Option<Self> {
        let name = format!("pl{}x{}", std::process::id(), LABS.fetch_add(1, Ordering::Relaxed));
        let lab = Self { name, hosts };
        let switch = lab.switch();
        if let Err(why) = ip(&["netns", "add", &switch]) {
            say(&format!("no lab, so nothing is tested here: {why}"));
            return None;
        }
        lab.plug_together().unwrap_or_else(|why| panic!("the lab cannot be made: {why}"));
        Some(lab)
    }

    fn plug_together(&self) -> Result<(), String> {
        let switch = self.switch();
        ip(&["-n", &switch, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0"])?;
        ip(&["-n", &switch, "link", "set", "br0", "up"])?;
        for host in 0..self.hosts {
            let (namespace, port) = (self.host(host), format!("port{host}"));
            ip(&["netns", "add", &namespace])?;
            ip(&["-n", &namespace, "link", "set", "lo", "up"])?;
            ip(&["link", "add", "eth0", "netns", &namespace, "type", "veth", "peer", "name", &port, "netns", &switch])?;
            ip(&["-n", &switch, "link", "set", &port, "master", "br0", "up"])?;
            let address = format!("{}/16", Self::address(host));
            ip(&["-n", &namespace, "addr", "add", &address, "brd", "+", "dev", "eth0"])?;
            ip(&["-n", &namespace, "link", "set", "eth0", "up"])?;
            ip(&["-n", &namespace, "route", "add", "default", "dev", "eth0"])?;
        }
        Ok(())
    }

    /// The namespace of a host.
    pub(crate) fn host(&self, number: usize) -> String {
        format!("{}h{number}", self.name)
    }

    fn switch(&self) -> String {
        format!("{}sw", self.name)
    }

    /// The address of a host.
    pub(crate) fn address(host: usize) -> String {
        format!("10.78.0.{}", host + 1)
    }

    /// Gives every port this speed both ways, like `100mbit`.
    pub(crate) fn limit(&self, rate: &str) {
        let tbf = ["root", "tbf", "rate", rate, "burst", "256k", "latency", "40ms"];
        let slow = |namespace: &str, device: &str| {
            let words = [&["netns", "exec", namespace, "tc", "qdisc", "replace", "dev", device][..], &tbf[..]].concat();
            ip(&words).expect("iproute2 has `tc`, and the kernel `tbf`");
        };
        for host in 0..self.hosts {
            slow(&self.host(host), "eth0");
            slow(&self.switch(), &format!("port{host}"));
        }
    }

    /// Pulls a host's cable.
    pub(crate) fn cut(&self, host: usize) {
        ip(&["-n", &self.switch(), "link", "set", &format!("port{host}"), "down"]).expect("a lab's cable");
    }

    /// Puts it back.
    pub(crate) fn mend(&self, host: usize) {
        ip(&["-n", &self.switch(), "link", "set", &format!("port{host}"), "up"]).expect("a lab's cable");
    }

    /// Gives a host a packet filter with one more rule for what comes in.
    pub(crate) fn filter(&self, host: usize, rule: &str) -> Result<(), String> {
        self.run(host, "nft add table inet filter")?;
        self.run(host, "nft add chain inet filter input { type filter hook input priority 0 ; }")?;
        self.run(host, &format!("nft add rule inet filter input {rule}"))
    }

    /// Runs a line of words on a host.
    pub(crate) fn run(&self, host: usize, line: &str) -> Result<(), String> {
        let name = self.host(host);
        let words: Vec<&str> = ["netns", "exec", &name].into_iter().chain(line.split_whitespace()).collect();
        ip(&words)
    }

    /// Takes IPv6 from a host.
    pub(crate) fn without_ipv6(&self, host: usize) {
        for scope in ["all", "default"] {
            let setting = format!("net.ipv6.conf.{scope}.disable_ipv6=1");
            run("ip", &["netns", "exec", &self.host(host), "sysctl", "-qw", &setting]).expect("root may set this");
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for namespace in (0..self.hosts).map(|host| self.host(host)).chain([self.switch()]) {
            // What was not made need not go.
            let _ = ip(&["netns", "del", &namespace]);
        }
    }
}

fn ip(words: &[&str]) -> Result<(), String> {
    run("ip", words)
}

fn run(program: &str, words: &[&str]) -> Result<(), String> {
    let said = |output: Output| String::from_utf8_lossy(&output.stderr).trim().to_owned();
    match Command::new(program).args(words).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{program} {}: {}", words.join(" "), said(output))),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

#[expect(clippy::print_stderr, reason = "a test that tests nothing must say so")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}
