//! The last step where a terminal has no Unicode: names and sentences as well as that can be done in
//! ASCII. What is drawn with glyphs of its own has chosen them before.

use ratatui::buffer::{Buffer, CellWidth as _};
use unicode_normalization::UnicodeNormalization as _;

/// Leaves nothing but ASCII in the buffer, every cell as wide as before.
pub(super) fn only(buf: &mut Buffer) {
    for cell in &mut buf.content {
        if !cell.symbol().is_ascii() {
            let plain = nearest(cell.symbol());
            // The second column of a wide symbol is blank already.
            debug_assert!(cell.cell_width() <= 2);
            cell.set_char(plain);
        }
    }
}

/// The letter without its marks, or the sign people type for it.
fn nearest(symbol: &str) -> char {
    let Some(first) = symbol.chars().next() else { return ' ' };
    match first {
        '…' => '~',
        '·' | '–' | '—' => '-',
        '‘' | '’' => '\'',
        '“' | '”' => '"',
        _ => first.nfkd().next().filter(char::is_ascii_graphic).unwrap_or('?'),
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn letters_lose_their_marks() {
        let plain: String = ["é", "ü", "…", "·", "日", "ﬁ", "e\u{301}"].into_iter().map(nearest).collect();
        assert_eq!(plain, "eu~-?fe");
    }
}
