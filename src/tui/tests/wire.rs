//! What goes to a terminal, byte by byte, and what an emulator makes of it.

use super::{super::vt::Sight, *};

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
    for keys in ["", "2", "2l", "2m", "3", "4"] {
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

/// Presses keys, drawing after each, and looks at what the emulator shows: every line of `expect` is on it, and all of it
/// is what a terminal would show that is drawn anew.
fn check_terminal(size: (u16, u16), keys: &str, expect: &[&str]) {
    for depth in [ColorDepth::Mono, ColorDepth::Indexed256] {
        let mut sight = Sight::of(linked(busy(size.0, size.1)), depth);
        sight.draw();
        sight.press(keys);
        let shown = sight.wire.borrow().parser.screen().contents();
        for line in expect {
            assert!(shown.contains(line), "{keys}: no {line:?} in\n{shown}");
        }
        let mut meant = Buffer::empty(Rect::new(0, 0, size.0, size.1));
        view(&sight.seat.model, &sight.theme, &mut meant);
        check_shown(&sight, &meant, keys);
    }
}

#[test]
fn keys_and_what_the_terminal_shows() {
    const SMALL: (u16, u16) = (80, 24);
    const WIDE: (u16, u16) = (100, 30);
    check_terminal(SMALL, "", &["[1 Library]", "▌  0 A.D.", "r Check"]);
    check_terminal(SMALL, "jj", &["▌  AssaultCube", "─ AssaultCube ─"]);
    check_terminal(SMALL, "G", &["東方紅魔郷"]);
    check_terminal(SMALL, "<PgDn><PgUp>", &["▌  0 A.D."]);
    check_terminal(SMALL, "/war", &["4 of 27 games · filter: war", "/war"]);
    check_terminal(SMALL, "/warx<Backspace><Enter>", &["▌  Warcraft III", "   Hedgewars", "filter: war"]);
    check_terminal(SMALL, "/war<Esc>", &["27 games"]);
    check_terminal(SMALL, "/zzz<Enter><Esc>", &["▌  0 A.D.", "27 games"]);
    check_terminal(
        SMALL,
        "j<Space>j<Space>",
        &["• Armagetron Advanced", "• BZFlag", "2 marked, 40 MB", "Get 2 marked"],
    );
    check_terminal(SMALL, "szgg", &["SIZE ▼", "▌  Company of Heroes"]);
    check_terminal(SMALL, "s", &["s …", "t Title"]);
    check_terminal(SMALL, "s<Esc>", &["Keys", "Quit"]);
    check_terminal(SMALL, "?", &["Keys", "Moving"]);
    check_terminal(SMALL, "?<Esc>", &["▌  0 A.D."]);
    check_terminal(SMALL, ":resc", &[":resc", "rescan"]);
    check_terminal(SMALL, "dy", &["▌  0 A.D."]);
    check_terminal(SMALL, "d<Esc>G", &["東方紅魔郷"]);
    check_terminal(SMALL, "2", &["[2 Transfers]", "▌  Company of Heroes"]);
    check_terminal(WIDE, "2", &["layer: mine", "from 9 peers"]);
    check_terminal(WIDE, "2m", &["layer: room", "everybody"]);
    check_terminal(WIDE, "2l", &["chunk"]);
    check_terminal(WIDE, "2c", &["Stop getting Company of Heroes?"]);
    check_terminal(WIDE, "2cc1", &["[1 Library]"]);
    check_terminal(WIDE, "3jj", &["▌● seat-22", "─ seat-22 ─"]);
    check_terminal(WIDE, "3<Enter>", &["filter: @nas-01"]);
    check_terminal(WIDE, "4l", &["came and went", "− seat-09"]);
    check_terminal(WIDE, "5", &["what matters", "Xonotic 0.8.6 is ready to play."]);
    check_terminal(WIDE, "5p", &["held"]);
    check_terminal(WIDE, "q", &["transfers run", "b Keep sharing in the background", "y Quit"]);
    check_terminal(WIDE, "q<Esc>1j", &["▌  Armagetron"]);
    check_terminal((40, 10), "2j", &["▌  Warzone 2100"]);
    check_terminal((39, 9), "2j", &["potluck needs 40 x 10."]);
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
