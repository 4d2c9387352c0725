//! What Tab makes of the word under the cursor: as much as all that may be meant have in common, and a list of those to
//! choose from. Pure; what may be meant comes from the caller.

/// Offered at a time: more are not looked through.
const OFFERED_MAX: usize = 200;

/// What is offered for the word before the cursor; nothing until Tab was pressed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Choices {
    words: Vec<String>,
    /// Which one stands in the line.
    at: Option<usize>,
    /// Characters of the word in the line.
    chars: usize,
}

impl Choices {
    /// These, of which the one called `current` stands in the line.
    pub(crate) fn of(words: Vec<String>, current: &str) -> Self {
        let at = words.iter().position(|word| word == current);
        Self { words, at, chars: current.chars().count() }
    }

    /// What is offered.
    pub(crate) fn words(&self) -> &[String] {
        &self.words
    }

    /// Which of them stands in the line.
    pub(crate) fn at(&self) -> Option<usize> {
        self.at
    }

    /// Goes to the next one, or the one before, round the end: how many characters before the cursor go, and what comes
    /// for them. None where nothing is offered.
    pub(crate) fn step(&mut self, by: isize) -> Option<(usize, &str)> {
        let count = isize::try_from(self.words.len()).ok().filter(|count| *count > 0)?;
        let at = match self.at {
            Some(at) => (at as isize + by).rem_euclid(count),
            None if by < 0 => count - 1,
            None => 0,
        };
        let at = at as usize;
        let before = std::mem::replace(&mut self.chars, self.words[at].chars().count());
        self.at = Some(at);
        Some((before, &self.words[at]))
    }
}

/// Completes `word` by those of `all` that begin with it, in any case: what it becomes, and what is offered where that is
/// not one whole word. None where nothing begins so.
pub(crate) fn complete(word: &str, all: &[String]) -> Option<(String, Choices)> {
    let lower = word.to_lowercase();
    let matching: Vec<&String> =
        all.iter().filter(|other| other.to_lowercase().starts_with(&lower)).take(OFFERED_MAX).collect();
    let first = matching.first()?;
    let shared = matching.iter().fold(first.chars().count(), |shared, other| {
        first.chars().zip(other.chars()).take(shared).take_while(|(a, b)| a.to_lowercase().eq(b.to_lowercase())).count()
    });
    let whole: String = first.chars().take(shared).collect();
    // What matches in other letters only may share less than was typed.
    let becomes = if whole.chars().count() < word.chars().count() { word.to_owned() } else { whole };
    let offered = if matching.len() > 1 {
        Choices { words: matching.into_iter().cloned().collect(), at: None, chars: becomes.chars().count() }
    } else {
        Choices::default()
    };
    Some((becomes, offered))
}

/// The part of a line that ends at the cursor and that Tab is about: what follows the last `end`.
pub(crate) fn last_word(before: &str, end: char) -> &str {
    before.rsplit(end).next().unwrap_or(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, all: &[&str], becomes: Option<&str>, offered: &[&str]) {
        let all: Vec<String> = all.iter().map(|word| (*word).to_owned()).collect();
        let found = complete(word, &all);
        assert_eq!(found.as_ref().map(|(word, _)| word.as_str()), becomes, "{word}");
        let words = found.map(|(_, choices)| choices.words).unwrap_or_default();
        assert_eq!(words, offered, "{word}");
    }

    #[test]
    fn a_word_becomes_what_all_that_may_be_meant_have_in_common() {
        check("b", &["bzflag/", "warsow/"], Some("bzflag/"), &[]);
        check("wa", &["warsow/", "warzone/", "x"], Some("war"), &["warsow/", "warzone/"]);
        check("", &["a", "b"], Some(""), &["a", "b"]);
        check("z", &["a"], None, &[]);
        check("SEAT", &["seat-04", "seat-09"], Some("seat-0"), &["seat-04", "seat-09"]);
        check("日", &["日本の友達", "日光"], Some("日"), &["日本の友達", "日光"]);
    }

    #[test]
    fn one_goes_round_what_is_offered() {
        let (_, mut choices) = complete("w", &["wa".to_owned(), "wbc".to_owned()]).unwrap();
        assert_eq!(choices.step(1), Some((1, "wa")));
        assert_eq!(choices.step(1), Some((2, "wbc")));
        assert_eq!(choices.step(1), Some((3, "wa")));
        assert_eq!(choices.step(-1), Some((2, "wbc")));
        assert_eq!(Choices::default().step(1), None);
        assert_eq!(Choices::of(vec!["a".into(), "b".into()], "b").step(1), Some((1, "a")));
    }

    #[test]
    fn the_last_word() {
        assert_eq!(last_word("~/Games/op", '/'), "op");
        assert_eq!(last_word("lan is:re", ' '), "is:re");
        assert_eq!(last_word("", ' '), "");
    }
}
