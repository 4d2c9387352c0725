//! What is known of the room about the selected game and the selected peer: too much to be in every row of a snapshot,
//! so it is asked for while somebody looks, and again when the room has changed.

use crate::api::{CompareView, WithoutView};

/// A room that changes all the time is asked no more often than this.
const PAUSE_MS: u64 = 1_000;

/// The newest answers.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// Who has nothing of the selected game, by its GameId.
    pub(crate) without: Kept<WithoutView>,
    /// What the selected peer has and lacks, by its PeerId.
    pub(crate) compared: Kept<CompareView>,
}

impl Room {
    /// Games or peers are others now.
    pub(crate) fn on_change(&mut self) {
        (self.without.stale, self.compared.stale) = (true, true);
    }
}

/// The answer to one kind of question, and what it was about.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    id: String,
    answer: Option<T>,
    /// Asked and not answered.
    asked: bool,
    asked_ms: u64,
    stale: bool,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { id: String::new(), answer: None, asked: false, asked_ms: 0, stale: false }
    }
}

impl<T> Kept<T> {
    /// What is known of this one.
    pub(crate) fn of(&self, id: &str) -> Option<&T> {
        self.answer.as_ref().filter(|_| self.id == id)
    }

    /// Whether to ask about this one now; who is told so asks.
    pub(crate) fn ask(&mut self, id: &str, now_ms: u64) -> bool {
        let other = self.id != id;
        let again = self.stale && now_ms.abs_diff(self.asked_ms) >= PAUSE_MS;
        if self.asked || !(other || again) {
            return false;
        }
        if other {
            (self.id, self.answer) = (id.to_owned(), None);
        }
        (self.asked, self.asked_ms, self.stale) = (true, now_ms, false);
        true
    }

    /// It was answered, or refused: then nothing is known until it is asked again.
    pub(crate) fn on_answer(&mut self, id: &str, answer: Option<T>) {
        self.asked = false;
        if self.id == id {
            self.answer = answer;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_question_at_a_time_and_again_when_something_changed() {
        let mut kept: Kept<u32> = Kept::default();
        assert!(kept.ask("a", 0));
        assert!(!kept.ask("a", 9_000) && !kept.ask("b", 9_000), "no answer yet");
        kept.on_answer("a", Some(7));
        assert_eq!((kept.of("a"), kept.of("b")), (Some(&7), None));
        assert!(!kept.ask("a", 9_000), "it is known");
        kept.stale = true;
        assert!(!kept.ask("a", 500), "too soon");
        assert!(kept.ask("a", 9_000));
        assert_eq!(kept.of("a"), Some(&7), "the old answer stands until there is a new one");
        kept.on_answer("a", Some(8));
        assert!(kept.ask("b", 9_001), "another one is asked about at once");
        kept.on_answer("b", None);
        assert_eq!((kept.of("a"), kept.of("b")), (None, None));
    }
}
