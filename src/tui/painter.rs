//! Pictures on a terminal, and no byte more than they need: only cells that differ from the last
//! picture are written, in one go, and nothing at all where none does. It keeps the picture itself instead of
//! ratatui's `Terminal`, which ends even an empty frame with a write, asks the system for the size in
//! each, and to clear the screen asks the terminal where its cursor is and waits for an answer.

use std::io;

use ratatui::{
    backend::{Backend, ClearType},
    buffer::Buffer,
    layout::{Position, Rect, Size},
};

use super::terminal::{PICTURE_BEGIN, PICTURE_END};

/// Draws pictures on a terminal.
#[derive(Debug)]
pub(crate) struct Painter<B> {
    backend: B,
    /// What the terminal shows; `None` where that is unknown.
    shown: Option<Buffer>,
    /// Where its cursor is, if it is seen.
    cursor: Option<Position>,
    next: Buffer,
    /// Whether the terminal takes what lies between two marks as one picture.
    synchronizes: bool,
}

impl<B: Backend<Error = io::Error> + io::Write> Painter<B> {
    /// On this terminal, whose cursor is hidden.
    pub(crate) fn new(backend: B) -> Self {
        Self { backend, shown: None, cursor: None, next: Buffer::default(), synchronizes: false }
    }

    /// The size of the terminal now.
    pub(crate) fn size(&self) -> io::Result<Size> {
        self.backend.size()
    }

    /// From now on marks where a picture begins and ends, so that no half of one is ever seen.
    pub(crate) fn synchronize(&mut self) {
        self.synchronizes = true;
    }

    /// What the bytes go to.
    pub(crate) fn backend_mut(&mut self) -> &mut B {
        &mut self.backend
    }

    /// Draws a picture of this size, if it looks other than what is there.
    pub(crate) fn draw(&mut self, size: Size, picture: impl FnOnce(&mut Buffer) -> Option<Position>) -> io::Result<()> {
        let area = Rect::new(0, 0, size.width, size.height);
        self.next.resize(area);
        self.next.reset();
        let cursor = if area.is_empty() { None } else { picture(&mut self.next) };
        // A terminal that changed its size moved what it showed as it likes.
        let known = self.shown.take().filter(|shown| shown.area == area);
        if known.as_ref() == Some(&self.next) && self.cursor == cursor {
            self.shown = known;
            return Ok(());
        }
        if self.synchronizes {
            self.backend.write_all(PICTURE_BEGIN)?;
        }
        let shown = match known {
            Some(shown) => shown,
            None => {
                self.backend.clear_region(ClearType::All)?;
                Buffer::empty(area)
            }
        };
        self.backend.draw(shown.diff_iter(&self.next))?;
        match cursor {
            Some(at) => {
                // Drawing moved it.
                self.backend.set_cursor_position(at)?;
                if self.cursor.is_none() {
                    self.backend.show_cursor()?;
                }
            }
            None if self.cursor.is_some() => self.backend.hide_cursor()?,
            None => {}
        }
        if self.synchronizes {
            self.backend.write_all(PICTURE_END)?;
        }
        io::Write::flush(&mut self.backend)?;
        self.shown = Some(std::mem::replace(&mut self.next, shown));
        self.cursor = cursor;
        Ok(())
    }

    /// Forgets what is on the terminal, so that the next picture is drawn whole; its cursor is hidden.
    pub(crate) fn forget(&mut self) {
        self.shown = None;
        self.cursor = None;
    }
}
