//! What a buffer looks like, as text for snapshots. Only for the tests of this crate.

use proptest::{collection::vec, prelude::*};
use ratatui::{buffer::Buffer, layout::Rect, widgets::Widget};

/// Draws `widget` at `width` × `height` and returns its lines, each between bars so that blanks are seen.
pub(crate) fn of(widget: impl Widget, width: u16, height: u16) -> String {
    of_buffer(&drawn(widget, width, height))
}

/// Draws `widget` on a fresh buffer.
pub(crate) fn drawn(widget: impl Widget, width: u16, height: u16) -> Buffer {
    let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
    widget.render(buf.area, &mut buf);
    buf
}

/// The lines of a buffer, each between bars.
pub(crate) fn of_buffer(buf: &Buffer) -> String {
    use ratatui::buffer::CellWidth;
    let mut lines = Vec::new();
    for y in buf.area.rows() {
        let mut line = String::from("|");
        let mut hidden = 0;
        for position in y.positions() {
            let cell = &buf[position];
            if hidden > 0 {
                hidden -= 1;
                continue;
            }
            hidden = cell.cell_width().saturating_sub(1);
            line.push_str(cell.symbol());
        }
        line.push('|');
        lines.push(line);
    }
    lines.join("\n")
}

/// Text as bad as it comes: wide, combining, right-to-left, joined, controls and bidi controls.
pub(crate) fn nasty_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("a"),
        Just("word "),
        Just("漢字"),
        Just("e\u{301}"),
        Just("שלום"),
        Just("مرحبا"),
        Just("👩\u{200d}👩\u{200d}👧"),
        Just("❤\u{fe0f}"),
        Just("🇩🇪"),
        Just("👍🏽"),
        Just("\u{1b}[31m"),
        Just("\u{202e}"),
        Just("\t\r\n"),
        Just("ｶﾞ"),
        Just("\u{301}"),
        Just("\u{200b}"),
    ];
    vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// Sizes from nothing up to larger than most panes.
pub(crate) fn sizes() -> impl Strategy<Value = (u16, u16)> {
    (0_u16..50, 0_u16..16)
}
