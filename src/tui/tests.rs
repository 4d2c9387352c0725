//! Key scripts and pictures of every screen, without a terminal and without a clock: a seat, and what is checked of it.

mod copying;
mod edges;
mod hearing;
mod leaving;
mod library;
mod log;
mod mouse;
mod moving;
mod peers;
mod pictures;
mod space;
mod transfers;
mod typing;
mod wire;

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
    theme::{ColorDepth, Role, Theme},
    update::{Effect, Msg, update},
    view::view,
};
use crate::api::{
    AfterGet, Command, CommandError, ConfirmView, Diagnosis, ErrorCode, Event, EventKind, Finding, GetRequest, Level,
    LimitTo, LinkView, MeView, Phase, ProgramView, Reply, Snapshot, Verdict, VerifyReport,
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
    /// Folders looked into, and themes tried.
    listed: Vec<String>,
    themes: Vec<String>,
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
            theme: "default".to_owned(),
            themes: super::theme::names(&[("mine".to_owned(), String::new())]),
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
            listed: Vec::new(),
            themes: Vec::new(),
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
        let is_of_the_room =
            |command: &Command| matches!(command, Command::Without { .. } | Command::Compare { .. } | Command::Space);
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
                Effect::Call {
                    command: Command::Without { .. } | Command::Compare { .. } | Command::Space, ..
                } => {}
                Effect::Call { command, .. } => self.asked.push(command.clone()),
                Effect::Leave(exit) => self.left = Some(*exit),
                Effect::Copy(text) => self.copied = Some(text.clone()),
                Effect::List(folder) => self.listed.push(folder.clone()),
                Effect::Theme(name) => self.themes.push(name.clone()),
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
        let kind =
            EventKind::Connection { state, peer: peer.into(), addr: addr.into(), path: Default::default(), link };
        let at_ms = seat.model.now.unix_ms - 1_000 * (20 - link);
        seat.tell(Msg::Event(Event { at_ms, level: Level::Debug, text: String::new(), kind }));
    }
    seat
}

fn check_picture(name: &str, seat: &Seat) {
    check_text(name, &seat.picture());
}

fn check_text(name: &str, text: &str) {
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

fn check_screen(keys: &str, expect: Screen) {
    assert_eq!(busy(100, 30).keys(keys).model.screen, expect, "{keys}");
}

fn check_selected(keys: &str, expect: &str) {
    let seat = busy(100, 30).keys(keys);
    let model = &seat.model;
    let name = match model.screen {
        Screen::Library => model.selected_game().map(|game| game.title.as_str()),
        Screen::Transfers => model.selected_transfer().map(|transfer| transfer.title.as_str()),
        Screen::Peers => model.selected_peer().map(|peer| peer.name.as_str()),
        Screen::Links => model.selected_link().map(|link| link.name.as_str()),
        Screen::Space => model.space.selected().map(|item| item.title.as_str()),
        Screen::Log => None,
    };
    assert_eq!(name.unwrap_or_default(), expect, "{keys}");
}

fn check_asked(keys: &str, expect: &[Command]) {
    assert_eq!(busy(100, 30).keys(keys).asked, expect, "{keys}");
}

fn get(game: &str) -> Command {
    Command::Get(GetRequest { game: game.into(), after: AfterGet::Install, ..GetRequest::default() })
}

fn check_says(keys: &str, expect: &str) {
    let seat = busy(100, 30).keys(keys);
    assert!(seat.model.notice.text.contains(expect), "{keys}: {}", seat.model.notice.text);
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
