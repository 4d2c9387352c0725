//! A seat in front of an emulator: the back end of the program, the bytes counted. [`super::tests`] looks at it.

use std::{
    cell::RefCell,
    io::{self, Write},
    rc::Rc,
};

use crossterm::style::force_color_output;
use ratatui::{
    backend::{Backend, ClearType, CrosstermBackend, WindowSize},
    buffer::Cell,
    layout::{Position, Size},
};

use super::{
    keymap::tests::script,
    painter::Painter,
    tests::Seat,
    theme::{ColorDepth, Theme},
    update::Msg,
    view::view,
};
use crate::api::Snapshot;

/// An emulator that counts.
pub(super) struct Wire {
    pub(super) parser: vt100::Parser,
    bytes: usize,
}

#[derive(Clone)]
struct Shared(Rc<RefCell<Wire>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        wire.parser.process(bytes);
        wire.bytes += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The backend of the program over that emulator instead of a terminal.
pub(super) struct VtBackend {
    inner: CrosstermBackend<Shared>,
    size: Size,
}

impl Backend for VtBackend {
    type Error = io::Error;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, content: I) -> io::Result<()> {
        self.inner.draw(content)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.inner.hide_cursor()
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.inner.show_cursor()
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.inner.set_cursor_position(position)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.inner.clear()
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        self.inner.clear_region(clear_type)
    }

    fn size(&self) -> io::Result<Size> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::ZERO })
    }

    fn flush(&mut self) -> io::Result<()> {
        Write::flush(&mut self.inner)
    }
}

impl Write for VtBackend {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Write::flush(&mut self.inner)
    }
}

/// A seat in front of an emulator.
pub(super) struct Sight {
    pub(super) seat: Seat,
    pub(super) painter: Painter<VtBackend>,
    pub(super) wire: Rc<RefCell<Wire>>,
    pub(super) theme: Theme,
}

impl Sight {
    pub(super) fn new(snapshot: &Snapshot, width: u16, height: u16, depth: ColorDepth) -> Self {
        Self::of(Seat::new(snapshot, width, height), depth)
    }

    pub(super) fn of(seat: Seat, depth: ColorDepth) -> Self {
        let Size { width, height } = seat.model.size;
        force_color_output(true);
        let wire = Rc::new(RefCell::new(Wire { parser: vt100::Parser::new(height, width, 0), bytes: 0 }));
        let inner = CrosstermBackend::new(Shared(Rc::clone(&wire)));
        let painter = Painter::new(VtBackend { inner, size: Size::new(width, height) });
        let theme = Theme::named("default", &[], depth).unwrap();
        Self { seat, painter, wire, theme }
    }

    /// Presses keys, and draws after each.
    pub(super) fn press(&mut self, keys: &str) {
        for key in script(keys) {
            self.seat.tell(Msg::Key(key));
            self.draw();
        }
    }

    /// Draws; how many bytes that took.
    pub(super) fn draw(&mut self) -> usize {
        self.wire.borrow_mut().bytes = 0;
        let (model, theme) = (&self.seat.model, &self.theme);
        self.painter.draw(model.size, |buf| view(model, theme, buf)).unwrap();
        self.wire.borrow().bytes
    }

    /// A line of what the emulator shows.
    pub(super) fn row(&self, row: u16) -> String {
        let wire = self.wire.borrow();
        let (_, columns) = wire.parser.screen().size();
        wire.parser.screen().contents_between(row, 0, row, columns)
    }
}
