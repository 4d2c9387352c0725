//! Text from elsewhere, made safe to draw and to log.

/// `text` without control, bidi, zero-width and line-separator characters, cut to `chars_max`
/// characters. What a peer or a file system says goes through here before it reaches a terminal.
#[must_use]
pub fn clean(text: &str, chars_max: usize) -> String {
    text.chars().filter(|c| !is_unsafe(*c)).take(chars_max).collect()
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn escape_codes_and_bidi_marks_go_and_letters_stay() {
        assert_eq!(clean("a\x1b[31mb\u{202e}c\r\n\u{9b}2Jd", 99), "a[31mbc2Jd");
        assert_eq!(clean("日本語 שלום é", 99), "日本語 שלום é");
        assert_eq!(clean("abcdef", 3), "abc");
    }
}
