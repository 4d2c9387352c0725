//! The question of the first start, before there is anything else to show.

use potluck_widgets::{GlyphLevel, Hint, Modal, ModalStyles};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    text::Line,
    widgets::Widget,
};

use super::{
    super::{
        first_start::FirstStart,
        theme::{Role, Theme},
        words,
    },
    ascii,
    canvas::Canvas,
    chrome,
};

/// Draws it into the whole buffer; where the cursor is, if it is seen.
pub(crate) fn draw(question: &FirstStart, theme: &Theme, level: GlyphLevel, buf: &mut Buffer) -> Option<Position> {
    let area = buf.area;
    let mut canvas = Canvas::new(buf, theme, level);
    canvas.fill(area, Role::Text);
    let pen = canvas.pen;
    let free = question.free().map(|bytes| format!(" ({} free)", words::size(bytes))).unwrap_or_default();
    let lines = [
        Line::from(format!("Games go to {}{free}.", question.folder())),
        Line::from("One folder a game. What is in it is shared with everybody here."),
    ];
    let choices = [Hint::new("Enter", "OK"), Hint::new("e", "Other folder"), Hint::new("q", "Quit")];
    let styles = ModalStyles {
        text: pen.style(Role::Dialog),
        border: pen.style(Role::DialogBorder),
        title: pen.style(Role::DialogTitle),
        key: pen.style(Role::Key),
        key_text: pen.style(Role::KeyText),
    };
    Modal::new("potluck", &lines, &choices).level(level).styles(styles).render(area, canvas.buf);
    let last = Rect { y: area.bottom() - 1, height: 1, ..area };
    let cursor = match question.prompt() {
        Some(prompt) => Some(chrome::prompt(&mut canvas, prompt, last)),
        None => {
            canvas.text(
                Rect { x: last.x + 1, width: last.width.saturating_sub(1), ..last },
                question.why(),
                Role::Warning,
            );
            None
        }
    };
    if level == GlyphLevel::Ascii {
        ascii::only(canvas.buf);
    }
    cursor
}
