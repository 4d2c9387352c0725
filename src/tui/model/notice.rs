//! The message line: one fact at a time, and which of two facts stays.

use super::Moment;
use crate::api::Level;

/// How long good or bad news stays before something smaller may take its place.
const NEWS_MS: u64 = 8_000;
/// How long a problem stays before something smaller may take its place.
const TROUBLE_MS: u64 = 30_000;

/// What the message line says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Notice {
    /// When it was said; `None` while nothing was.
    pub(crate) at: Option<Moment>,
    /// How much it matters.
    pub(crate) level: Option<Level>,
    /// The sentence.
    pub(crate) text: String,
}

impl Notice {
    /// Says what happened in the room, unless something that matters more was said just now.
    pub(crate) fn hear(&mut self, level: Level, text: &str, at: Moment) -> bool {
        let stays_ms = match self.level {
            Some(Level::Error | Level::Warning) => TROUBLE_MS,
            Some(Level::Done) => NEWS_MS,
            Some(Level::Debug | Level::Info) | None => 0,
        };
        let fresh = self.at.is_some_and(|said| at.unix_ms < said.unix_ms.saturating_add(stays_ms));
        if level == Level::Debug || (fresh && self.level > Some(level)) {
            return false;
        }
        self.say(level, text, at);
        true
    }

    /// Answers the user: always, and at once.
    pub(crate) fn say(&mut self, level: Level, text: impl Into<String>, at: Moment) {
        *self = Self { at: Some(at), level: Some(level), text: text.into() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(said: &[(u64, Level)], expect: &str) {
        let mut notice = Notice::default();
        for (second, level) in said {
            notice.hear(*level, &format!("{level:?} {second}"), Moment { unix_ms: second * 1_000, offset_s: 0 });
        }
        assert_eq!(notice.text, expect);
    }

    #[test]
    fn trouble_is_not_swept_away_by_chatter() {
        use Level::{Debug, Done, Error, Info, Warning};
        check(&[(1, Info), (2, Info)], "Info 2");
        check(&[(1, Debug)], "");
        check(&[(1, Warning), (2, Info), (3, Done)], "Warning 1");
        check(&[(1, Warning), (2, Error), (3, Warning)], "Error 2");
        check(&[(1, Warning), (40, Info)], "Info 40");
        check(&[(1, Done), (5, Info)], "Done 1");
        check(&[(1, Done), (5, Done)], "Done 5");
        check(&[(1, Done), (10, Info)], "Info 10");
    }
}
