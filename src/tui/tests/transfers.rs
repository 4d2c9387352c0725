//! The transfers: their order, what is asked of the runtime, and the chunk map.

use super::*;

#[test]
fn the_queue_in_its_orders() {
    check_selected("2jj", "SuperTuxKart");
    check_selected("2/unr", "Unreal Tourn. 2004");
    check_selected("2sr", "Company of Heroes");
    check_selected("2srjS", "Warzone 2100");
    check_selected("2slgg", "Warzone 2100");
    check_selected("2stgg", "Company of Heroes");
    check_selected("2stGsqgg", "Company of Heroes");
    check_selected("2szSgg", "Warzone 2100");
    check_selected("2ssG", "Red Eclipse");
}

#[test]
fn keys_ask_for_transfers() {
    let coh = || "company-of-heroes".to_owned();
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
    let marked = busy(100, 30).keys("2vjj").model.transfers.list.marks.len();
    assert_eq!(marked, 3);
    check_asked("2vjvjjp", &[Command::Pause { game: coh() }, Command::Pause { game: "warzone-2100".into() }]);
}

#[test]
fn the_map_is_looked_into() {
    let answered = |mut seat: Seat| {
        // As the loop does: one look at a time, the newest answered last.
        while let Some(request) = seat.looks.pop() {
            let result = Ok(Reply::Map(Box::new(fixture::map_view(&request))));
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
    // What comes from a source has its colour, and so has its name.
    let buf = seat.drawn(ColorDepth::Indexed256);
    let theme = Theme::named("default", &[], ColorDepth::Indexed256).unwrap();
    for (name, role) in [("nas-01", Role::Source1), ("seat-04", Role::Source2), ("seat-22", Role::Source3)] {
        let color = theme.style(role).fg.unwrap();
        let of_map = buf.content.iter().filter(|cell| cell.symbol() == "▀" && [cell.fg, cell.bg].contains(&color));
        assert!(of_map.count() > 10, "{name}");
        let named = buf.area.positions().find(|at| {
            let text: String = (at.x..100.min(at.x + 7)).map(|x| buf[(x, at.y)].symbol()).collect();
            at.y > 20 && text.trim_end() == name
        });
        assert_eq!(named.map(|at| buf[at].fg), Some(color), "{name}");
    }
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
