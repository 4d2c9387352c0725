//! The free space screen: what takes space and could go, as the runtime last weighed it, and what is marked of it. It is
//! asked for when somebody looks, and again when something went.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    super::{action::Screen, words},
    table::{Listed, SortBy, Table, larger_first},
};
use crate::api::{Freeable, SpaceItem, SpaceView};

impl Listed for SpaceItem {
    fn id(&self) -> Cow<'_, str> {
        let what = match &self.what {
            Freeable::Download { content } => content,
            Freeable::Payload | Freeable::Replaced | Freeable::Game => self.what.word(),
        };
        // No GameId has a slash.
        Cow::Owned(format!("{}/{what}", self.game))
    }
}

/// At most so often it is weighed anew because something changed elsewhere: each time the disk is read.
const NEWS_MS: u64 = 3_000;

/// What is known of space, and what the user does with it.
#[derive(Debug)]
pub(crate) struct Space {
    /// Cursor, marks and order.
    pub(crate) table: Table,
    /// The tab to go back to.
    pub(crate) from: Screen,
    /// What could go; `None` until it was answered.
    view: Option<SpaceView>,
    asked: bool,
    stale: bool,
    /// Something else changed what is shown.
    news: bool,
    asked_ms: u64,
}

impl Default for Space {
    fn default() -> Self {
        Self {
            table: Table::new(SortBy::Size),
            from: Screen::Library,
            view: None,
            asked: false,
            stale: true,
            news: false,
            asked_ms: 0,
        }
    }
}

impl Space {
    /// What could go.
    pub(crate) fn items(&self) -> &[SpaceItem] {
        items(&self.view)
    }

    /// How many more things there are than are listed; `None` until anything is known.
    pub(crate) fn more(&self) -> Option<u32> {
        self.view.as_ref().map(|view| view.more)
    }

    /// The item at a row.
    pub(crate) fn at(&self, row: usize) -> Option<&SpaceItem> {
        self.table.at(row, self.items())
    }

    /// The item under the cursor.
    pub(crate) fn selected(&self) -> Option<&SpaceItem> {
        self.table.selected(self.items())
    }

    /// The marked items, else the one under the cursor; without what goes along with a whole game that is among them.
    pub(crate) fn chosen(&self) -> Vec<&SpaceItem> {
        without_parts(self.table.chosen(self.items()))
    }

    /// What the marked items would free.
    pub(crate) fn marked_bytes(&self) -> Freed {
        if self.table.list.marks.is_empty() { Freed::default() } else { Freed::by(&self.chosen()) }
    }

    /// What everything would free.
    pub(crate) fn bytes(&self) -> Freed {
        Freed::by(&without_parts(self.items().iter().collect()))
    }

    /// It is to be weighed again when somebody looks.
    pub(crate) fn on_change(&mut self) {
        self.stale = true;
    }

    /// The same, though nothing here asked for it: it is not weighed at every one of many changes.
    pub(crate) fn on_news(&mut self) {
        self.news = true;
    }

    /// Whether to ask now; who is told so asks.
    pub(crate) fn ask(&mut self, now_ms: u64) -> bool {
        let news = self.news && now_ms >= self.asked_ms.saturating_add(NEWS_MS);
        let ask = (self.stale || news) && !self.asked;
        if ask {
            (self.asked, self.stale, self.news, self.asked_ms) = (true, false, false, now_ms);
        }
        ask
    }

    /// It was answered, or refused: then what was known stands.
    pub(crate) fn on_answer(&mut self, view: Option<SpaceView>) {
        self.asked = false;
        self.view = view.or(self.view.take());
        self.index();
    }

    /// Changes cursor or marks.
    pub(crate) fn with(&mut self, change: impl FnOnce(&mut super::list::List, &dyn super::list::Ids)) {
        self.table.with(items(&self.view), change);
    }

    /// Works out the rows anew.
    pub(super) fn index(&mut self) {
        let items = items(&self.view);
        let folded_title = |place: usize| items[place].title.to_lowercase();
        self.table.index(
            items,
            |filter, _, item| filter.shows_space(item),
            &[
                (SortBy::Title, &|a, b| folded_title(a).cmp(&folded_title(b))),
                (SortBy::Size, &|a, b| larger_first(items[a].bytes, items[b].bytes)),
                // What nobody ever played is missed least.
                (SortBy::Played, &|a, b| items[a].last_played.cmp(&items[b].last_played)),
            ],
        );
    }
}

/// Bytes that are free when something goes: not one number where files may share blocks, because only the file system knows
/// which do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Freed {
    least: u64,
    most: u64,
}

impl Freed {
    /// By these items, each of which stands for itself.
    pub(crate) fn by(items: &[&SpaceItem]) -> Self {
        let most = items.iter().map(|item| item.bytes).sum();
        let shared: u64 = items.iter().map(|item| item.shared).sum();
        Self { least: u64::saturating_sub(most, shared), most }
    }

    pub(crate) fn is_nothing(self) -> bool {
        self.most == 0
    }

    /// Beside what is free already.
    pub(crate) fn and(self, free: u64) -> Self {
        Self { least: self.least.saturating_add(free), most: self.most.saturating_add(free) }
    }

    /// `3.1 GB`, `1.9 GB to 3.1 GB`.
    pub(crate) fn size(self) -> String {
        let (least, most) = (words::size(self.least), words::size(self.most));
        if least == most { most } else { format!("{least} to {most}") }
    }
}

fn items(view: &Option<SpaceView>) -> &[SpaceItem] {
    view.as_ref().map_or(&[], |view| &view.items)
}

/// A game that goes takes all of it along but what is the user's own.
fn without_parts(items: Vec<&SpaceItem>) -> Vec<&SpaceItem> {
    let whole: BTreeSet<&str> =
        items.iter().filter(|item| item.what == Freeable::Game).map(|item| item.game.as_str()).collect();
    let goes_along = |item: &SpaceItem| match item.what {
        Freeable::Download { .. } | Freeable::Payload => whole.contains(item.game.as_str()),
        Freeable::Replaced | Freeable::Game => false,
    };
    let mut once = BTreeMap::new();
    for item in items.iter().filter(|item| !goes_along(item)) {
        once.entry(item.id().into_owned()).or_insert(*item);
    }
    let mut left: Vec<&SpaceItem> = once.into_values().collect();
    left.sort_by(|a, b| larger_first(a.bytes, b.bytes));
    left
}

/// What an item is, in a few words.
pub(crate) fn name(what: &Freeable) -> &'static str {
    match what {
        Freeable::Download { .. } => "left-over",
        Freeable::Payload => "payload",
        Freeable::Replaced => "your own files",
        Freeable::Game => "whole game",
    }
}

/// What is lost with it, as a sentence.
pub(crate) fn loss(item: &SpaceItem) -> String {
    let others = match item.others {
        0 => "NOBODY else here has".to_owned(),
        1 => "1 other here has".to_owned(),
        more => format!("{} others here have", words::thousands(more.into())),
    };
    let shared = |how: &str| match item.shared {
        0 => String::new(),
        bytes => format!(" Up to {} of it share blocks {how}.", words::size(bytes)),
    };
    match item.what {
        Freeable::Download { .. } => {
            let shared = shared("with what is here");
            format!("What was verified of it is fetched anew the next time; {others} all of it.{shared}")
        }
        Freeable::Payload => {
            format!(
                "{others} it. It stays playable, but is not shared until got again.{}",
                shared("with what is installed")
            )
        }
        Freeable::Replaced => {
            "YOUR OWN files, set aside by an update or the end of an installation; nobody else has them.".to_owned()
        }
        Freeable::Game => {
            format!("Payload and what is installed; {others} this build.{}", shared("and count twice"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::filter::{Filter, qualities},
        *,
    };

    fn item(game: &str, what: Freeable, bytes: u64) -> SpaceItem {
        let (title, version) = (game.to_uppercase(), "1".to_owned());
        SpaceItem {
            game: game.to_owned(),
            title,
            version,
            what,
            bytes,
            shared: 0,
            path: String::new(),
            others: 0,
            last_played: None,
        }
    }

    #[test]
    fn what_goes_along_with_a_game_is_counted_once() {
        let mut space = Space::default();
        let download = || Freeable::Download { content: "c".to_owned() };
        assert!(space.ask(0) && !space.ask(0));
        space.on_change();
        assert!(!space.ask(0), "one question at a time");
        let items = vec![
            item("a", Freeable::Game, 10),
            item("a", download(), 4),
            item("b", download(), 3),
            item("a", Freeable::Replaced, 2),
        ];
        space.on_answer(Some(SpaceView { items, ..SpaceView::default() }));
        assert_eq!(space.bytes().most, 15);
        assert!(space.marked_bytes().is_nothing());
        space.with(|list, ids| list.toggle_all(ids));
        assert_eq!((space.marked_bytes().most, space.chosen().len()), (15, 3));
        space.with(|list, _| list.toggle_mark());
        assert_eq!(space.marked_bytes().most, 9, "without the game, the download counts");
        // A refusal changes nothing that is known.
        assert!(space.ask(0));
        space.on_answer(None);
        assert_eq!(space.items().len(), 4);
    }

    #[test]
    fn every_kind_of_what_takes_space_is_offered_and_found() {
        let kinds = [Freeable::Download { content: "c".into() }, Freeable::Game, Freeable::Payload, Freeable::Replaced];
        assert_eq!(kinds.each_ref().map(Freeable::word), *qualities(Screen::Space));
        for what in kinds {
            let item = item("x", what.clone(), 1);
            let found = |word: &&&str| Filter::parse(&format!("is:{word}")).shows_space(&item);
            let words: Vec<&&str> = qualities(Screen::Space).iter().filter(found).collect();
            assert_eq!(words, [&what.word()]);
        }
    }
}
