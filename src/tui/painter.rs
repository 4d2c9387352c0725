//! Pictures on a terminal, and no byte more than they need: a picture that is the same as the last one
//! is not drawn at all, for ratatui ends even an empty frame with a write.

use ratatui::{
    Terminal,
    backend::Backend,
    buffer::Buffer,
    layout::{Position, Rect, Size},
};

/// Draws pictures on a terminal.
#[derive(Debug)]
pub(crate) struct Painter<B: Backend> {
    terminal: Terminal<B>,
    last: Option<(Buffer, Option<Position>)>,
    next: Buffer,
}

impl<B: Backend> Painter<B> {
    /// On this terminal.
    pub(crate) fn new(backend: B) -> Result<Self, B::Error> {
        Ok(Self { terminal: Terminal::new(backend)?, last: None, next: Buffer::default() })
    }

    /// The size of the terminal now.
    pub(crate) fn size(&self) -> Result<Size, B::Error> {
        self.terminal.size()
    }

    /// What the bytes go to.
    pub(crate) fn backend_mut(&mut self) -> &mut B {
        self.terminal.backend_mut()
    }

    /// Draws a picture of this size, if it looks other than what is there.
    pub(crate) fn draw(
        &mut self,
        size: Size,
        picture: impl FnOnce(&mut Buffer) -> Option<Position>,
    ) -> Result<(), B::Error> {
        let area = Rect::new(0, 0, size.width, size.height);
        self.next.resize(area);
        self.next.reset();
        let cursor = if area.is_empty() { None } else { picture(&mut self.next) };
        if self.last.as_ref().is_some_and(|(last, at)| *last == self.next && *at == cursor) {
            return Ok(());
        }
        let next = &self.next;
        self.terminal.draw(|frame| {
            // The terminal may have another size than the model was told; the next message tells it.
            let shown = frame.area().intersection(next.area);
            let buf = frame.buffer_mut();
            for at in shown.positions() {
                buf[at].clone_from(&next[at]);
            }
            if let Some(at) = cursor.filter(|at| shown.contains(*at)) {
                frame.set_cursor_position(at);
            }
        })?;
        let spare = self.last.take().map_or_else(Buffer::default, |(last, _)| last);
        self.last = Some((std::mem::replace(&mut self.next, spare), cursor));
        Ok(())
    }

    /// Forgets what is on the terminal, so that the next picture is drawn whole.
    pub(crate) fn forget(&mut self) -> Result<(), B::Error> {
        self.last = None;
        self.terminal.clear()
    }
}
