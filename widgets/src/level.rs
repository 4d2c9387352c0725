//! How much of Unicode the caller's terminal can show. The caller decides; nothing here looks at the terminal.

/// The richest glyphs a widget may use; each level includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum GlyphLevel {
    /// Printable ASCII only.
    Ascii,
    /// Box drawing and block elements.
    #[default]
    Blocks,
    /// Braille patterns too, where they show more.
    Braille,
}

impl GlyphLevel {
    /// What stands for the rest of a text that was cut.
    #[must_use]
    pub fn ellipsis(self) -> &'static str {
        match self {
            Self::Ascii => "~",
            Self::Blocks | Self::Braille => "…",
        }
    }
}
