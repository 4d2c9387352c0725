//! The library: its order and filter, and what is asked of the runtime.

use super::*;

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
    // What begins so comes before what holds it, until an order is chosen.
    check_selected("/war", "Warcraft III");
    check_selected("/war<Enter>G", "Hedgewars");
    check_selected("/war<Enter>stgg", "Hedgewars");
    check_selected("G/war", "Warcraft III");
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
    check_selected("fp", "Red Eclipse");
    check_selected("/is:ready r<Enter>fpfa", "Red Eclipse");
    check_selected("fugg", "CS: Source");
    check_selected("fhggj", "AssaultCube");
    check_selected("ff", "Warsow");
    check_selected("fwgg", "FlatOut 2");
    check_selected("fggg", "Company of Heroes");
    check_selected("fogg", "Armagetron Advanced");
    check_selected("frgg", "0 A.D.");
}

#[test]
fn keys_ask_for_games() {
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
            after: AfterGet::Install,
        })],
    );
    check_asked("jjjjp", &[Command::Pause { game: coh() }]);
    check_asked("jjv", &[]);
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
}

#[test]
fn another_build_is_got_at_once_or_chosen() {
    let build = |game: &str, content: &str, after| {
        Command::Get(GetRequest { game: game.into(), content: Some(content.into()), after, ..GetRequest::default() })
    };
    check_asked("/cs<Enter>U", &[build("cs--source", "aa", AfterGet::Install)]);
    check_asked("/warcraft<Enter>U", &[]);
    check_asked("/warcraft<Enter>U1", &[build("warcraft-iii", "b7e0aa11", AfterGet::Install)]);
    check_asked("/warcraft<Enter>U<Esc>", &[]);
    check_says("U", "Nobody here has another build of 0 A.D.");
    check_says("<Space>j<Space>U", "Nothing of what is marked has a newer build");
    let picture = busy(100, 30).keys("/warcraft<Enter>U").picture();
    assert!(picture.contains("Change to") && picture.contains("3 have it  unvouched"), "{picture}");
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

#[test]
fn what_cannot_be_done_says_why() {
    check_says("<Enter>", "0 A.D. has no launch command in the catalog; its folder is");
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

#[test]
fn a_game_that_can_be_started_shows_what_runs_before_it_does() {
    let room = |since: Option<u64>| {
        let mut room = fixture::room();
        let mut games = (*room.games).clone();
        let game = games.iter_mut().find(|game| game.title == "0 A.D.").unwrap();
        (game.can_play, game.playing_since_ms) = (true, since);
        room.games = Arc::new(games);
        room
    };
    let play = |confirm: &[&str]| Command::Play {
        game: "0-a-d-".into(),
        confirm: confirm.iter().map(|mark| (*mark).to_owned()).collect(),
    };
    let seat = Seat::new(&room(None), 100, 30);
    assert!(seat.picture().contains("Enter Play"), "{}", seat.picture());
    let mut seat = seat.keys("<Enter>");
    assert_eq!(seat.asked, [play(&[])]);
    let program = |setup: bool, shown: &str, mark: &str| ProgramView {
        setup,
        words: Vec::new(),
        shown: shown.into(),
        mark: mark.into(),
    };
    let programs = vec![program(true, "/g/0ad/local/set-up 'a b'", "s"), program(false, "/usr/bin/0ad -w", "l")];
    let (title, place) = ("0 A.D.".to_owned(), "on nas-01, in /g/0ad/local".to_owned());
    let ask = Reply::Confirm(ConfirmView { game: "0-a-d-".into(), title, programs, place });
    seat.tell(Msg::Answer { command: play(&[]), subject: "0 A.D.".into(), result: Ok(ask) });
    for shown in ["on nas-01, in /g/0ad/local", "once: /g/0ad/local/set-up 'a b'", "play: /usr/bin/0ad -w", "y Run it"]
    {
        assert!(seat.picture().contains(shown), "{shown}: {}", seat.picture());
    }
    let seat = seat.keys("<Enter><Esc>");
    assert_eq!(seat.asked.len(), 1, "neither runs it");
    let mut seat = seat.keys("<Enter>");
    let ask = Reply::Confirm(ConfirmView {
        game: "0-a-d-".into(),
        programs: vec![program(false, "x", "l")],
        ..ConfirmView::default()
    });
    seat.tell(Msg::Answer { command: play(&[]), subject: "0 A.D.".into(), result: Ok(ask) });
    let seat = seat.keys("y");
    assert_eq!(seat.asked.last(), Some(&play(&["l"])));

    let seat = Seat::new(&room(Some(NOW_MS - 31_000)), 160, 45);
    assert!(seat.picture().contains("playing 0:42"), "{}", seat.picture());
    assert_eq!(seat.model.wake_at_ms() - seat.model.now.unix_ms, 1_000);
    let seat = seat.keys("<Enter>");
    assert!(seat.asked.is_empty() && seat.model.notice.text.contains("0 A.D. runs"), "{}", seat.model.notice.text);
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

#[test]
fn a_game_is_moved_to_a_library_that_is_chosen() {
    let mut snapshot = fixture::room();
    let mut totals = (*snapshot.totals).clone();
    let library = |path: &str, trouble: Option<&str>| crate::api::LibraryView {
        path: path.to_owned(),
        trouble: trouble.map(str::to_owned),
        ..Default::default()
    };
    totals.libraries.extend([library("/mnt/away", Some("it is not there")), library("/mnt/big", None)]);
    snapshot.totals = Arc::new(totals);
    let seat = Seat::new(&snapshot, 100, 30).keys(":move<Enter>");
    let picture = seat.picture();
    assert!(picture.contains("1  /mnt/big") && !picture.contains("/mnt/away"), "{picture}");
    let moved = Command::Move { game: "0-a-d-".into(), library: "/mnt/big".into() };
    assert_eq!(seat.keys("1").asked, [moved]);
    assert_eq!(Seat::new(&snapshot, 100, 30).keys(":move<Enter><Esc>").asked, []);
    assert_eq!(Seat::new(&snapshot, 100, 30).keys("j:move<Enter>").asked, []);
    // With one library there is nothing to choose.
    let one = busy(100, 30).keys(":move");
    assert!(!one.picture().contains("another of your libraries"), "{}", one.picture());
}
