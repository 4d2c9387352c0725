//! The one table of what the keys do. Keymap, help screen, hint bar and `docs/keys.md` are made from
//! it, so an action that is not here does not exist and one that is here is documented.
//! What an action does stands in [`super::update`].

use std::fmt::Write as _;

/// One of the tabs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Screen {
    /// Every game here and in the room.
    #[default]
    Library,
    /// What we are getting.
    Transfers,
    /// The machines of the room.
    Peers,
    /// The connections to them.
    Links,
    /// What happened.
    Log,
    /// What takes space and could go; shown over the tab one comes from.
    Space,
}

impl Screen {
    /// Every tab, in the order of its number.
    pub(crate) const TABS: [Self; 5] = [Self::Library, Self::Transfers, Self::Peers, Self::Links, Self::Log];
    /// Every screen.
    pub(crate) const ALL: [Self; 6] =
        [Self::Library, Self::Transfers, Self::Peers, Self::Links, Self::Log, Self::Space];

    /// Its name in the top line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Library => "Library",
            Self::Transfers => "Transfers",
            Self::Peers => "Peers",
            Self::Links => "Links",
            Self::Log => "Log",
            Self::Space => "Free space",
        }
    }

    /// The tab so many to the right, round the end.
    pub(crate) fn step(self, by: isize) -> Self {
        let all = Self::TABS;
        let at = all.iter().position(|screen| *screen == self).unwrap_or(0);
        all[(at as isize + by).rem_euclid(all.len() as isize) as usize]
    }
}

/// What a key can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    Down,
    Up,
    HalfDown,
    HalfUp,
    PageDown,
    PageUp,
    Top,
    Bottom,
    DetailsDown,
    DetailsUp,
    Into,
    Out,
    Library,
    Transfers,
    Peers,
    Links,
    Log,
    FreeSpace,
    NextScreen,
    PrevScreen,
    Next,
    Mark,
    MarkRange,
    MarkAll,
    Filter,
    Back,
    ShowAll,
    ShowAvailable,
    ShowMoving,
    ShowWaiting,
    ShowPaused,
    ShowReady,
    ShowFailed,
    ShowUpdates,
    ShowHere,
    SortTitle,
    SortVersion,
    SortSize,
    SortState,
    SortHave,
    SortQueue,
    SortRate,
    SortLeft,
    SortName,
    SortPing,
    SortFrom,
    SortTo,
    SortHas,
    SortAge,
    SortLoss,
    SortPlayed,
    SortReverse,
    Pause,
    Cancel,
    Later,
    Sooner,
    MapLayer,
    ZoomIn,
    ZoomOut,
    Install,
    Uninstall,
    Update,
    Verify,
    Remove,
    Move,
    AddFolder,
    Rescan,
    AddAddress,
    Trust,
    Block,
    LimitUp,
    LimitDown,
    Quiet,
    Hold,
    LevelAll,
    LevelMain,
    LevelTrouble,
    CopyPath,
    CopyCommand,
    CopyId,
    Palette,
    Doctor,
    Help,
    Theme,
    Redraw,
    Suspend,
    Background,
    Quit,
    Interrupt,
}

/// Under which heading the help screen lists an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    Moving,
    Choosing,
    Games,
    Peers,
    Log,
    Program,
}

impl Group {
    /// Every heading in order.
    pub(crate) const ALL: [Self; 6] =
        [Self::Moving, Self::Choosing, Self::Games, Self::Peers, Self::Log, Self::Program];

    /// As people read it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Moving => "Moving",
            Self::Choosing => "Choosing",
            Self::Games => "Games",
            Self::Peers => "Peers",
            Self::Log => "Log",
            Self::Program => "Program",
        }
    }
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct ActionRow {
    /// What it is.
    pub(crate) action: Action,
    /// Its name in a keymap file.
    pub(crate) name: &'static str,
    /// Its default keys; the first is the one that hints show.
    pub(crate) keys: &'static [&'static str],
    /// The tabs it works in.
    pub(crate) screens: &'static [Screen],
    /// Where the help screen lists it.
    pub(crate) group: Group,
    /// Its word in the hint bar.
    pub(crate) hint: &'static str,
    /// A sentence about it.
    pub(crate) help: &'static str,
}

const EVERYWHERE: &[Screen] = &Screen::ALL;
const TABLES: &[Screen] = &[Screen::Library, Screen::Transfers, Screen::Peers, Screen::Links];
const PANES: &[Screen] = &[Screen::Library, Screen::Transfers, Screen::Links];
const LISTS: &[Screen] = &[Screen::Library, Screen::Transfers, Screen::Peers, Screen::Links, Screen::Space];
const TITLED: &[Screen] = &[Screen::Library, Screen::Transfers, Screen::Space];
const REMOVABLE: &[Screen] = &[Screen::Library, Screen::Space];
const LIBRARY: &[Screen] = &[Screen::Library];
const SPACE: &[Screen] = &[Screen::Space];
const GAMES: &[Screen] = &[Screen::Library, Screen::Transfers];
const TRANSFERS: &[Screen] = &[Screen::Transfers];
const PEERS: &[Screen] = &[Screen::Peers];
const ROOM: &[Screen] = &[Screen::Peers, Screen::Links];
const LINKS: &[Screen] = &[Screen::Links];
const LOG: &[Screen] = &[Screen::Log];

macro_rules! actions {
    ($($action:ident $name:literal $keys:expr, $screens:ident, $group:ident, $hint:literal, $help:literal;)*) => {
        &[$(ActionRow {
            action: Action::$action,
            name: $name,
            keys: &$keys,
            screens: $screens,
            group: Group::$group,
            hint: $hint,
            help: $help,
        }),*]
    };
}

/// Every action, in the order in which help and documents list them.
pub(crate) const ACTIONS: &[ActionRow] = actions![
    Down "down" ["j", "Down"], EVERYWHERE, Moving, "Down", "One line down";
    Up "up" ["k", "Up"], EVERYWHERE, Moving, "Up", "One line up";
    HalfDown "half-down" ["Ctrl-d"], EVERYWHERE, Moving, "Half down", "Half a page down";
    HalfUp "half-up" ["Ctrl-u"], EVERYWHERE, Moving, "Half up", "Half a page up";
    PageDown "page-down" ["PgDn"], EVERYWHERE, Moving, "Page down", "A page down";
    PageUp "page-up" ["PgUp"], EVERYWHERE, Moving, "Page up", "A page up";
    Top "top" ["gg", "Home"], EVERYWHERE, Moving, "Top", "To the first line";
    Bottom "bottom" ["G", "End"], EVERYWHERE, Moving, "Bottom", "To the last line; in the log, follow it";
    DetailsDown "details-down" ["J"], TABLES, Moving, "Details down", "Scroll the details down";
    DetailsUp "details-up" ["K"], TABLES, Moving, "Details up", "Scroll the details up";
    Into "into" ["l", "Right"], PANES, Moving, "Details", "Into the details or the map, where the keys then move";
    Out "out" ["h", "Left"], PANES, Moving, "Back", "Back to the list";
    Library "library" ["1"], EVERYWHERE, Moving, "Library", "Every game here and in the room";
    Transfers "transfers" ["2"], EVERYWHERE, Moving, "Transfers", "What is being got";
    Peers "peers" ["3"], EVERYWHERE, Moving, "Peers", "The machines of the room";
    Links "links" ["4"], EVERYWHERE, Moving, "Links", "The connections to the machines of the room";
    Log "log" ["5"], EVERYWHERE, Moving, "Log", "What happened";
    FreeSpace "free-space" ["F"], EVERYWHERE, Moving, "Free space", "What takes space here and could go";
    NextScreen "next-screen" ["Tab", "]"], EVERYWHERE, Moving, "Next", "The next screen";
    PrevScreen "previous-screen" ["Shift-Tab", "["], EVERYWHERE, Moving, "Previous", "The screen before";
    Next "next-step" ["Enter"], EVERYWHERE, Choosing, "Go", "The next step for the selection; the bottom line names it";
    Mark "mark" ["Space"], LISTS, Choosing, "Mark", "Mark and go down; marked ones act together";
    MarkRange "mark-range" ["v"], LISTS, Choosing, "Range", "Mark from here to where the cursor goes; again to end";
    MarkAll "mark-all" ["*"], LISTS, Choosing, "Mark all", "Mark all that are shown, or none";
    Filter "filter" ["/"], EVERYWHERE, Choosing, "Filter", "Show only what matches; also @peer and is:state";
    Back "back" ["Esc"], EVERYWHERE, Choosing, "Back", "Clear marks, then the filter";
    ShowAll "show-all" ["fa"], LIBRARY, Choosing, "All", "Show games in every state";
    ShowHere "show-here" ["fh"], LIBRARY, Choosing, "Here", "Show only games that are here";
    ShowAvailable "show-available" ["fo"], LIBRARY, Choosing, "Available", "Show only games that others have";
    ShowMoving "show-getting" ["fg"], LIBRARY, Choosing, "Getting", "Show only games that are arriving";
    ShowWaiting "show-waiting" ["fw"], LIBRARY, Choosing, "Waiting", "Show only games that wait for something";
    ShowPaused "show-paused" ["fp"], LIBRARY, Choosing, "Paused", "Show only games that you paused";
    ShowReady "show-ready" ["fr"], LIBRARY, Choosing, "Ready", "Show only games that are ready";
    ShowFailed "show-failed" ["ff"], LIBRARY, Choosing, "Failed", "Show only games that need you";
    ShowUpdates "show-updates" ["fu"], LIBRARY, Choosing, "Updates", "Show only games that have a newer version";
    SortTitle "sort-title" ["st"], TITLED, Choosing, "Title", "Sort by title";
    SortVersion "sort-version" ["sv"], LIBRARY, Choosing, "Version", "Sort by version";
    SortSize "sort-size" ["sz"], TITLED, Choosing, "Size", "Sort by size, largest first";
    SortState "sort-state" ["ss"], GAMES, Choosing, "State", "Sort by state, what moves first";
    SortHave "sort-have" ["sh"], LIBRARY, Choosing, "Have", "Sort by how many have it, most first";
    SortQueue "sort-queue" ["sq"], TRANSFERS, Choosing, "Queue", "Sort as they will be got";
    SortRate "sort-rate" ["sr"], TRANSFERS, Choosing, "Rate", "Sort by rate, fastest first";
    SortLeft "sort-left" ["sl"], TRANSFERS, Choosing, "Left", "Sort by time left, what is done next first";
    SortName "sort-name" ["sn"], ROOM, Choosing, "Name", "Sort by name; peers that are here first";
    SortPing "sort-ping" ["sp"], ROOM, Choosing, "Ping", "Sort by round-trip time, nearest first";
    SortFrom "sort-from" ["sf"], ROOM, Choosing, "From", "Sort by what comes from them, most first";
    SortTo "sort-to" ["st"], ROOM, Choosing, "To", "Sort by what goes to them, most first";
    SortHas "sort-has" ["sh"], PEERS, Choosing, "Has", "Sort by how many games they have, most first";
    SortAge "sort-age" ["sa"], LINKS, Choosing, "Age", "Sort by age, oldest first";
    SortLoss "sort-loss" ["sl"], LINKS, Choosing, "Loss", "Sort by loss, worst first";
    SortPlayed "sort-played" ["sp"], SPACE, Choosing, "Played", "Sort by when it was last played, longest ago first";
    SortReverse "sort-reverse" ["S"], LISTS, Choosing, "Reverse", "Sort the other way round";
    Pause "pause" ["p"], GAMES, Games, "Pause", "Pause a transfer, or go on with it";
    Cancel "cancel" ["c"], GAMES, Games, "Cancel", "End a transfer; what is here is kept unless you discard it";
    Later "later" [">"], TRANSFERS, Games, "Later", "Move a transfer down the queue";
    Sooner "sooner" ["<"], TRANSFERS, Games, "Sooner", "Move a transfer up the queue";
    MapLayer "map-layer" ["m"], TRANSFERS, Games, "Layer", "Show on the map what the others hold, or what is here";
    ZoomIn "zoom-in" ["+"], TRANSFERS, Games, "Zoom in", "Fewer chunks on the map, around its cursor";
    ZoomOut "zoom-out" ["-"], TRANSFERS, Games, "Zoom out", "More chunks on the map";
    Install "install" ["i"], LIBRARY, Games, "Install", "Make a game that is here playable, or renew what is installed of it";
    Uninstall "uninstall" ["x"], LIBRARY, Games, "Uninstall", "Take back what was installed; what was got stays";
    Update "update" ["U"], LIBRARY, Games, "Update", "Get the newer build of a game, or choose another one of the room";
    Verify "verify" ["r"], LIBRARY, Games, "Check", "Read a game again and compare every byte";
    Remove "remove" ["d"], REMOVABLE, Games, "Remove", "Delete a game, or what takes space, from this machine; asks first";
    Move "move" [], LIBRARY, Games, "Move", "Bring a game to another of your libraries; asks which";
    AddFolder "add-folder" ["a"], LIBRARY, Games, "Add folder", "Put a folder or an archive into the library";
    Rescan "rescan" ["R"], LIBRARY, Games, "Rescan", "Look at the library folder again";
    AddAddress "add-address" ["a"], PEERS, Peers, "Add address", "Connect to a peer by its address";
    Trust "trust" ["T"], PEERS, Peers, "Trust", "Trust what a peer announces, or stop trusting it";
    Block "block" ["b"], PEERS, Peers, "Block", "Have nothing to do with a peer, or let it in again";
    LimitUp "limit-up" ["Lu"], EVERYWHERE, Peers, "Upload", "Limit what is sent to everybody; on Peers, to those chosen";
    LimitDown "limit-down" ["Ld"], EVERYWHERE, Peers, "Download", "Limit what is received from everybody; on Peers, from those chosen";
    Quiet "quiet" ["z"], EVERYWHERE, Peers, "Quiet", "Send only a trickle, or as before";
    Hold "hold" ["p"], LOG, Log, "Hold", "Hold the log still, or follow it";
    LevelAll "level-all" ["fa"], LOG, Log, "Everything", "Show everything that happens";
    LevelMain "level-main" ["fm"], LOG, Log, "What matters", "Show what matters";
    LevelTrouble "level-trouble" ["ft"], LOG, Log, "Trouble", "Show only what went wrong";
    CopyPath "copy-path" ["yp"], TITLED, Program, "Path", "Copy the folder of a game";
    CopyCommand "copy-command" ["yc"], TABLES, Program, "Command", "Copy the command that gets the game, or connects to the peer";
    CopyId "copy-id" ["yi"], TABLES, Program, "Id", "Copy the ContentId of a game, or the PeerId";
    Palette "palette" [":"], EVERYWHERE, Program, "Actions", "Every action by its name";
    Doctor "doctor" ["D"], EVERYWHERE, Program, "Doctor", "Look for what keeps the party from working here, and what mends it";
    Help "help" ["?", "F1"], EVERYWHERE, Program, "Keys", "The keys";
    Theme "theme" [], EVERYWHERE, Program, "Theme", "Other colours, seen while you choose";
    Redraw "redraw" ["Ctrl-l"], EVERYWHERE, Program, "Redraw", "Draw the whole screen again";
    Suspend "suspend" ["Ctrl-z"], EVERYWHERE, Program, "Suspend", "Back to the shell; fg returns";
    Background "background" [], EVERYWHERE, Program, "Background", "Leave the screen; what is shared and got goes on in the background";
    Quit "quit" ["q"], EVERYWHERE, Program, "Quit", "Quit, or detach from a runtime of its own";
    Interrupt "interrupt" ["Ctrl-c"], EVERYWHERE, Program, "Quit", "Pressed twice: quit without a question";
];

/// The row of an action.
pub(crate) fn row(action: Action) -> &'static ActionRow {
    ACTIONS.iter().find(|row| row.action == action).expect("every action has its row; a test sees to it")
}

/// `docs/keys.md`.
#[must_use]
pub fn keys_document() -> String {
    let mut text = String::from(
        "# Keys\n\nMade from the table in `src/tui/action.rs`; a test fails when this page is stale.\n\
         Keys of a dialog come before these.\n\n\
         `keys.toml` in the config folder (`potluck config` names it) changes them: a line names an action and all its \
         keys.\n\n```toml\nverify = [\"V\", \"g v\"]  # two keys after one another\ntrust = []             # none; \
         it is still in the palette\n```\n\nWhat is wrong in it is named with its line, and the screen does not start.\n",
    );
    for group in Group::ALL {
        let _infallible =
            write!(text, "\n## {}\n\n| key | name | where | what it does |\n|---|---|---|---|\n", group.name());
        for row in ACTIONS.iter().filter(|row| row.group == group) {
            let keys: Vec<String> = row.keys.iter().map(|key| format!("`{key}`")).collect();
            let (keys, places) = (keys.join(" "), places(row.screens));
            let _infallible = writeln!(text, "| {keys} | {} | {places} | {} |", row.name, row.help);
        }
    }
    text.push_str(
        "\nIn a filter, words match titles and ids, also by the first letters of their words (`coh` finds \
         Company of Heroes); `@nas` shows what a peer whose name holds \"nas\" has; `is:ready`, `is:waiting` and the \
         other states show games in that state, and `is:update`, `is:private`, `is:here`, `is:marked` what they say.\n",
    );
    text
}

/// The tabs of an action in words.
pub(crate) fn places(screens: &[Screen]) -> String {
    if screens.len() == Screen::ALL.len() {
        return "all".to_owned();
    }
    screens.iter().map(|screen| screen.name()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::keymap::Key, *};

    #[test]
    fn every_action_has_one_row_and_every_name_is_used_once() {
        let actions: BTreeSet<Action> = ACTIONS.iter().map(|row| row.action).collect();
        let names: BTreeSet<&str> = ACTIONS.iter().map(|row| row.name).collect();
        assert_eq!(actions.len(), ACTIONS.len());
        assert_eq!(names.len(), ACTIONS.len());
        // The variants are numbered from 0 without gaps, so the last one tells how many there are.
        assert_eq!(ACTIONS.len(), Action::Interrupt as usize + 1);
    }

    #[test]
    fn no_key_means_two_things_on_one_screen_and_none_is_for_a_multiplexer() {
        for screen in Screen::ALL {
            let mut seen = BTreeSet::new();
            for row in ACTIONS.iter().filter(|row| row.screens.contains(&screen)) {
                for key in row.keys {
                    assert!(seen.insert(*key), "{key} is bound twice on {}", screen.name());
                    assert!(!["Ctrl-a", "Ctrl-b"].contains(key) && !key.contains("Alt"), "{key}");
                }
            }
            for longer in &seen {
                for key in seen.iter().filter(|key| key.chars().count() == 1 && key != &longer) {
                    let chord = longer.chars().count() == 2 && Key::named(longer).is_none();
                    assert!(!(chord && longer.starts_with(*key)), "{key} hides {longer} on {}", screen.name());
                }
            }
        }
    }

    #[test]
    fn the_document_names_every_action() {
        let document = keys_document();
        for row in ACTIONS {
            assert!(document.contains(row.help), "{}", row.name);
        }
    }
}
