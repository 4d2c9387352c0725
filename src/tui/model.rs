//! Everything the screen knows: the newest snapshot, and what the user did with it. It is changed
//! only by [`super::update`] and drawn only by [`super::view`]; it reads nothing by itself.

pub(crate) mod completion;
pub(crate) mod filter;
pub(crate) mod history;
pub(crate) mod library;
pub(crate) mod links;
pub(crate) mod list;
pub(crate) mod log;
pub(crate) mod map;
pub(crate) mod notice;
pub(crate) mod overlay;
pub(crate) mod peers;
pub(crate) mod room;
pub(crate) mod space;
pub(crate) mod table;
pub(crate) mod transfers;

use std::sync::Arc;

use potluck_widgets::GlyphLevel;
use ratatui::layout::Size;

use self::{
    history::Histories,
    links::Connections,
    list::{Ids, List},
    log::Log,
    map::MapLook,
    notice::Notice,
    overlay::Overlay,
    room::Room,
    space::Space,
    table::{SortBy, Table},
    transfers::Queue,
};
use super::{
    action::Screen,
    keymap::{Key, Keymap},
};
use crate::api::{GameView, Level, LinkView, Part, PeerView, Snapshot, StateWord, TransferView};

/// A time for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Moment {
    /// Unix milliseconds.
    pub(crate) unix_ms: u64,
    /// Seconds the user's clock is ahead of UTC.
    pub(crate) offset_s: i32,
}

/// What the terminal and the settings of the user say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setting {
    /// The runtime this screen looks at from outside, by name; `None` where it runs in this process.
    pub(crate) attached: Option<String>,
    /// What the terminal can show.
    pub(crate) glyphs: GlyphLevel,
    /// Whether the theme has colours for the chunk map, so that one character can show two of its cells.
    pub(crate) half_blocks: bool,
    /// The theme in force, which the user may change.
    pub(crate) theme: String,
    /// The themes there are; none where the terminal shows no colours.
    pub(crate) themes: Vec<String>,
    /// Whether the bell rings when a game is here.
    pub(crate) bell: bool,
    /// Whether the runtime of this process can go on without the screen.
    pub(crate) can_stay: bool,
    /// Which keys mean what.
    pub(crate) keymap: Keymap,
    /// The user's own folder, for `~`.
    pub(crate) user_home: Option<String>,
}

/// What the moving keys move in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Focus {
    /// The table.
    #[default]
    List,
    /// What stands beside or below it: details, or the chunk map.
    Pane,
}

/// Everything the screen knows.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) setting: Setting,
    pub(crate) size: Size,
    pub(crate) now: Moment,
    pub(crate) snapshot: Snapshot,
    pub(crate) screen: Screen,
    pub(crate) focus: Focus,
    pub(crate) library: Table,
    pub(crate) transfers: Table,
    pub(crate) peers: Table,
    pub(crate) links: Table,
    pub(crate) connections: Connections,
    /// From a game to its transfer.
    queue: Queue,
    pub(crate) log: Log,
    pub(crate) map: MapLook,
    pub(crate) room: Room,
    pub(crate) space: Space,
    pub(crate) histories: Histories,
    pub(crate) notice: Notice,
    /// What lies over the screen and takes the keys.
    pub(crate) overlay: Option<Overlay>,
    /// The keys of a sequence that is not complete.
    pub(crate) pressed: Vec<Key>,
    /// Until when a second Ctrl-c quits, Unix milliseconds.
    pub(crate) interrupted_until_ms: u64,
    /// Commands that are not answered yet.
    pub(crate) asked: usize,
    /// Since when the runtime does not answer.
    pub(crate) away_since: Option<Moment>,
}

impl Model {
    /// A model of this snapshot on a screen of this size.
    pub(crate) fn new(setting: Setting, snapshot: &Snapshot, size: Size, now: Moment) -> Self {
        let mut model = Self {
            setting,
            size,
            now,
            snapshot: snapshot.clone(),
            screen: Screen::Library,
            focus: Focus::List,
            library: Table::new(SortBy::Title),
            transfers: Table::new(SortBy::Queue),
            peers: Table::new(SortBy::Name),
            links: Table::new(SortBy::Age),
            connections: Connections::new(&snapshot.links),
            queue: Queue::default(),
            log: Log::default(),
            map: MapLook::default(),
            room: Room::default(),
            space: Space::default(),
            histories: Histories::default(),
            notice: Notice::default(),
            overlay: None,
            pressed: Vec::new(),
            interrupted_until_ms: 0,
            asked: 0,
            away_since: None,
        };
        model.histories.sample(&model.snapshot, now.unix_ms);
        model.reindex();
        model
    }

    /// Puts a new snapshot in place; says whether anything in it differs.
    pub(crate) fn take(&mut self, snapshot: &Arc<Snapshot>) -> bool {
        let parts = snapshot.parts_since(&self.snapshot);
        if parts.is_empty() {
            return false;
        }
        let (mut games, mut transfers, mut peers, mut links) = (false, false, false, false);
        for part in parts {
            match part {
                Part::Games(_) => games = true,
                Part::Transfers(_) => transfers = true,
                Part::Peers(_) => peers = true,
                Part::Links(_) => links = true,
                Part::Me(_) | Part::Totals(_) => {}
            }
            self.snapshot.apply(part);
        }
        self.notice_absence();
        self.histories.sample(&self.snapshot, self.now.unix_ms);
        if transfers {
            self.queue = Queue::new(&self.snapshot);
            transfers::index(&mut self.transfers, &self.snapshot);
        }
        // Progress alone does not change which of ten thousand games are shown.
        if games || (transfers && library::looks_at_states(&self.library)) {
            library::index(&mut self.library, &self.snapshot, &self.queue);
        }
        if peers {
            peers::index(&mut self.peers, &self.snapshot);
        }
        if links {
            links::index(&mut self.links, &self.snapshot);
        }
        true
    }

    /// Says when the runtime is back; the banner says while it is away.
    fn notice_absence(&mut self) {
        let me = &self.snapshot.me;
        match self.away_since {
            None if me.away => self.away_since = Some(self.now),
            Some(_) if !me.away => {
                self.away_since = None;
                let text = format!("{} is back.", me.name);
                self.notice.say(Level::Info, text, self.now);
            }
            None | Some(_) => {}
        }
    }

    /// Works out anew which rows each table shows. Selections stay on what they were on.
    pub(crate) fn reindex(&mut self) {
        self.queue = Queue::new(&self.snapshot);
        transfers::index(&mut self.transfers, &self.snapshot);
        library::index(&mut self.library, &self.snapshot, &self.queue);
        peers::index(&mut self.peers, &self.snapshot);
        links::index(&mut self.links, &self.snapshot);
        self.space.index();
    }

    /// The table of a tab, if it has one.
    pub(crate) fn table(&self, screen: Screen) -> Option<&Table> {
        match screen {
            Screen::Library => Some(&self.library),
            Screen::Transfers => Some(&self.transfers),
            Screen::Peers => Some(&self.peers),
            Screen::Links => Some(&self.links),
            Screen::Space => Some(&self.space.table),
            Screen::Log => None,
        }
    }

    /// The same, to change it.
    pub(crate) fn table_mut(&mut self, screen: Screen) -> Option<&mut Table> {
        match screen {
            Screen::Library => Some(&mut self.library),
            Screen::Transfers => Some(&mut self.transfers),
            Screen::Peers => Some(&mut self.peers),
            Screen::Links => Some(&mut self.links),
            Screen::Space => Some(&mut self.space.table),
            Screen::Log => None,
        }
    }

    /// Changes cursor or marks of the table that is shown.
    pub(crate) fn with_list(&mut self, change: impl FnOnce(&mut List, &dyn Ids)) {
        let snapshot = &self.snapshot;
        match self.screen {
            Screen::Library => self.library.with(&snapshot.games, change),
            Screen::Transfers => self.transfers.with(&snapshot.transfers, change),
            Screen::Peers => self.peers.with(&snapshot.peers, change),
            Screen::Links => self.links.with(&snapshot.links, change),
            Screen::Space => self.space.with(change),
            Screen::Log => {}
        }
    }

    /// The filter of the tab that is shown.
    pub(crate) fn filter(&self) -> &str {
        self.table(self.screen).map_or_else(|| self.log.filter(), |table| table.filter().text())
    }

    /// Another filter for the tab that is shown.
    pub(crate) fn set_filter(&mut self, text: &str) {
        match self.table_mut(self.screen) {
            Some(table) => table.set_filter(text),
            None => self.log.set_filter(text),
        }
        let id = |model: &Self| model.table(model.screen).and_then(|table| table.list.id()).map(str::to_owned);
        let before = id(self);
        self.reindex();
        // What was chosen is hidden now: the best match is meant.
        if id(self) != before && self.table(self.screen).is_some_and(Table::ranks) {
            self.with_list(|list, ids| list.move_by(isize::MIN / 2, ids, 1));
        }
    }

    /// How many rows of the tab that is shown are marked.
    pub(crate) fn marked(&self) -> usize {
        self.table(self.screen).map_or(0, |table| table.list.marks.len())
    }

    /// The game at a row of the library.
    pub(crate) fn game_at(&self, row: usize) -> Option<&GameView> {
        self.library.at(row, &self.snapshot.games)
    }

    /// The game under the cursor.
    pub(crate) fn selected_game(&self) -> Option<&GameView> {
        self.library.selected(&self.snapshot.games)
    }

    /// The transfer at a row.
    pub(crate) fn transfer_at(&self, row: usize) -> Option<&TransferView> {
        self.transfers.at(row, &self.snapshot.transfers)
    }

    /// The transfer under the cursor.
    pub(crate) fn selected_transfer(&self) -> Option<&TransferView> {
        self.transfers.selected(&self.snapshot.transfers)
    }

    /// The peer at a row.
    pub(crate) fn peer_at(&self, row: usize) -> Option<&PeerView> {
        self.peers.at(row, &self.snapshot.peers)
    }

    /// The peer under the cursor.
    pub(crate) fn selected_peer(&self) -> Option<&PeerView> {
        self.peers.selected(&self.snapshot.peers)
    }

    /// The link at a row.
    pub(crate) fn link_at(&self, row: usize) -> Option<&LinkView> {
        self.links.at(row, &self.snapshot.links)
    }

    /// The link under the cursor.
    pub(crate) fn selected_link(&self) -> Option<&LinkView> {
        self.links.selected(&self.snapshot.links)
    }

    /// The transfer of a game.
    pub(crate) fn transfer_of(&self, game: &str) -> Option<&TransferView> {
        self.queue.of(&self.snapshot, game)
    }

    /// A game's state, percent and reason: its transfer's where it has one, else its own.
    pub(crate) fn state_of<'a>(&'a self, game: &'a GameView) -> (StateWord, Option<u8>, &'a str) {
        match self.transfer_of(&game.id) {
            Some(transfer) => (transfer.state, Some(transfer.percent), &transfer.reason),
            None => (game.state, game.percent, &game.reason),
        }
    }

    /// How far the transfers that go on are together, in percent.
    pub(crate) fn percent(&self) -> Option<u8> {
        let (done, size) = self
            .snapshot
            .transfers
            .iter()
            .filter(|transfer| is_moving(transfer.state))
            .fold((0_u64, 0_u64), |(done, size), transfer| {
                (done.saturating_add(transfer.done), size.saturating_add(transfer.size))
            });
        (size > 0).then(|| potluck_widgets::percent(done, size))
    }

    /// What the terminal's title says.
    pub(crate) fn title(&self) -> String {
        match self.percent() {
            Some(percent) => format!("potluck {percent} %"),
            None => "potluck".to_owned(),
        }
    }

    /// When the picture changes without anything happening, Unix milliseconds.
    #[must_use]
    pub(crate) fn wake_at_ms(&self) -> u64 {
        const MINUTE_MS: u64 = 60_000;
        const SECOND_MS: u64 = 1_000;
        let minute = (self.now.unix_ms / MINUTE_MS + 1) * MINUTE_MS;
        // How long a game runs is shown by the second.
        let plays = self.snapshot.games.iter().any(|game| game.playing_since_ms.is_some());
        let second = plays.then_some((self.now.unix_ms / SECOND_MS + 1) * SECOND_MS);
        [self.histories.wake_at_ms(), second].into_iter().flatten().fold(minute, u64::min)
    }
}

/// Whether a transfer in this state goes on, now or by itself.
pub(crate) fn is_moving(state: StateWord) -> bool {
    match state {
        StateWord::Getting | StateWord::Waiting | StateWord::Checking | StateWord::Installing => true,
        StateWord::Available
        | StateWord::Paused
        | StateWord::Downloaded
        | StateWord::Ready
        | StateWord::Failed
        | StateWord::Offline => false,
    }
}
