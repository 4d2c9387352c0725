//! The screen without a terminal: the same model, update, view and painter, with the bytes counted instead of written.
//! What `tests/bench/screen.rs` measures; the program itself never uses it.

use std::{
    cell::Cell,
    io::{self, Write},
    rc::Rc,
    sync::Arc,
};

use potluck_widgets::GlyphLevel;
use ratatui::{backend::CrosstermBackend, layout::Size};

use super::{
    keymap::Key,
    model::{Model, Moment, Setting},
    painter::Painter,
    theme::{ColorDepth, Theme},
    update::{Msg, update},
    view::view,
};
use crate::api::Snapshot;

/// A screen of 256 colours that nobody sees.
#[derive(Debug)]
pub struct Headless {
    model: Model,
    theme: Theme,
    painter: Painter<CrosstermBackend<Counter>>,
    written: Rc<Cell<usize>>,
}

impl Headless {
    /// Of this snapshot, at this size, as it looks right after the start.
    #[must_use]
    pub fn new(snapshot: &Snapshot, width: u16, height: u16) -> Self {
        let theme = Theme::named("default", &[], ColorDepth::Indexed256).expect("it comes with the program");
        let setting = Setting { glyphs: GlyphLevel::Blocks, half_blocks: theme.has_map_colors(), ..Setting::default() };
        let model = Model::new(setting, snapshot, Size::new(width, height), Moment::default());
        let written = Rc::new(Cell::new(0));
        let painter = Painter::new(CrosstermBackend::new(Counter(Rc::clone(&written))));
        Self { model, theme, painter, written }
    }

    /// Time goes on to so many milliseconds, and a snapshot comes; what follows is not carried out.
    pub fn take(&mut self, now_ms: u64, snapshot: Arc<Snapshot>) {
        let _not_carried_out = update(&mut self.model, Msg::Time(Moment { unix_ms: now_ms, offset_s: 0 }));
        let _not_carried_out = update(&mut self.model, Msg::Snapshot(snapshot));
    }

    /// Presses a key by its name (`a`, `Enter`, `Ctrl-d`); false when there is none of that name.
    pub fn press(&mut self, key: &str) -> bool {
        let Some(key) = Key::named(key) else { return false };
        let _not_carried_out = update(&mut self.model, Msg::Key(key));
        true
    }

    /// Draws what differs; how many bytes a terminal would have got.
    pub fn draw(&mut self) -> usize {
        let (model, theme) = (&self.model, &self.theme);
        let before = self.written.get();
        self.painter.draw(model.size, |buf| view(model, theme, buf)).expect("a counter takes everything");
        self.written.get() - before
    }
}

/// Counts bytes.
#[derive(Debug)]
struct Counter(Rc<Cell<usize>>);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
