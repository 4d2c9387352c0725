//! What somebody meant who mistyped a word.

/// Mistakes in a word that still let one guess what was meant.
const MISTAKES_MAX: usize = 3;

/// The first candidate with the fewest single-character mistakes from `word`: at most three, and fewer
/// than half of its characters.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let measured = candidates.into_iter().map(|candidate| (mistakes(&word, &candidate.to_lowercase()), candidate));
    let (count, candidate) = measured.min_by_key(|(count, _)| *count)?;
    (count <= MISTAKES_MAX && count * 2 < word.chars().count().max(2)).then_some(candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn mistakes(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    for i in 0..=left.len() {
        for j in 0..=right.len() {
            rows[i][j] = match (i, j) {
                (0, _) => j,
                (_, 0) => i,
                _ => {
                    let replaced = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
                    let mut least = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                    if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                        least = least.min(rows[i - 2][j - 2] + 1);
                    }
                    least
                }
            };
        }
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_words_are_guessed_and_far_ones_are_not() {
        let words = ["library", "listen", "mdns", "ui.theme"];
        for (word, expect) in [
            ("libary", Some("library")),
            ("Library", Some("library")),
            ("lsiten", Some("listen")),
            ("mnds", Some("mdns")),
            ("ui.thme", Some("ui.theme")),
            ("colour", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, words), expect, "{word}");
        }
    }
}
