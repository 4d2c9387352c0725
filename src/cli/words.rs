//! Numbers and states as people read them.

pub(super) use crate::types::decimal::{count, rate, size, thousands};
use crate::{
    api::{GameView, Phase, Snapshot, StateWord, TransferView},
    types::decimal::done_of,
};

/// `1:09`, `2:03:04`.
pub(super) fn left(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// `0.2 ms`, `14 ms`.
pub(super) fn ping(micros: u64) -> String {
    match micros {
        0 => String::new(),
        1..10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        _ => format!("{} ms", micros / 1_000),
    }
}

/// What a runtime does as a whole.
pub(super) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Idle
        | Phase::Binding
        | Phase::MappingPort
        | Phase::DetectingAddress
        | Phase::Registering
        | Phase::Announcing
        | Phase::Verifying => "is starting",
        Phase::Scanning => "is looking at its library",
        Phase::Serving => "serves",
        Phase::Stopping => "is stopping",
        Phase::Error => "has failed; its log says why",
    }
}

/// `nobody else here has`, `3 others here have`.
pub(super) fn others_have(others: u32) -> String {
    match others {
        0 => "nobody else here has".to_owned(),
        1 => "1 other here has".to_owned(),
        more => format!("{more} others here have"),
    }
}

/// Files of the user's own that an installation met, a line each; the rest is counted.
pub(super) fn own_files(kept: &[String], set_aside: &[String]) -> Vec<String> {
    let named = |what: &str, paths: &[String]| {
        let more = paths.len().saturating_sub(OWN_FILES_NAMED);
        let mut lines: Vec<String> = paths.iter().take(OWN_FILES_NAMED).map(|path| format!("{what}: {path}")).collect();
        if more > 0 {
            lines.push(format!("{what}: {} more", count(more as u64, "file")));
        }
        lines
    };
    [named("came along", kept), named("set aside", set_aside)].concat()
}

/// Lines of one kind in [`own_files`]; `--json` has more.
const OWN_FILES_NAMED: usize = 20;

/// `Getting 43 %`, `Waiting: disk full, 3.2 GB short`.
pub(super) fn state(word: StateWord, percent: Option<u8>, reason: &str) -> String {
    let mut text = word.word().to_owned();
    if let Some(percent) = percent.filter(|_| has_percent(word)) {
        text += &format!(" {percent} %");
    }
    if !reason.is_empty() {
        text += &format!(": {reason}");
    }
    text
}

fn has_percent(word: StateWord) -> bool {
    match word {
        StateWord::Getting
        | StateWord::Waiting
        | StateWord::Paused
        | StateWord::Checking
        | StateWord::Installing
        | StateWord::Failed => true,
        StateWord::Available | StateWord::Downloaded | StateWord::Ready | StateWord::Offline => false,
    }
}

/// A game's state, its transfer's where it has one, with badges behind it.
pub(super) fn game_state(snapshot: &Snapshot, game: &GameView) -> String {
    let (word, percent, reason) = snapshot.state_of(game);
    let mut text = state(word, percent, reason);
    if let Some(update) = &game.update {
        text += &format!("  ↑ {}", update.version);
    }
    if game.variants {
        text += "  ≠ two builds";
    }
    if let Some(why) = &game.private {
        text += &format!("  private: {why}");
    }
    text
}

/// `Getting 43 %  4.9 of 11.4 GB  94.2 MB/s  1:09 left  from 9`.
pub(super) fn progress(transfer: &TransferView) -> String {
    let mut text = state(transfer.state, Some(transfer.percent), &transfer.reason);
    text += &format!("  {}", done_of(transfer.done, transfer.size));
    if transfer.state == StateWord::Getting {
        let sources = transfer.sources.iter().filter(|source| source.bps > 0 || source.coming > 0).count();
        for more in [rate(transfer.down_bps), transfer.left_s.map_or_else(String::new, |s| left(s) + " left")] {
            if !more.is_empty() {
                text += &format!("  {more}");
            }
        }
        if sources > 0 {
            text += &format!("  from {sources}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_people_read_them() {
        assert_eq!((left(69).as_str(), left(7_384).as_str()), ("1:09", "2:03:04"));
        assert_eq!((ping(200).as_str(), ping(14_300).as_str(), ping(0).as_str()), ("0.2 ms", "14 ms", ""));
        assert_eq!((thousands(7).as_str(), thousands(1_234_567).as_str()), ("7", "1,234,567"));
        assert_eq!(count(1, "file") + &count(0, "file"), "1 file0 files");
        assert_eq!(state(StateWord::Waiting, Some(12), "disk full"), "Waiting 12 %: disk full");
        assert_eq!(state(StateWord::Ready, Some(100), ""), "Ready");
    }
}
