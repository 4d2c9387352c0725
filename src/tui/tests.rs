//! Key scripts and pictures of every screen, without a terminal and without a clock.

use std::sync::Arc;

use potluck_widgets::GlyphLevel;
use proptest::prelude::*;
use ratatui::{
    buffer::{Buffer, CellWidth as _},
    layout::{Rect, Size},
};

use super::{
    Exit,
    action::Screen,
    fixture::{self, NOW_MS},
    keymap::{Keymap, tests::script},
    model::{
        Focus, Model, Moment, Setting,
        overlay::{Overlay, Purpose},
    },
    theme::{ColorDepth, Theme},
    update::{Effect, Msg, update},
    view::view,
};
use crate::api::{
    Command, CommandError, ErrorCode, Event, EventKind, GetRequest, Level, LimitTo, MeView, Phase, Reply, Snapshot,
    VerifyReport,
};

/// A model and what it asked for.
pub(super) struct Seat {
    pub(super) model: Model,
    asked: Vec<Command>,
    /// Looks at the map, which follow from what is in view and not from a key.
    looks: Vec<crate::api::MapRequest>,
    /// Whether what the panes ask is answered.
    answers: bool,
    left: Option<Exit>,
    copied: Option<String>,
}

impl Seat {
    pub(super) fn new(snapshot: &Snapshot, width: u16, height: u16) -> Self {
        Self::with(snapshot, width, height, GlyphLevel::Blocks, None)
    }

    fn with(snapshot: &Snapshot, width: u16, height: u16, glyphs: GlyphLevel, attached: Option<&str>) -> Self {
        let setting = Setting {
            attached: attached.map(str::to_owned),
            glyphs,
            half_blocks: true,
            bell: true,
            can_stay: true,
            keymap: Keymap::default(),
            user_home: Some("/home/ann".to_owned()),
        };
        let now = Moment { unix_ms: NOW_MS, offset_s: 3_600 };
        let mut seat = Self {
            model: Model::new(setting, snapshot, Size::new(width, height), now),
            asked: Vec::new(),
            looks: Vec::new(),
            answers: false,
            copied: None,
            left: None,
        };
        // A few seconds of history, rising and falling.
        for second in 1..12_u64 {
            let mut earlier = snapshot.clone();
            let mut totals = (*earlier.totals).clone();
            totals.down_bps = totals.down_bps * (second % 7 + 4) / 10;
            totals.up_bps = totals.up_bps * (second % 5 + 3) / 10;
            earlier.totals = Arc::new(totals);
            seat.tell(Msg::Time(Moment { unix_ms: NOW_MS + second * 1_000, offset_s: 3_600 }));
            seat.tell(Msg::Snapshot(Arc::new(earlier)));
        }
        seat.tell(Msg::Snapshot(Arc::new(snapshot.clone())));
        seat
    }

    pub(super) fn tell(&mut self, msg: Msg) -> Vec<Effect> {
        let mut effects = update(&mut self.model, msg);
        let is_of_the_room = |command: &Command| matches!(command, Command::Without { .. } | Command::Compare { .. });
        let mut asked = Vec::new();
        for effect in &effects {
            if let Effect::Call { command, .. } = effect
                && self.answers
                && is_of_the_room(command)
            {
                asked.push(command.clone());
            }
        }
        for command in asked {
            let result = Ok(fixture::of_the_room(&command));
            let more = update(&mut self.model, Msg::Answer { command, subject: String::new(), result });
            assert_eq!(more, [Effect::DrawSoon]);
        }
        for effect in &mut effects {
            match effect {
                Effect::Call { command: Command::Map(request), .. } => self.looks.push(request.clone()),
                // What the panes ask follows from what is looked at.
                Effect::Call { command: Command::Without { .. } | Command::Compare { .. }, .. } => {}
                Effect::Call { command, .. } => self.asked.push(command.clone()),
                Effect::Leave(exit) => self.left = Some(*exit),
                Effect::Copy(text) => self.copied = Some(text.clone()),
                Effect::DrawNow | Effect::DrawSoon | Effect::Redraw | Effect::Suspend | Effect::Bell => {}
            }
        }
        effects
    }

    pub(super) fn keys(mut self, keys: &str) -> Self {
        for key in script(keys) {
            self.tell(Msg::Key(key));
        }
        self
    }

    /// From now on what the panes ask of games and peers is answered.
    fn told_of_the_room(mut self) -> Self {
        self.answers = true;
        self.model.room = Default::default();
        self
    }

    fn event(mut self, level: Level, text: &str) -> Self {
        let at_ms = self.model.now.unix_ms;
        self.tell(Msg::Event(Event { at_ms, level, text: text.to_owned(), kind: EventKind::Note }));
        self
    }

    fn drawn(&self, depth: ColorDepth) -> Buffer {
        let theme = Theme::named("default", &[], depth).unwrap();
        let Size { width, height } = self.model.size;
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        view(&self.model, &theme, &mut buf);
        buf
    }

    fn picture(&self) -> String {
        text_of(&self.drawn(ColorDepth::Indexed256))
    }
}

/// The lines of a buffer without the blanks at their ends.
fn text_of(buf: &Buffer) -> String {
    let mut lines = Vec::new();
    for row in buf.area.rows() {
        let mut line = String::new();
        let mut covered = 0;
        for at in row.positions() {
            if covered > 0 {
                covered -= 1;
                continue;
            }
            covered = buf[at].cell_width().saturating_sub(1);
            line.push_str(buf[at].symbol());
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

fn busy(width: u16, height: u16) -> Seat {
    Seat::new(&fixture::room(), width, height).told_of_the_room().event(Level::Done, "Xonotic 0.8.6 is ready to play.")
}

/// Links that came and went.
fn linked(mut seat: Seat) -> Seat {
    for (link, state, peer, addr) in [
        (14, 1, "q9z2a7lpqqqq", "[fd00:1:2:3::140]:47800"),
        (15, 1, "b7m2xq4eqqqq", "[fe80::9%2]:47800"),
        (16, 1, "id-of-nobody", "10.0.4.90:47800"),
        (16, -1, "id-of-nobody", "10.0.4.90:47800"),
        (9, -1, "b7m2xq4eqqqq", "10.0.3.9:47800"),
    ] {
        let kind = EventKind::Connection { state, peer: peer.into(), addr: addr.into(), link };
        let at_ms = seat.model.now.unix_ms - 1_000 * (20 - link);
        seat.tell(Msg::Event(Event { at_ms, level: Level::Debug, text: String::new(), kind }));
    }
    seat
}

fn check_picture(name: &str, seat: &Seat) {
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!(name, seat.picture());
    });
}

#[test]
fn every_screen_at_every_size() {
    for (width, height) in [(80, 24), (100, 30), (160, 45), (40, 10), (39, 9)] {
        check_picture(&format!("library_{width}x{height}"), &busy(width, height).keys("jjjj"));
        check_picture(&format!("transfers_{width}x{height}"), &busy(width, height).keys("2"));
        check_picture(&format!("peers_{width}x{height}"), &busy(width, height).keys("3jj"));
        let links = linked(busy(width, height)).keys("4j<Space>");
        check_picture(&format!("links_{width}x{height}"), &links);
        let log = busy(width, height)
            .event(Level::Debug, "A link to seat-22 was made.")
            .event(Level::Info, "seat-22 is here.")
            .event(Level::Warning, "seat-90 went away. All its 83 games are still here from others.")
            .event(Level::Error, "Warsow 2.1.2: pak2.zip is broken. Get it again.")
            .keys("5");
        check_picture(&format!("log_{width}x{height}"), &log);
    }
}

#[test]
fn dialogs_and_lines() {
    check_picture("help", &busy(80, 24).keys("?"));
    check_picture("help_end", &busy(100, 30).keys("?G"));
    check_picture("question_cancel", &busy(80, 24).keys("jjjjc"));
    check_picture("question_remove", &busy(80, 24).keys("d"));
    check_picture("question_quit", &busy(80, 24).keys("q"));
    check_picture("filter", &busy(80, 24).keys("/war<Down>"));
    check_picture("chord", &busy(80, 24).keys("s"));
    check_picture("marked", &busy(80, 24).keys("j<Space>jjjjj<Space>"));
    check_picture("add_folder", &busy(80, 24).keys("a~/Games of old"));
    check_picture("waiting_selected", &busy(100, 30).keys("2jjjj"));
    check_picture("update_selected", &busy(100, 30).keys("jjjjj"));
    check_picture("two_builds_selected", &busy(100, 30).keys("/warcraft<Enter>"));
}

#[test]
fn the_map_is_looked_into() {
    let answered = |mut seat: Seat| {
        // As the loop does: one look at a time, the newest answered last.
        while let Some(request) = seat.looks.pop() {
            let result = Ok(Reply::Map(fixture::map_view(&request)));
            seat.looks.clear();
            seat.tell(Msg::Answer { command: Command::Map(request), subject: String::new(), result });
        }
        seat
    };
    // All of it, as fine as there is room for.
    let seat = busy(100, 30).keys("2");
    assert_eq!(seat.looks.iter().map(|look| (look.first, look.cells)).collect::<Vec<_>>(), [(0, 96 * 16)]);
    let seat = answered(seat);
    check_picture("map_fine", &seat);
    // A part around the cursor, which goes to what is rare; then other chunks under the cursor.
    let seat = answered(answered(seat.keys("+")).keys("+"));
    check_picture("map_zoomed", &seat);
    let before = seat.model.map.cursor();
    let seat = answered(seat.keys("jj"));
    assert!(seat.model.map.cursor() > before);
    let seat = seat.keys("m");
    check_picture("map_room", &seat);
    // Esc leaves the map, then there is nothing to leave; the layer stays.
    let seat = answered(seat.keys("<Esc>"));
    assert_eq!((seat.model.map.cursor(), seat.model.map.is_zoomed()), (None, false));
    check_picture("map_room_ascii", &{
        let ascii = Seat::with(&fixture::room(), 100, 30, GlyphLevel::Ascii, None);
        answered(answered(ascii.keys("2")).keys("m+"))
    });
    // One that is refused is drawn from the snapshot, and is not asked for again until that changes.
    let mut seat = busy(160, 45).keys("2");
    let request = seat.looks.pop().unwrap();
    let refused = Err(CommandError::new(ErrorCode::WouldWait, "not now"));
    seat.tell(Msg::Answer { command: Command::Map(request), subject: String::new(), result: refused });
    assert_eq!(seat.looks, []);
    assert!(!seat.picture().contains("not now"));
    // Where there is no map, the keys say why.
    assert!(busy(40, 10).keys("2m").picture().contains("no room for the map"));
    assert!(Seat::new(&fixture::nothing(), 100, 30).keys("2+").picture().contains("No transfer is selected"));
}

#[test]
fn ascii_and_the_first_minute() {
    let ascii = |keys: &str| Seat::with(&fixture::room(), 100, 30, GlyphLevel::Ascii, None).keys(keys);
    check_picture("ascii_library", &ascii("jjjj"));
    check_picture("ascii_transfers", &ascii("2"));
    check_picture("ascii_peers", &ascii("3jj"));
    check_picture("ascii_links", &linked(ascii("4")));
    for keys in ["jjjj", "2", "3", "4", "5", "?", "jjjjc"] {
        let drawn = ascii(keys).drawn(ColorDepth::Mono);
        assert!(drawn.content.iter().all(|cell| cell.symbol().is_ascii()), "{keys}");
    }
    let empty = |keys: &str| Seat::new(&fixture::nothing(), 80, 24).keys(keys);
    check_picture("empty_library", &empty(""));
    check_picture("empty_transfers", &empty("2"));
    check_picture("empty_peers", &empty("3"));
    check_picture("empty_links", &empty("4"));
    check_picture("empty_log", &empty("5"));
    check_picture("no_match", &busy(80, 24).keys("/zzz"));
    let mut scanning = fixture::nothing();
    let mut me = (*scanning.me).clone();
    me.phase = Phase::Scanning;
    me.demo = true;
    me.mdns = false;
    scanning.me = Arc::new(me);
    check_picture("demo_scanning", &Seat::new(&scanning, 80, 24));
    let attached = Seat::with(&fixture::room(), 100, 30, GlyphLevel::Blocks, Some("nas-01"));
    check_picture("attached", &attached);
}

/// The colours of the two busiest screens: what each run of cells looks like.
#[test]
fn without_colours_everything_is_still_told() {
    for (name, keys) in [("mono_library", "jjjj"), ("mono_transfers", "2"), ("mono_links", "4j")] {
        let buf = busy(80, 24).keys(keys).drawn(ColorDepth::Mono);
        let colours = buf.content.iter().filter(|cell| {
            use ratatui::style::Color::Reset;
            cell.fg != Reset || cell.bg != Reset
        });
        assert_eq!(colours.count(), 0);
        insta::assert_snapshot!(name, text_of(&buf));
    }
}

fn check_screen(keys: &str, expect: Screen) {
    assert_eq!(busy(100, 30).keys(keys).model.screen, expect, "{keys}");
}

#[test]
fn from_screen_to_screen() {
    use Screen::{Library, Links, Log, Peers, Transfers};
    check_screen("", Library);
    check_screen("2", Transfers);
    check_screen("3", Peers);
    check_screen("4", Links);
    check_screen("5", Log);
    check_screen("4<Enter>", Peers);
    check_screen("41", Library);
    check_screen("<Tab>", Transfers);
    check_screen("<Tab><Tab><Tab><Tab><Tab>", Library);
    check_screen("<Shift-Tab>", Log);
    check_screen("]]", Peers);
    check_screen("[", Log);
    // A game that is being got leads to its transfer and back.
    check_screen("jjjj<Enter>", Transfers);
    check_screen("jjjj<Enter><Enter>", Library);
    check_screen("3<Enter>", Library);
    // A number typed into a line is text.
    check_screen("/2<Enter>", Library);
    check_screen("?2", Library);
}

fn check_selected(keys: &str, expect: &str) {
    let seat = busy(100, 30).keys(keys);
    let model = &seat.model;
    let name = match model.screen {
        Screen::Library => model.selected_game().map(|game| game.title.as_str()),
        Screen::Transfers => model.selected_transfer().map(|transfer| transfer.title.as_str()),
        Screen::Peers => model.selected_peer().map(|peer| peer.name.as_str()),
        Screen::Links => model.selected_link().map(|link| link.name.as_str()),
        Screen::Log => None,
    };
    assert_eq!(name.unwrap_or_default(), expect, "{keys}");
}

#[test]
fn the_cursor_goes_where_it_is_sent() {
    check_selected("", "0 A.D.");
    check_selected("j", "Armagetron Advanced");
    check_selected("<Down><Down><Up>", "Armagetron Advanced");
    check_selected("k", "0 A.D.");
    check_selected("G", "東方紅魔郷 ～ the Embodiment");
    check_selected("Ggg", "0 A.D.");
    check_selected("<End><Home>", "0 A.D.");
    check_selected("<PgDn>", "your-mods");
    check_selected("<Ctrl-d>", "Red Eclipse");
    check_selected("<Ctrl-d><Ctrl-u>", "0 A.D.");
    check_selected("/warc<Enter>", "Warcraft III");
    check_selected("/coh", "Company of Heroes");
    check_selected("/warc<Enter><Esc>", "Warcraft III");
    check_selected("/is:paused", "Red Eclipse");
    check_selected("/is:upd", "");
    check_selected("/is:update", "CS: Source");
    check_selected("sz", "0 A.D.");
    check_selected("szgg", "Company of Heroes");
    check_selected("szSgg", "[31mred[0m");
    check_selected("ssgg", "Warsow");
    check_selected("shgg", "AssaultCube");
    check_selected("2jj", "SuperTuxKart");
    check_selected("2/unr", "Unreal Tourn. 2004");
    check_selected("2sr", "Company of Heroes");
    check_selected("2srjS", "Warzone 2100");
    check_selected("2slgg", "Warzone 2100");
    check_selected("2stgg", "Company of Heroes");
    check_selected("2stGsqgg", "Company of Heroes");
    check_selected("2szSgg", "Warzone 2100");
    check_selected("2ssG", "Red Eclipse");
    check_selected("3spgg", "nas-01");
    check_selected("3stgg", "seat-31");
    check_selected("3sfgg", "nas-01");
    check_selected("3shgg", "日本の友達");
    check_selected("3shsngg", "nas-01");
    check_selected("4", "nas-01");
    check_selected("4sngg", "alice");
    check_selected("4slgg", "alice");
    check_selected("4spgg", "nas-01");
    check_selected("4stgg", "seat-09");
    check_selected("4sfSG", "nas-01");
    check_selected("4saG", "seat-09");
    check_selected("4/is:draining", "seat-09");
    check_selected("4/is:routed", "alice");
    check_selected("4/10.0.4", "seat-63");
    check_selected("4sngg<Enter>", "alice");
    check_selected("fp", "Red Eclipse");
    check_selected("/is:ready r<Enter>fpfa", "Red Eclipse");
    check_selected("fugg", "CS: Source");
    check_selected("fhggj", "AssaultCube");
    check_selected("ff", "Warsow");
    check_selected("fwgg", "FlatOut 2");
    check_selected("fggg", "Company of Heroes");
    check_selected("fogg", "Armagetron Advanced");
    check_selected("frgg", "0 A.D.");
    check_selected("3G", "seat-90");
    check_selected("3/@nas", "nas-01");
    // Enter on a peer shows what it has.
    check_selected("3<Enter>gg", "0 A.D.");
}

fn check_focus(size: (u16, u16), keys: &str, expect: Focus) {
    assert_eq!(busy(size.0, size.1).keys(keys).model.focus, expect, "{keys}");
}

#[test]
fn into_the_pane_and_back() {
    const SMALL: (u16, u16) = (80, 24);
    const WIDE: (u16, u16) = (100, 30);
    check_focus(WIDE, "l", Focus::Pane);
    check_focus(WIDE, "<Right>", Focus::Pane);
    check_focus(WIDE, "lh", Focus::List);
    check_focus(WIDE, "l<Left>", Focus::List);
    check_focus(WIDE, "l<Esc>", Focus::List);
    check_focus(WIDE, "2l", Focus::Pane);
    check_focus(WIDE, "2l1", Focus::List);
    check_focus(WIDE, "3l", Focus::List);
    check_focus(SMALL, "l", Focus::List);
    check_focus(SMALL, "2l", Focus::Pane);
    // There the keys move in it and not in the list.
    let seat = busy(100, 24).keys("jjjjljj");
    assert_eq!(seat.model.selected_game().unwrap().title, "Company of Heroes");
    assert_eq!(seat.model.library.details_from, 2);
    assert_eq!(seat.keys("gg").model.library.details_from, 0);
    // What is gone gives the keys back.
    let mut seat = busy(100, 30).keys("2l");
    seat.tell(Msg::Snapshot(Arc::new(fixture::nothing())));
    assert_eq!(seat.keys("j").model.focus, Focus::List);
}

fn check_asked(keys: &str, expect: &[Command]) {
    assert_eq!(busy(100, 30).keys(keys).asked, expect, "{keys}");
}

fn get(game: &str) -> Command {
    Command::Get(GetRequest { game: game.into(), ..GetRequest::default() })
}

#[test]
fn keys_ask_the_runtime() {
    let coh = || "company-of-heroes".to_owned();
    check_asked("j<Enter>", &[get("armagetron-advanced")]);
    check_asked("<Enter>", &[]);
    check_asked("j<Space>jj<Enter>", &[get("armagetron-advanced")]);
    check_asked("j<Space>j<Space><Enter>", &[get("armagetron-advanced"), get("bzflag")]);
    check_asked(
        "/cs<Enter><Enter>",
        &[Command::Get(GetRequest {
            game: "cs--source".into(),
            version: Some("1.0.72".into()),
            content: Some("aa".into()),
            from: None,
        })],
    );
    check_asked("jjjjp", &[Command::Pause { game: coh() }]);
    check_asked("2p", &[Command::Pause { game: coh() }]);
    check_asked("2Gp", &[Command::Resume { game: "red-eclipse".into() }]);
    check_asked("2G<Enter>", &[Command::Resume { game: "red-eclipse".into() }]);
    check_asked("2<Space><Space>p", &[Command::Pause { game: coh() }, Command::Pause { game: "warzone-2100".into() }]);
    check_asked("2c", &[]);
    check_asked("2cc", &[Command::Cancel { game: coh(), discard: false }]);
    check_asked("2cd", &[Command::Cancel { game: coh(), discard: true }]);
    check_asked("2c<Esc>c", &[]);
    check_asked("2c<Enter>x", &[]);
    check_asked("2j<lt>".replace("<lt>", "<").as_str(), &[Command::Reorder { game: "warzone-2100".into(), by: -1 }]);
    check_asked("2>", &[Command::Reorder { game: coh(), by: 1 }]);
    check_asked(
        "2<Space><Space>>",
        &[Command::Reorder { game: "warzone-2100".into(), by: 1 }, Command::Reorder { game: coh(), by: 1 }],
    );
    check_asked("jjv", &[]);
    let marked = busy(100, 30).keys("2vjj").model.transfers.list.marks.len();
    assert_eq!(marked, 3);
    check_asked("2vjvjjp", &[Command::Pause { game: coh() }, Command::Pause { game: "warzone-2100".into() }]);
    check_asked("r", &[Command::Verify { game: "0-a-d-".into(), repair: false }]);
    check_asked("jr", &[]);
    check_asked("d<Enter>", &[]);
    check_asked("dn", &[]);
    check_asked("dy", &[Command::Remove { game: "0-a-d-".into() }]);
    check_asked("R", &[Command::Rescan]);
    let add = |path: &str| Command::Add { path: path.into(), id: None, version: None, title: None, take: false };
    check_asked("a/srv/old<Enter>", &[add("/srv/old")]);
    check_asked("a~/x y<Enter>", &[add("/home/ann/x y")]);
    check_asked("a'/srv/a b'<Enter>", &[add("/srv/a b")]);
    check_asked("ahere<Enter>", &[]);
    check_asked("a<Enter>", &[]);
    check_asked("3a10.0.9.1:47800<Enter>", &[Command::Connect { addr: "10.0.9.1:47800".into() }]);
    check_asked("3T", &[Command::Trust { peer: "k3v9q2aaqqqq".into(), trust: false }]);
    check_asked("3jT", &[Command::Trust { peer: "p7d1mm4sqqqq".into(), trust: true }]);
    check_asked("3b", &[Command::Block { peer: "k3v9q2aaqqqq".into(), block: true }]);
    check_asked("3Gkb", &[Command::Block { peer: "t6g3a7lpqqqq".into(), block: false }]);
}

#[test]
fn limits_and_quiet() {
    let limit = |peer: Option<&str>, up, down| Command::Limit { peer: peer.map(str::to_owned), up, down };
    let some = Some(LimitTo::Bps(20_000_000));
    check_asked("Lu20<Enter>", &[limit(None, some, None)]);
    check_asked("2Ld20 MB/s<Enter>", &[limit(None, None, some)]);
    check_asked("Luoff<Enter>", &[limit(None, Some(LimitTo::Off), None)]);
    check_asked("3Lu20<Enter>", &[limit(Some("k3v9q2aaqqqq"), some, None)]);
    check_asked(
        "3<Space><Space>Ld20<Enter>",
        &[limit(Some("k3v9q2aaqqqq"), None, some), limit(Some("p7d1mm4sqqqq"), None, some)],
    );
    check_asked("Lu0.1<Enter>", &[]);
    check_asked("Lufast<Enter>", &[]);
    check_asked("Lu<Enter>", &[]);
    check_asked("Lu20<Esc>", &[]);
    check_asked("z", &[Command::Quiet { on: true }]);
    let mut room = fixture::room();
    let totals = crate::api::Totals { quiet: true, ..(*room.totals).clone() };
    room.totals = Arc::new(totals);
    let seat = Seat::new(&room, 80, 24).keys("z");
    assert!(seat.picture().contains("quiet"));
    assert_eq!(seat.asked, [Command::Quiet { on: false }]);
}

fn check_copied(keys: &str, expect: Option<&str>) {
    assert_eq!(busy(100, 30).keys(keys).copied.as_deref(), expect, "{keys}");
}

#[test]
fn what_is_copied() {
    check_copied("yp", Some("/home/ann/Games/0-a-d-"));
    check_copied("jyp", None);
    check_copied("2yp", Some("/home/ann/Games/company-of-heroes"));
    check_copied("2yi", Some("4fa1"));
    check_copied("2yc", Some("potluck get company-of-heroes --content 4fa1"));
    check_copied("2<Space><Space>yi", Some("4fa1\n4fa1"));
    check_copied("3yc", Some("potluck connect 10.0.3.2:47800"));
    check_copied("3yi", Some("k3v9q2aaqqqq"));
    check_copied("4yc", Some("potluck connect 10.0.3.2:47800"));
    check_copied("4jyc", Some("potluck connect 10.0.3.4:47800"));
    check_copied("4yi", Some("k3v9q2aaqqqq"));
    check_copied("y<Esc>", None);
    check_copied("5yi", None);
}

#[test]
fn every_action_is_in_the_palette() {
    let coh = || "company-of-heroes".to_owned();
    check_asked(":rescan<Enter>", &[Command::Rescan]);
    check_asked(":resc<Enter>", &[Command::Rescan]);
    check_asked("2:pau<Enter>", &[Command::Pause { game: coh() }]);
    // By its help, and completed.
    check_asked("2:queue<Down><Enter>", &[Command::Reorder { game: coh(), by: 1 }]);
    check_asked(
        ":limit-u<Tab>20 MB/s<Enter>",
        &[Command::Limit { peer: None, up: Some(LimitTo::Bps(20_000_000)), down: None }],
    );
    check_asked(":limit-up off<Enter>", &[Command::Limit { peer: None, up: Some(LimitTo::Off), down: None }]);
    check_asked(":add-address 10.0.9.1:47800<Enter>", &[Command::Connect { addr: "10.0.9.1:47800".into() }]);
    check_asked(":add-addr<Enter>10.0.9.1:47800<Enter>", &[Command::Connect { addr: "10.0.9.1:47800".into() }]);
    check_asked(":pause<Enter>", &[]);
    check_asked(":rescan now<Enter>", &[]);
    check_asked(":rescan<Esc>", &[]);
    check_asked(":<Backspace>R", &[Command::Rescan]);
    check_says(":pause<Enter>", "0 A.D. is not being got");
    check_says("3:later<Enter>", "Only on Transfers.");
    check_says(":zzz<Enter>", "no such action");
    check_says(":rescan now<Enter>", "wants nothing behind its name");
    check_selected(":filter warc<Enter>", "Warcraft III");
    check_screen(":links<Enter>", Screen::Links);
    check_screen(":link<Down><Up><Enter>", Screen::Links);
    let mut seat = busy(80, 24).keys(":");
    seat.tell(Msg::Paste("rescan".into()));
    assert_eq!(seat.keys("<Enter>").asked, [Command::Rescan]);
    check_picture("palette", &busy(80, 24).keys(":"));
    check_picture("palette_limit", &busy(100, 30).keys(":lim<Down>"));
    check_picture("palette_not_now", &busy(80, 24).keys(":pause"));
    check_picture("palette_none", &busy(40, 10).keys(":zzz"));
}

#[test]
fn the_users_keys_are_what_is_shown() {
    let keymap = Keymap::with("verify = [\"V\"]\nhelp = [\"g h\"]\nsort-title = [\"o t\"]\nadd-folder = []").unwrap();
    let mut seat = busy(100, 30);
    seat.model.setting.keymap = keymap;
    check_picture("own_keys", &seat);
    let seat = seat.keys("gh");
    assert!(seat.picture().contains("gh"), "{}", seat.picture());
    let seat = seat.keys("<Esc>rV");
    assert_eq!(seat.asked, [Command::Verify { game: "0-a-d-".into(), repair: false }]);
}

#[test]
fn several_are_asked_about_by_their_number() {
    let picture = |keys: &str| busy(100, 30).keys(keys).picture();
    assert!(picture("<Space>j<Space>d").contains("Delete 2 games: 0 A.D. and AssaultCube"));
    assert!(picture("2<Space><Space>c").contains("Stop getting 2 games: Company of Heroes and Warzone 2100?"));
    assert!(picture("3<Space><Space>b").contains("2 peers: nas-01 and seat-04"));
    check_asked("3<Space><Space>b", &[]);
    let block = |peer: &str| Command::Block { peer: peer.into(), block: true };
    check_asked("3<Space><Space>by", &[block("k3v9q2aaqqqq"), block("p7d1mm4sqqqq")]);
    assert!(picture("*d").contains("Of the others, NOBODY else here has 1 more game"), "{}", picture("*d"));
}

/// Where each key leads: from what is shown, by a key, to what is shown then.
#[test]
fn the_table_of_ways() {
    let mut table = String::new();
    let starts = [
        ("Library", ""),
        ("Library details", "l"),
        ("Transfers", "2"),
        ("Transfers map", "2l"),
        ("Peers", "3"),
        ("Links", "4"),
        ("Links stream", "4l"),
        ("Log", "5"),
        ("Library filter", "/"),
        ("Library palette", ":"),
        ("Library help", "?"),
        ("Transfers question", "2c"),
        ("Library limit", "Lu"),
        ("Library sort menu", "s"),
    ];
    let keys = [
        "1",
        "2",
        "3",
        "4",
        "5",
        "<Tab>",
        "<Shift-Tab>",
        "]",
        "[",
        "<Enter>",
        "<Esc>",
        "h",
        "l",
        "/",
        ":",
        "?",
        "q",
        "c",
        "L",
        "a",
        "s",
        "y",
    ];
    for (from, before) in starts {
        assert_eq!(place(&busy(100, 30).keys(before)), from);
        let ways: Vec<(String, &str)> =
            keys.iter().map(|key| (place(&busy(100, 30).keys(before).keys(key)), *key)).collect();
        let mut places: Vec<&str> = ways.iter().map(|(to, _)| to.as_str()).filter(|to| *to != from).collect();
        places.sort_unstable();
        places.dedup();
        for to in places {
            let keys: Vec<&str> = ways.iter().filter(|(place, _)| place == to).map(|(_, key)| *key).collect();
            table += &format!("{from:<20} {:<40} {to}\n", keys.join(" "));
        }
    }
    insta::assert_snapshot!("ways", table);
}

/// What is shown, in words.
fn place(seat: &Seat) -> String {
    let model = &seat.model;
    let screen = model.screen.name();
    let over = match &model.overlay {
        Some(Overlay::Help { .. }) => "help",
        Some(Overlay::Question(_)) => "question",
        Some(Overlay::Palette { .. }) => "palette",
        Some(Overlay::Prompt(prompt)) => match prompt.purpose {
            Purpose::Filter => "filter",
            Purpose::AddFolder => "folder",
            Purpose::AddAddress => "address",
            Purpose::LimitUp | Purpose::LimitDown => "limit",
            Purpose::Action | Purpose::Library => "another line",
        },
        None => match (model.pressed.first().map(|key| key.name()).as_deref(), model.focus, model.screen) {
            (Some("s"), ..) => "sort menu",
            (Some("y"), ..) => "copy menu",
            (Some("L"), ..) => "limit menu",
            (Some(_), ..) => "menu",
            (None, Focus::List, _) => "",
            (None, Focus::Pane, Screen::Transfers) => "map",
            (None, Focus::Pane, Screen::Links) => "stream",
            (None, Focus::Pane, Screen::Library | Screen::Peers | Screen::Log) => "details",
        },
    };
    let place = if over.is_empty() { screen.to_owned() } else { format!("{screen} {over}") };
    match seat.left {
        Some(exit) => format!("{exit:?}"),
        None => place,
    }
}

fn check_says(keys: &str, expect: &str) {
    let seat = busy(100, 30).keys(keys);
    assert!(seat.model.notice.text.contains(expect), "{keys}: {}", seat.model.notice.text);
}

#[test]
fn what_cannot_be_done_says_why() {
    check_says("<Enter>", "0 A.D. 0.27.1 is here");
    check_says("p", "0 A.D. is not being got");
    check_says("jd", "Armagetron Advanced is not here");
    check_says("jr", "nothing to check");
    check_says("ahere<Enter>", "not a whole path");
    check_says("/tempest<Enter><Enter>", "Nobody who has Tempest");
    check_says("/warsow<Enter>c", "Warsow is not being got");
    check_says("3/mallory<Enter>", "Xonotic");
    check_says("<Space>p", "Nothing of what is marked");
    check_says("<Ctrl-c>", "Ctrl-c again quits");
}

fn check_left(attached: Option<&str>, snapshot: &Snapshot, keys: &str, expect: Option<Exit>) {
    let seat = Seat::with(snapshot, 100, 30, GlyphLevel::Blocks, attached).keys(keys);
    assert_eq!(seat.left, expect, "{keys}");
}

#[test]
fn leaving_asks_where_something_would_be_lost() {
    let (room, nothing) = (fixture::room(), fixture::nothing());
    check_left(None, &nothing, "q", Some(Exit::Quit));
    check_left(None, &room, "q", None);
    check_left(None, &room, "q<Esc>", None);
    check_left(None, &room, "qy", Some(Exit::Quit));
    check_left(None, &room, "qb", Some(Exit::Background));
    check_left(Some("nas-01"), &room, "qb", Some(Exit::Detached));
    check_left(None, &room, "<Ctrl-c>", None);
    check_left(None, &room, "<Ctrl-c><Ctrl-c>", Some(Exit::Quit));
    check_left(Some("nas-01"), &room, "q", Some(Exit::Detached));
    check_left(None, &room, "/q", None);
    check_left(None, &room, "?q", None);
    let mut demo = fixture::room();
    let mut me = (*demo.me).clone();
    me.demo = true;
    demo.me = Arc::new(me);
    check_left(None, &demo, "q", Some(Exit::Quit));
    // Also where nothing can be drawn.
    let mut tiny = Seat::new(&nothing, 39, 9);
    assert!(tiny.picture().contains("q quits"));
    tiny = tiny.keys("q");
    assert_eq!(tiny.left, Some(Exit::Quit));
    // A question nobody can see would lock people in.
    assert_eq!(Seat::new(&room, 39, 9).keys("q").left, Some(Exit::Quit));
}

#[test]
fn a_runtime_that_is_away_is_told_of_until_it_is_back() {
    let room = fixture::room();
    let mut gone = room.clone();
    gone.me = Arc::new(MeView { away: true, ..(*room.me).clone() });
    let mut seat = Seat::with(&room, 100, 30, GlyphLevel::Blocks, Some("seat-17"));
    let since = seat.model.now;
    seat.tell(Msg::Snapshot(Arc::new(gone.clone())));
    // Whatever is said meanwhile, and however long it takes.
    seat.tell(Msg::Time(Moment { unix_ms: since.unix_ms + 600_000, ..since }));
    gone.totals = Arc::new((*gone.totals).clone());
    seat.tell(Msg::Snapshot(Arc::new(gone)));
    seat = seat.keys("2");
    let banner = format!("seat-17 is away since {}; trying again.", super::words::time(since));
    assert!(seat.picture().contains(&banner), "{}", seat.picture());
    seat.tell(Msg::Snapshot(Arc::new(room)));
    assert!(seat.picture().contains("seat-17 is back."), "{}", seat.picture());
}

#[test]
fn a_second_ctrl_c_counts_only_soon_after_the_first() {
    let mut seat = busy(80, 24).keys("<Ctrl-c>");
    let later = Moment { unix_ms: seat.model.now.unix_ms + 3_000, offset_s: 0 };
    seat.tell(Msg::Time(later));
    assert_eq!(seat.keys("<Ctrl-c>").left, None);
}

fn answered(result: Result<Reply, CommandError>) -> Seat {
    let mut seat = busy(100, 30);
    let command = Command::Verify { game: "0-a-d-".into(), repair: false };
    seat.tell(Msg::Answer { command, subject: "0 A.D.".into(), result });
    seat
}

#[test]
fn answers_are_told() {
    let check = |result, expect: &str| {
        let seat = answered(result);
        assert!(seat.model.notice.text.contains(expect), "{}", seat.model.notice.text);
    };
    check(Ok(Reply::Done { message: "Rescanned.".into() }), "Rescanned.");
    check(Err(CommandError::new(ErrorCode::Refused, "the disk is full")), "0 A.D.: the disk is full");
    let report = VerifyReport { files: 6_871, size: 3_400_000_000, ..VerifyReport::default() };
    check(Ok(Reply::Verified(report.clone())), "0 A.D. is as it should be: 6,871 files, 3.4 GB");
    let bad = VerifyReport { bad: vec!["a/b.pak".into()], bad_chunks: 2, ..report };
    check(Ok(Reply::Verified(bad.clone())), "1 of 6,871 files differ: a/b.pak");
    let mut seat = answered(Ok(Reply::Verified(bad)));
    assert!(seat.picture().contains("y Fetch 2 chunks"));
    seat = seat.keys("y");
    assert_eq!(seat.asked, [Command::Verify { game: "0-a-d-".into(), repair: true }]);
}

#[test]
fn pasted_text_is_typed_only_into_a_line() {
    let mut seat = busy(80, 24);
    seat.tell(Msg::Paste("qqq\ny".into()));
    assert_eq!((seat.left, seat.model.overlay.is_none()), (None, true));
    seat = seat.keys("a");
    seat.tell(Msg::Paste("/srv/games/old\n".into()));
    assert_eq!(seat.keys("<Enter>").asked.len(), 1);
}

#[test]
fn what_changes_nothing_draws_nothing() {
    let mut seat = busy(80, 24);
    let same = Arc::new(seat.model.snapshot.clone());
    assert_eq!(seat.tell(Msg::Snapshot(same)), []);
    assert_eq!(seat.tell(Msg::Key(script("Z")[0])), []);
    let debug = Event { at_ms: NOW_MS, level: Level::Debug, text: "x".into(), kind: EventKind::Note };
    assert_eq!(seat.tell(Msg::Event(debug.clone())), []);
    seat = seat.keys("5");
    assert_eq!(seat.tell(Msg::Event(debug)), [Effect::DrawSoon]);
}

#[test]
fn the_bell_rings_when_a_game_is_here() {
    let kind = EventKind::Downloaded {
        game: "x".into(),
        content: "y".into(),
        version: "1".into(),
        reused: 0,
        sources: Vec::new(),
    };
    let event = Event { at_ms: NOW_MS, level: Level::Done, text: "X is here.".into(), kind };
    assert_eq!(busy(80, 24).tell(Msg::Event(event)), [Effect::DrawSoon, Effect::Bell]);
}

#[test]
fn the_selection_survives_changes_of_the_room() {
    let mut seat = busy(100, 30).keys("jjjj");
    let mut room = fixture::room();
    let mut games = (*room.games).clone();
    games.drain(..3);
    room.games = Arc::new(games);
    seat.tell(Msg::Snapshot(Arc::new(room)));
    assert_eq!(seat.model.selected_game().unwrap().title, "Company of Heroes");
    seat.tell(Msg::Snapshot(Arc::new(fixture::nothing())));
    assert!(seat.model.selected_game().is_none());
    assert!(seat.picture().contains("No games here yet."));
}

#[test]
fn games_come_and_go_as_their_state_wants() {
    let mut seat = busy(100, 30).keys("/is:getting<Enter>");
    let shown = |seat: &Seat| seat.model.library.rows().len();
    assert_eq!(shown(&seat), 2);
    let mut room = seat.model.snapshot.clone();
    let mut transfers = (*room.transfers).clone();
    transfers[0].state = crate::api::StateWord::Paused;
    room.transfers = Arc::new(transfers);
    seat.tell(Msg::Snapshot(Arc::new(room.clone())));
    assert_eq!(shown(&seat), 1);
    // A cancelled transfer takes its mark along, and the rows below move up.
    seat = seat.keys("2<Space>");
    let rest = room.transfers[1..].to_vec();
    room.transfers = Arc::new(rest);
    seat.tell(Msg::Snapshot(Arc::new(room)));
    assert!(seat.model.transfers.list.marks.is_empty());
    assert_eq!(seat.model.transfers.rows().len(), 5);
}

#[test]
fn ten_thousand_games() {
    let seat = Seat::new(&fixture::many(10_000), 100, 30).keys("G");
    assert_eq!(seat.model.selected_game().unwrap().id, "game-09999");
    assert!(seat.picture().contains("Game 09999 of many"));
    let seat = seat.keys("/77 is:ready");
    assert!(seat.model.library.rows().len() < 200);
}

fn key_name() -> impl Strategy<Value = String> {
    let named = prop_oneof![
        Just("<Enter>"),
        Just("<Esc>"),
        Just("<Tab>"),
        Just("<Space>"),
        Just("<PgDn>"),
        Just("<Down>"),
        Just("<Ctrl-d>"),
        Just("<Backspace>"),
        Just("<Left>"),
        Just("<Home>"),
        Just("<Shift-Tab>"),
    ];
    prop_oneof![
        named.prop_map(str::to_owned),
        "[a-zA-Z0-9/?*<>\\[\\]@:]".prop_map(|key| if key == "<" { "x".to_owned() } else { key }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever is pressed at whatever size, nothing panics and nothing is drawn outside.
    #[test]
    fn any_size_and_any_keys(
        sizes in proptest::collection::vec((1_u16..=200, 1_u16..=60), 1..4),
        keys in proptest::collection::vec(key_name(), 0..24),
        which in 0_usize..3,
    ) {
        let snapshot = [fixture::room(), fixture::nothing(), fixture::many(300)][which].clone();
        let mut seat = Seat::new(&snapshot, 80, 24);
        for (at, (width, height)) in sizes.into_iter().enumerate() {
            seat.tell(Msg::Resize(Size::new(width, height)));
            let part = keys.iter().skip(at * 8).take(8).map(String::as_str).collect::<String>();
            seat = seat.keys(&part);
            seat.drawn(ColorDepth::Indexed256);
            if at == 1 {
                seat.tell(Msg::Snapshot(Arc::new(fixture::room())));
                seat.drawn(ColorDepth::Mono);
            }
        }
    }
}

/// `docs/keys.md` is made from the table; run with `UPDATE_DOCS=1` to make it anew.
#[test]
fn the_page_of_keys_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/keys.md");
    let document = super::keys_document();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &document).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), document, "run with UPDATE_DOCS=1");
}
