//! The clock, and those of peers beside it: who is wrong, as far as that can be told.

use super::{Clock, Finding, PeerClock, Verdict, good, listed};

/// 2026-01-01: a clock before that is certainly wrong.
const CLOCK_MIN: u64 = 1_767_225_600;
/// Clocks that a time server keeps are a fraction of a second apart; from here on people notice, by logs and saved
/// games whose times contradict each other.
const APART_MAX_MS: u64 = 10_000;
/// Peers called by name.
const NAMED_MAX: usize = 4;
/// Sets it and keeps it.
const KEEP: &str = "sudo timedatectl set-ntp true";

pub(super) fn of_own(clock: Clock) -> Finding {
    if clock.unix_seconds < CLOCK_MIN {
        let what = "This machine's clock is years behind.";
        let why = "Versions made from today's date and the times of the log are wrong.";
        return Finding::of("clock", Verdict::Warn, what, why, KEEP);
    }
    let why = "Only dates shown and made depend on it.";
    match clock.kept {
        Some(true) => good("clock", "The clock is kept by a time server."),
        Some(false) => {
            let what = "The clock has not been set by a time server since the start of this machine.";
            Finding::of("clock", Verdict::Unknown, what, why, "timedatectl status")
        }
        None => Finding::of("clock", Verdict::Unknown, "Whether the clock is right cannot be seen here.", why, "date"),
    }
}

/// Nothing where no peer told.
pub(super) fn of_peers(own: Clock, peers: &[PeerClock]) -> Option<Finding> {
    if peers.is_empty() {
        return None;
    }
    let apart: Vec<&PeerClock> = peers.iter().filter(|peer| peer.is_apart()).collect();
    if apart.is_empty() {
        let within =
            peers.iter().map(|peer| peer.ahead_ms.unsigned_abs().saturating_add(peer.unsure_ms)).max().unwrap_or(0);
        let others = if peers.len() == 1 { "a peer's" } else { "those of peers" };
        let what = format!("It agrees with {others} to within {}: {} asked.", span(within), peers.len());
        return Some(good("peer-clocks", what));
    }
    if let Some(median) = ours_is_wrong(peers, &apart) {
        let (way, whose) = (if median > 0 { "behind" } else { "ahead of" }, "those of");
        let (count, all) = (apart.len(), peers.len());
        let what =
            format!("This machine's clock is {} {way} {whose} {count} of {all} peers.", span(median.unsigned_abs()));
        let why = "It is the odd one out: dates made here, and the times of its log, are wrong.";
        return Some(Finding::of("peer-clocks", Verdict::Warn, what, why, KEEP));
    }
    let mut named: Vec<String> = apart.iter().take(NAMED_MAX).map(|peer| peer.stands()).collect();
    if apart.len() > NAMED_MAX {
        named.push(format!("{} more apart", apart.len() - NAMED_MAX));
    }
    let what = format!("Beside this machine's clock: {}.", listed(&named));
    let (why, on) = match own.kept {
        Some(true) => ("A time server keeps the one here, so it is theirs", apart[0].name.as_str()),
        Some(false) | None if peers.len() > apart.len() => {
            ("Others agree with the one here, so it is theirs", apart[0].name.as_str())
        }
        Some(false) | None => ("Which of them is right cannot be told from here", "every machine"),
    };
    let why = format!("{why}. The times of logs and saved games contradict each other.");
    Some(Finding::of("peer-clocks", Verdict::Warn, what, why, format!("{KEEP}    # on {on}")))
}

/// How far peers' clocks are ahead, where most of them agree that ours is not right.
fn ours_is_wrong(peers: &[PeerClock], apart: &[&PeerClock]) -> Option<i64> {
    let mut ahead: Vec<i64> = apart.iter().map(|peer| peer.ahead_ms).collect();
    ahead.sort_unstable();
    let median = *ahead.get(ahead.len() / 2)?;
    let agree = ahead.iter().filter(|other| other.abs_diff(median) <= APART_MAX_MS).count();
    (agree >= 2 && agree * 2 > peers.len()).then_some(median)
}

impl PeerClock {
    /// Further than can be explained.
    fn is_apart(&self) -> bool {
        self.ahead_ms.unsigned_abs().saturating_sub(self.unsure_ms) > APART_MAX_MS
    }

    fn stands(&self) -> String {
        let way = if self.ahead_ms > 0 { "ahead" } else { "behind" };
        format!("{}'s is {} {way}", self.name, span(self.ahead_ms.unsigned_abs()))
    }
}

/// `0.2 s`, `12 s`, `3 min`, `5 h`, `400 days`: no more than that is known or wanted.
fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..10 => format!("{seconds}.{} s", ms / 100 % 10),
        10..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
