//! The message line: one fact at a time, and which of two facts stays. An answer to a key only covers the newest fact:
//! it goes with a later key, and what the room said is there again.

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
    /// What an answer covers.
    covered: Option<Covered>,
}

/// A fact under an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Covered {
    /// From when on the next key takes the answer away.
    until_ms: u64,
    /// When the fact was said, how much it matters, and the sentence; `None` where there was none.
    fact: Option<(Moment, Level, String)>,
}

impl Notice {
    /// Says what happened in the room, unless something that matters more was said just now.
    pub(crate) fn hear(&mut self, level: Level, text: &str, at: Moment) -> bool {
        if level == Level::Debug {
            return false;
        }
        let fresh = self.at.is_some_and(|said| at.unix_ms < said.unix_ms.saturating_add(stays_ms(self.level)));
        if fresh && self.level > Some(level) {
            if let Some(covered) = &mut self.covered {
                covered.fact = Some((at, level, text.to_owned()));
            }
            return false;
        }
        *self = Self { at: Some(at), level: Some(level), text: text.to_owned(), covered: None };
        true
    }

    /// Answers the user: always, and at once. It stays as long as news of its kind, and then until a key is pressed.
    pub(crate) fn say(&mut self, level: Level, text: impl Into<String>, at: Moment) {
        self.cover(level, text.into(), at, stays_ms(Some(level)).max(NEWS_MS));
    }

    /// Tells the user why a key did nothing: until the next one.
    pub(crate) fn refuse(&mut self, why: impl Into<String>, at: Moment) {
        self.cover(Level::Warning, why.into(), at, 0);
    }

    fn cover(&mut self, level: Level, text: String, at: Moment, stays_ms: u64) {
        let fact = match self.covered.take() {
            Some(covered) => covered.fact,
            None => self.at.zip(self.level).map(|(at, level)| (at, level, std::mem::take(&mut self.text))),
        };
        let covered = Covered { until_ms: at.unix_ms.saturating_add(stays_ms), fact };
        *self = Self { at: Some(at), level: Some(level), text, covered: Some(covered) };
    }

    /// A key was pressed: an answer that was there long enough goes. Says whether one did.
    pub(crate) fn on_key(&mut self, now: Moment) -> bool {
        match self.covered.take_if(|covered| covered.until_ms <= now.unix_ms) {
            Some(Covered { fact: Some((at, level, text)), .. }) => {
                *self = Self { at: Some(at), level: Some(level), text, covered: None };
                true
            }
            Some(Covered { fact: None, .. }) => {
                *self = Self::default();
                true
            }
            None => false,
        }
    }
}

/// How long something smaller is kept away.
fn stays_ms(level: Option<Level>) -> u64 {
    match level {
        Some(Level::Error | Level::Warning) => TROUBLE_MS,
        Some(Level::Done) => NEWS_MS,
        Some(Level::Debug | Level::Info) | None => 0,
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
    fn an_answer_covers_the_newest_fact_and_goes_with_a_later_key() {
        let at = |second: u64| Moment { unix_ms: second * 1_000, offset_s: 0 };
        let mut notice = Notice::default();
        notice.refuse("no", at(1));
        assert!(notice.on_key(at(1)));
        assert_eq!(notice, Notice::default());
        notice.hear(Level::Done, "news", at(1));
        assert!(!notice.on_key(at(90)), "a fact stays");
        notice.say(Level::Info, "asked", at(90));
        notice.refuse("no", at(91));
        notice.hear(Level::Info, "newer", at(91));
        assert_eq!(notice.text, "no", "what refuses is read first");
        assert!(notice.on_key(at(92)));
        assert_eq!((notice.text.as_str(), notice.at), ("newer", Some(at(91))));
        notice.say(Level::Info, "asked", at(93));
        assert!(!notice.on_key(at(94)), "it was there for a second");
        assert!(notice.on_key(at(102)));
        assert_eq!(notice.text, "newer");
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
