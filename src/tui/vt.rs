//! What really goes to a terminal: the bytes, counted, and what an emulator makes of them.

use std::{
    cell::RefCell,
    io::{self, Write},
    rc::Rc,
    sync::Arc,
};

use crossterm::style::force_color_output;
use ratatui::{
    backend::{Backend, ClearType, CrosstermBackend, WindowSize},
    buffer::{Buffer, Cell, CellWidth as _},
    layout::{Position, Rect, Size},
};

use super::{
    fixture::{self, NOW_MS},
    model::Moment,
    painter::Painter,
    tests::Seat,
    theme::{ColorDepth, Theme},
    update::Msg,
    view::view,
};
use crate::api::Snapshot;

/// An emulator that counts.
struct Wire {
    parser: vt100::Parser,
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
struct VtBackend {
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
struct Sight {
    seat: Seat,
    painter: Painter<VtBackend>,
    wire: Rc<RefCell<Wire>>,
    theme: Theme,
}

impl Sight {
    fn new(snapshot: &Snapshot, width: u16, height: u16, depth: ColorDepth) -> Self {
        force_color_output(true);
        let wire = Rc::new(RefCell::new(Wire { parser: vt100::Parser::new(height, width, 0), bytes: 0 }));
        let inner = CrosstermBackend::new(Shared(Rc::clone(&wire)));
        let painter = Painter::new(VtBackend { inner, size: Size::new(width, height) });
        let theme = Theme::named("default", &[], depth).unwrap();
        Self { seat: Seat::new(snapshot, width, height), painter, wire, theme }
    }

    /// Draws; how many bytes that took.
    fn draw(&mut self) -> usize {
        self.wire.borrow_mut().bytes = 0;
        let (model, theme) = (&self.seat.model, &self.theme);
        self.painter.draw(model.size, |buf| view(model, theme, buf)).unwrap();
        self.wire.borrow().bytes
    }

    fn row(&self, row: u16) -> String {
        let wire = self.wire.borrow();
        let (_, columns) = wire.parser.screen().size();
        wire.parser.screen().contents_between(row, 0, row, columns)
    }
}

#[test]
fn an_idle_second_writes_nothing() {
    for (snapshot, depth) in [(fixture::nothing(), ColorDepth::True), (fixture::many(500), ColorDepth::Mono)] {
        let mut sight = Sight::new(&snapshot, 100, 30, depth);
        assert!(sight.draw() > 200);
        let same = Arc::new(snapshot);
        let start = sight.seat.model.now.unix_ms;
        for step in 1..=10 {
            let now = Moment { unix_ms: start + step * 100, offset_s: 3_600 };
            let mut asked = sight.seat.tell(Msg::Time(now));
            asked.extend(sight.seat.tell(Msg::Snapshot(Arc::clone(&same))));
            assert_eq!(asked, []);
            // Even where somebody asks for a frame, the same picture is no bytes.
            assert_eq!(sight.draw(), 0);
        }
        // The only thing that wakes it by itself is the clock at the bottom.
        assert_eq!(sight.seat.model.wake_at_ms() % 60_000, 0);
        let minute = Moment { unix_ms: NOW_MS + 60_000, offset_s: 3_600 };
        assert_ne!(sight.seat.tell(Msg::Time(minute)), []);
        assert!((1..60).contains(&sight.draw()));
    }
}

#[test]
fn a_busy_frame_is_small() {
    for keys in ["", "2", "3", "4"] {
        let mut sight = Sight::new(&fixture::room(), 120, 40, ColorDepth::Indexed256);
        sight.seat = sight.seat.keys(keys);
        let whole = sight.draw();
        let mut room = fixture::room();
        let mut transfers = (*room.transfers).clone();
        for transfer in &mut transfers[..2] {
            transfer.done += 7_000_000;
            transfer.down_bps += 1_300_000;
            for cell in transfer.map.iter_mut().skip(600).take(12) {
                cell.have = cell.all;
                cell.coming = 0;
            }
            for source in &mut transfer.sources {
                source.bps += 100_000;
                source.bytes += 1_000_000;
            }
        }
        room.transfers = Arc::new(transfers);
        sight.seat.tell(Msg::Snapshot(Arc::new(room)));
        let busy = sight.draw();
        assert!(busy <= 2_048, "{keys:?}: {busy} of {whole}");
    }
}

#[test]
fn the_selection_is_reversed_also_without_colours() {
    for depth in [ColorDepth::Mono, ColorDepth::Ansi16, ColorDepth::True] {
        let mut sight = Sight::new(&fixture::room(), 80, 24, depth);
        sight.draw();
        assert!(sight.row(2).contains("0 A.D."), "{}", sight.row(2));
        let wire = sight.wire.borrow();
        let inverse = |row, column| wire.parser.screen().cell(row, column).is_some_and(vt100::Cell::inverse);
        assert!((3..79).all(|column| inverse(2, column)), "{depth:?}");
        assert!((3..79).all(|column| !inverse(3, column)), "{depth:?}");
    }
}

#[test]
fn wide_and_right_to_left_names_keep_the_columns() {
    let mut sight = Sight::new(&fixture::room(), 100, 40, ColorDepth::Indexed256);
    sight.draw();
    let wire = sight.wire.borrow();
    for row in 3..30 {
        let bar = wire.parser.screen().cell(row, 65).map(|cell| cell.contents().to_owned());
        assert_eq!(bar.as_deref(), Some("│"), "row {row}");
    }
}

/// What an emulator shows is what was meant to be shown, cell by cell, whatever peers call themselves and their games.
#[test]
fn names_as_bad_as_they_come_stay_in_their_columns() {
    const NAMES: [&str; 9] = [
        "東方紅魔郷 ～ ｶﾞ",
        "שלום וברכה",
        "مرحبا بالعالم",
        "e\u{301}\u{301}\u{301}\u{301} Zalgo\u{336}\u{489}",
        "👩\u{200d}👩\u{200d}👧 ❤\u{fe0f} 🇩🇪 👍🏽",
        "\u{1b}[31mred\u{1b}[0m\u{7}\r\n\tx",
        "\u{202e}evil\u{202c} \u{2066}x\u{2069}\u{200f}",
        "\u{200b}\u{feff}\u{ad}nothing\u{301}",
        "a title that goes on and on 漢字 until it must be cut 漢字漢字漢字漢字漢字漢字漢字漢字漢字",
    ];
    for name in NAMES {
        let mut room = fixture::room();
        let (mut games, mut transfers, mut peers) =
            ((*room.games).clone(), (*room.transfers).clone(), (*room.peers).clone());
        for game in &mut games {
            (game.title, game.about) = (name.to_owned(), name.to_owned());
            (game.version, game.reason) = (name.to_owned(), name.to_owned());
            game.builds.iter_mut().for_each(|build| build.holders = vec![name.to_owned(); 3]);
        }
        for transfer in &mut transfers {
            (transfer.title, transfer.version) = (name.to_owned(), name.to_owned());
            transfer.sources.iter_mut().for_each(|source| name.clone_into(&mut source.name));
        }
        for peer in &mut peers {
            (peer.name, peer.note) = (name.to_owned(), name.to_owned());
            peer.getting = Some((name.to_owned(), 31));
        }
        (room.games, room.transfers, room.peers) = (Arc::new(games), Arc::new(transfers), Arc::new(peers));
        for (width, height) in [(100, 30), (80, 24), (40, 10)] {
            for keys in ["j", "2", "3", "4"] {
                let mut sight = Sight::new(&room, width, height, ColorDepth::Indexed256);
                sight.seat = sight.seat.keys(keys);
                sight.draw();
                let mut meant = Buffer::empty(Rect::new(0, 0, width, height));
                view(&sight.seat.model, &sight.theme, &mut meant);
                check_shown(&sight, &meant, &format!("{name:?} {keys:?} {width}x{height}"));
            }
        }
    }
}

fn check_shown(sight: &Sight, meant: &Buffer, what: &str) {
    const MARK: char = '\u{200e}';
    let unsafe_to_draw = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200d}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let wire = sight.wire.borrow();
    for row in meant.area.rows() {
        let mut covered = 0;
        for at in row.positions() {
            let symbol = meant[at].symbol().trim_end_matches(MARK);
            assert!(!symbol.chars().any(unsafe_to_draw), "{what}: {symbol:?} is drawn at {at}");
            if covered > 0 {
                covered -= 1;
                continue;
            }
            covered = meant[at].cell_width().saturating_sub(1);
            // An emulator may put what is one symbol of two columns into its two cells.
            let cell = |x: u16| wire.parser.screen().cell(at.y, x).map_or("", vt100::Cell::contents);
            let shown: String = (at.x..=at.x + covered).map(cell).collect();
            let shown = if shown.is_empty() { " " } else { shown.trim_end_matches(MARK) };
            assert_eq!(shown, symbol, "{what}: at {at}");
        }
    }
}

#[test]
fn what_is_redrawn_is_the_same() {
    let mut sight = Sight::new(&fixture::room(), 100, 30, ColorDepth::Indexed256);
    let first = sight.draw();
    let before = sight.wire.borrow().parser.screen().contents();
    sight.wire.borrow_mut().parser.process(b"\x1b[2J\x1b[Hdebris");
    sight.painter.forget();
    assert!(sight.draw() >= first / 2);
    assert_eq!(sight.wire.borrow().parser.screen().contents(), before);
}
