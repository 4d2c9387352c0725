//! Where the keys lead: from tab to tab, into panes and dialogs and back.

use super::*;

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
    check_screen("jjjj<Enter><Enter>", Transfers);
    check_screen("jjjj<Enter><Enter><Enter>", Library);
    check_screen("3<Enter>", Library);
    // A number typed into a line is text.
    check_screen("/2<Enter>", Library);
    check_screen("?2", Library);
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
    check_focus(WIDE, "2<Enter>", Focus::Pane);
    check_focus(WIDE, "2<Enter><Enter>", Focus::List);
    // Where there is no map, and where something else is the next step.
    check_focus((40, 10), "2<Enter>", Focus::List);
    check_focus(WIDE, "2G<Enter>", Focus::List);
    check_focus(WIDE, "2l1", Focus::List);
    check_focus(WIDE, "3l", Focus::List);
    check_focus(SMALL, "l", Focus::List);
    check_focus(SMALL, "2l", Focus::Pane);
    // Marking there leaves in the pane what is in it.
    assert_eq!(busy(100, 30).keys("2l<Space>").model.selected_transfer().unwrap().title, "Company of Heroes");
    assert_eq!(busy(100, 30).keys("2l<Space>").model.marked(), 1);
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
        ("Free space", "F"),
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
        "F",
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
    check_text("ways", &table);
}

/// What is shown, in words.
fn place(seat: &Seat) -> String {
    let model = &seat.model;
    let screen = model.screen.name();
    let over = match &model.overlay {
        Some(Overlay::Help { .. }) => "help",
        Some(Overlay::Doctor { .. }) => "doctor",
        Some(Overlay::Question(_)) => "question",
        Some(Overlay::Palette { .. }) => "palette",
        Some(Overlay::Prompt(prompt)) => match prompt.purpose {
            Purpose::Filter => "filter",
            Purpose::AddFolder => "folder",
            Purpose::AddAddress => "address",
            Purpose::LimitUp | Purpose::LimitDown => "limit",
            Purpose::Theme => "themes",
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
            (None, Focus::Pane, Screen::Library | Screen::Peers | Screen::Log | Screen::Space) => "details",
        },
    };
    let place = if over.is_empty() { screen.to_owned() } else { format!("{screen} {over}") };
    match seat.left {
        Some(exit) => format!("{exit:?}"),
        None => place,
    }
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
