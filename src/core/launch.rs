//! What is run to play a game, and whether somebody has agreed to it. Commands come from the catalog alone; each is
//! shown, word for word, before it is run for the first time. What was agreed to is remembered by its mark: a program,
//! argument or folder that is another one has another mark, and is shown again. Starting is `io::launch`'s business.

use std::collections::BTreeSet;

/// What a program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It is run once after an installation.
    Setup,
    /// It is the game.
    Launch,
}

/// A program that is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What for.
    pub purpose: Purpose,
    /// The program, as it was found, and its arguments; never empty.
    pub words: Vec<String>,
    /// Where.
    pub folder: String,
}

impl Run {
    /// Stands for exactly this: 64 hexadecimal digits.
    #[must_use]
    pub fn mark(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for part in std::iter::once(&self.folder).chain(&self.words) {
            // With its length, so that no two lists of words are one text.
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}

/// Those of `runs` that nobody has agreed to, neither earlier (`agreed`) nor now (`confirmed`). Empty when all may be run.
#[must_use]
pub fn to_confirm<'r>(runs: &'r [Run], agreed: &BTreeSet<String>, confirmed: &[String]) -> Vec<&'r Run> {
    let open = |run: &&Run| {
        let mark = run.mark();
        !agreed.contains(&mark) && !confirmed.contains(&mark)
    };
    runs.iter().filter(open).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(purpose: Purpose, words: &[&str], folder: &str) -> Run {
        Run { purpose, words: words.iter().map(|word| (*word).to_owned()).collect(), folder: folder.to_owned() }
    }

    #[test]
    fn agreement_is_to_exactly_what_was_shown() {
        let shown = run(Purpose::Launch, &["/g/x/local/run", "-w", "a b"], "/g/x/local");
        let agreed = BTreeSet::from([shown.mark()]);
        let check = |words: &[&str], folder: &str, free: bool| {
            let runs = [run(Purpose::Launch, words, folder)];
            assert_eq!(to_confirm(&runs, &agreed, &[]).is_empty(), free, "{words:?} in {folder}");
            assert!(to_confirm(&runs, &BTreeSet::new(), &[runs[0].mark()]).is_empty());
        };
        check(&["/g/x/local/run", "-w", "a b"], "/g/x/local", true);
        check(&["/g/x/local/run", "-w", "a", "b"], "/g/x/local", false);
        check(&["/g/x/local/run", "-wa b"], "/g/x/local", false);
        check(&["/g/x/local/run", "-w", "a b", ""], "/g/x/local", false);
        check(&["/g/y/local/run", "-w", "a b"], "/g/x/local", false);
        check(&["/g/x/local/run", "-w", "a b"], "/g/y/local", false);
    }

    #[test]
    fn only_what_is_open_is_asked() {
        let setup = run(Purpose::Setup, &["/g/x/local/setup.sh"], "/g/x/local");
        let launch = run(Purpose::Launch, &["/g/x/local/run"], "/g/x/local");
        let runs = [setup.clone(), launch.clone()];
        assert_eq!(to_confirm(&runs, &BTreeSet::new(), &[]), [&setup, &launch]);
        assert_eq!(to_confirm(&runs, &BTreeSet::from([launch.mark()]), &[]), [&setup]);
        assert_eq!(to_confirm(&runs, &BTreeSet::new(), &[setup.mark()]), [&launch]);
    }
}
