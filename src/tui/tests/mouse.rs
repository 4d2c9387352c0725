//! The mouse does what keys do.

use super::{super::input::Pointed, *};

fn click(mut seat: Seat, column: u16, row: u16) -> Seat {
    seat.tell(Msg::Pointed(Pointed::Click { column, row }));
    seat
}

fn wheel(mut seat: Seat, down: bool) -> Seat {
    seat.tell(Msg::Pointed(Pointed::Wheel { down }));
    seat
}

/// Where on the screen this stands.
fn place_of(seat: &Seat, text: &str) -> (u16, u16) {
    let picture = seat.picture();
    let (row, line) = (0..).zip(picture.lines()).find(|(_, line)| line.contains(text)).unwrap();
    let before = &line[..line.find(text).unwrap()];
    (potluck_widgets::text::width(before) as u16, row)
}

fn check_tab(width: u16, before: &str, text: &str, expect: Screen) {
    let seat = busy(width, 24).keys(before);
    let (column, row) = place_of(&seat, text);
    assert_eq!(click(seat, column, row).model.screen, expect, "{text}");
}

#[test]
fn a_click_on_a_tab_goes_there() {
    for width in [80, 100] {
        check_tab(width, "", "2 Transfers", Screen::Transfers);
        check_tab(width, "", "5 Log", Screen::Log);
        check_tab(width, "3", "[3 Peers]", Screen::Peers);
        check_tab(width, "3", "1 Library", Screen::Library);
    }
    check_tab(40, "", " 4 ", Screen::Links);
    let outside = click(busy(100, 24), 99, 0);
    assert_eq!(outside.model.screen, Screen::Library);
}

#[test]
fn a_click_selects_a_row() {
    let selected = |seat: &Seat| seat.model.library.list.at();
    let seat = busy(80, 24);
    let (column, row) = place_of(&seat, "BZFlag");
    assert_eq!(selected(&click(seat, column, row)), Some(3));
    // Where the list is scrolled, and back from the details.
    let seat = busy(100, 24).keys("Gl");
    let (column, row) = place_of(&seat, "Xonotic");
    let seat = click(seat, column, row);
    assert_eq!((seat.model.selected_game().unwrap().title.as_str(), seat.model.focus), ("Xonotic", Focus::List));
    // Titles of columns, what is below the last row, and details are no rows.
    for at in [(5, 1), (5, 0), (90, 10), (5, 23)] {
        let seat = click(busy(100, 24).keys("jj"), at.0, at.1);
        assert_eq!(selected(&seat), Some(2), "{at:?}");
    }
    assert_eq!(selected(&click(Seat::new(&fixture::nothing(), 80, 24), 5, 5)), None);
    let seat = busy(100, 30).keys("2");
    let (column, row) = place_of(&seat, "SuperTuxKart");
    assert_eq!(click(seat, column, row).model.transfers.list.at(), Some(2));
}

#[test]
fn the_wheel_moves_what_the_keys_move() {
    let seat = wheel(wheel(busy(80, 24), true), true);
    assert_eq!(seat.model.library.list.at(), Some(6));
    assert_eq!(wheel(seat, false).model.library.list.at(), Some(3));
    let seat = wheel(busy(80, 24).keys("?"), true);
    assert!(matches!(seat.model.overlay, Some(Overlay::Help { from: 3 })));
    assert!(matches!(wheel(seat, false).model.overlay, Some(Overlay::Help { from: 0 })));
    let finding = |what: usize| Finding {
        check: "library".into(),
        verdict: Verdict::Ok,
        what: format!("thing {what}"),
        why: String::new(),
        fix: String::new(),
    };
    let found = Diagnosis { findings: (0..40).map(finding).collect() };
    let mut seat = busy(80, 24);
    seat.tell(Msg::Answer { command: Command::Doctor, subject: String::new(), result: Ok(Reply::Doctor(found)) });
    let seat = wheel(seat, true);
    assert!(matches!(seat.model.overlay, Some(Overlay::Doctor { from: 3, .. })));
    assert!(matches!(wheel(seat, false).model.overlay, Some(Overlay::Doctor { from: 0, .. })));
    let log = (0..40).fold(busy(80, 24), |seat, at| seat.event(Level::Info, &format!("fact {at}"))).keys("5");
    assert!(wheel(log, false).picture().contains("held, 3 newer"));
    // A question is answered by keys.
    let seat = wheel(click(busy(80, 24).keys("d"), 5, 5), true);
    assert!(matches!(seat.model.overlay, Some(Overlay::Question(_))));
    assert_eq!(seat.model.library.list.at(), Some(0));
}
