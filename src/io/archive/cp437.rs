//! Code page 437, which names in zip files have where nothing else is said.

/// What 0x80 to 0xff stand for.
const UPPER: &str = "\
ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// The text that bytes stand for. Control characters stay what they are, and are refused later.
pub(super) fn decode(bytes: &[u8]) -> String {
    if bytes.is_ascii() {
        return bytes.iter().map(|byte| char::from(*byte)).collect();
    }
    let upper: Vec<char> = UPPER.chars().collect();
    let one = |byte: &u8| byte.checked_sub(0x80).map_or(char::from(*byte), |index| upper[usize::from(index)]);
    bytes.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_stands_for_one_character() {
        assert_eq!(UPPER.chars().count(), 128);
        let all: Vec<u8> = (0..=255).collect();
        let text = decode(&all);
        assert_eq!(text.chars().count(), 256);
        assert_eq!(text.chars().collect::<std::collections::BTreeSet<_>>().len(), 256);
        // As the tables of the code page have them.
        for (byte, expect) in
            [(0x81, 'ü'), (0x99, 'Ö'), (0xb0, '░'), (0xc4, '─'), (0xdb, '█'), (0xe1, 'ß'), (0xfe, '■')]
        {
            assert_eq!(decode(&[byte]), expect.to_string());
        }
    }
}
