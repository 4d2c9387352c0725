//! The free space screen: its pictures, and what its keys ask for.

use super::*;
use crate::api::Freeable;

fn full(width: u16, height: u16) -> Seat {
    let mut room = fixture::room();
    let mut totals = (*room.totals).clone();
    totals.free = Some(0);
    room.totals = Arc::new(totals);
    Seat::new(&room, width, height).told_of_the_room()
}

#[test]
fn free_space_at_every_size() {
    for (width, height) in [(80, 24), (100, 30), (160, 45), (40, 10)] {
        check_picture(&format!("space_{width}x{height}"), &busy(width, height).keys("Fj"));
    }
    check_picture("space_full_marked", &full(100, 30).keys("F<Space>j<Space>"));
    check_picture("space_question", &full(80, 24).keys("F*d"));
    let ascii = Seat::with(&fixture::room(), 80, 24, GlyphLevel::Ascii, None).told_of_the_room().keys("Fjj<Space>");
    assert!(ascii.drawn(ColorDepth::Mono).content.iter().all(|cell| cell.symbol().is_ascii()));
    check_picture("space_ascii", &ascii);
    check_text("space_mono", &text_of(&busy(80, 24).keys("FG").drawn(ColorDepth::Mono)));
    // Not answered yet, and a filter that nothing matches.
    check_picture("space_weighing", &Seat::new(&fixture::nothing(), 80, 24).keys("F"));
    assert!(busy(80, 24).keys("F/zzz").picture().contains("Nothing that could go matches zzz"));
}

#[test]
fn what_goes_is_asked_about_and_never_goes_by_enter() {
    let free = |game: &str, what: Freeable| Command::Free { game: game.to_owned(), what };
    check_asked("Fd", &[]);
    check_asked("Fd<Enter>", &[]);
    check_asked("Fd<Esc>", &[]);
    check_asked("Fdy", &[free("cs--source", Freeable::Game)]);
    check_asked("FGdy", &[free("openttd", Freeable::Replaced)]);
    // A game takes what is left of its downloads along.
    check_asked("Fjjjj<Space><Space>dy", &[free("warcraft-iii", Freeable::Game)]);
    check_asked(":free-space<Enter>:remove<Enter>y", &[free("cs--source", Freeable::Game)]);
    let question = busy(100, 30).keys("FGd").picture();
    assert!(
        question.contains("YOUR OWN") && question.contains("/home/ann/Games/openttd/.potluck/replaced"),
        "{question}"
    );
    // What went is weighed again.
    let mut seat = busy(100, 30).keys("Fdy");
    let [command] = seat.asked.as_slice() else { panic!("{:?}", seat.asked) };
    let answer = Msg::Answer {
        command: command.clone(),
        subject: "CS: Source".into(),
        result: Ok(Reply::Done { message: "CS: Source is removed.".into() }),
    };
    let effects = seat.tell(answer);
    assert!(effects.contains(&Effect::Call { command: Command::Space, subject: String::new() }), "{effects:?}");
    // A runtime that refuses is heard, and not asked again and again.
    let refused = Err(CommandError::new(ErrorCode::Failed, "the disk is gone"));
    let mut seat = Seat::new(&fixture::room(), 100, 30).keys("F");
    let effects = seat.tell(Msg::Answer { command: Command::Space, subject: String::new(), result: refused });
    assert_eq!(effects, [Effect::DrawNow]);
    assert!(seat.picture().contains("the disk is gone"));
}

#[test]
fn what_may_share_blocks_is_promised_with_both_ends() {
    let words_of = |keys: &str| {
        let mut view = fixture::space();
        view.items.iter_mut().filter(|item| item.title == "CS: Source").for_each(|item| item.shared = 1_500_000_000);
        let mut seat = Seat::new(&fixture::room(), 100, 30).keys("F");
        let result = Ok(Reply::Space(view));
        seat.tell(Msg::Answer { command: Command::Space, subject: String::new(), result });
        seat.keys(keys).picture().replace(['│', '\n'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let check = |keys: &str, expect: &str| assert!(words_of(keys).contains(expect), "{expect}: {}", words_of(keys));
    check("gg", "could go, 21.3 GB to 22.8 GB");
    check("gg", "60 others here have this build. Up to 1.5 GB of it share blocks");
    check("ggd", "That frees 8.2 GB to 9.7 GB.");
    check("gg<Space>", "free, then 194 GB to 196 GB");
    check("gg<Space>", "1 marked, 8.2 GB to 9.7 GB");
    check("ggjjd", "That frees 3.1 GB to 4.6 GB.");
    check("ggjjd", "Up to 1.5 GB of it share blocks with");
    // What is not installed beside it has its blocks for itself.
    check("ggjd", "That frees 7.1 GB. Then 193 GB");
}

#[test]
fn what_changes_elsewhere_is_weighed_again_and_not_too_often() {
    let mut room = fixture::room();
    let mut seat = busy(100, 30).told_of_the_room().keys("F");
    let later_ms = seat.model.now.unix_ms;
    let ask = Effect::Call { command: Command::Space, subject: String::new() };
    let mut tell = |seconds: u64, change: &mut dyn FnMut(&mut crate::api::GameView)| {
        let mut effects = seat.tell(Msg::Time(Moment { unix_ms: later_ms + seconds * 1_000, offset_s: 3_600 }));
        let mut games = (*room.games).clone();
        change(&mut games[0]);
        room.games = Arc::new(games);
        effects.extend(seat.tell(Msg::Snapshot(Arc::new(room.clone()))));
        let asked = effects.contains(&ask);
        if asked {
            let result = Ok(Reply::Space(fixture::space()));
            seat.tell(Msg::Answer { command: Command::Space, subject: String::new(), result });
        }
        asked
    };
    assert!(!tell(1, &mut |_| {}), "nothing changed");
    assert!(!tell(10, &mut |game| game.have += 1), "nothing that is shown");
    assert!(tell(11, &mut |game| game.last_played = Some(NOW_MS)));
    assert!(!tell(12, &mut |game| game.private = Some("symlinks".into())), "it was weighed a moment ago");
    assert!(tell(15, &mut |_| {}), "what was put off is not forgotten");
    assert!(!tell(20, &mut |_| {}));
}

#[test]
fn a_disk_that_is_full_is_told_of_once_with_what_helps() {
    let mut room = fixture::room();
    let mut seat = Seat::new(&room, 100, 30);
    let mut transfers = (*room.transfers).clone();
    transfers[3].reason = "disk full, 3.2 GB short".into();
    room.transfers = Arc::new(transfers.clone());
    seat.tell(Msg::Snapshot(Arc::new(room.clone())));
    let expect = "FlatOut 2: disk full, 3.2 GB short. Still sharing what is here. F frees space.";
    assert_eq!(seat.model.notice.text, expect);
    transfers[3].reason = "disk full, 3.1 GB short".into();
    room.transfers = Arc::new(transfers);
    seat.tell(Msg::Snapshot(Arc::new(room)));
    assert_eq!(seat.model.notice.text, expect, "it is no news");
}

#[test]
fn to_free_space_and_back() {
    check_screen("3F", Screen::Space);
    check_screen("3F<Esc>", Screen::Peers);
    check_screen("3FF<Esc>", Screen::Peers);
    check_screen("3F<Space><Esc>", Screen::Space);
    check_screen("3F/war<Enter><Esc>", Screen::Space);
    check_screen("3F/war<Enter><Esc><Esc>", Screen::Peers);
    check_selected("Fj", "0 A.D.");
    check_selected("Fstgg", "0 A.D.");
    // What nobody ever played comes first.
    check_selected("Fspgg", "Warcraft III");
    check_selected("F/is:replaced<Enter>", "Xonotic");
    check_screen("Fj<Enter>", Screen::Library);
}

#[test]
fn what_does_not_fit_is_asked_about_before_it_is_got() {
    let with_free = |free: u64| {
        let mut room = fixture::room();
        let mut totals = (*room.totals).clone();
        totals.free = Some(free);
        room.totals = Arc::new(totals);
        Seat::new(&room, 80, 24).told_of_the_room()
    };
    let asked = |free: u64, keys: &str| with_free(free).keys(keys).asked;
    let only = |game: &str| Command::Get(GetRequest { game: game.into(), ..GetRequest::default() });
    let veloren = "/veloren<Enter><Enter>";
    assert_eq!(asked(9_000_000_000, veloren), [get("veloren")]);
    assert_eq!(asked(5_000_000_000, veloren), []);
    assert_eq!(asked(5_000_000_000, &format!("{veloren}<Enter>")), []);
    assert_eq!(asked(5_000_000_000, &format!("{veloren}<Esc>")), []);
    assert_eq!(asked(5_000_000_000, &format!("{veloren}i")), [get("veloren")]);
    assert_eq!(asked(5_000_000_000, &format!("{veloren}o")), [only("veloren")]);
    let dropped = GetRequest { game: "veloren".into(), after: AfterGet::InstallAndDrop, ..GetRequest::default() };
    assert_eq!(asked(5_000_000_000, &format!("{veloren}k")), [Command::Get(dropped)]);
    // An update is got beside what is here, and installed beside what is played; so is a build that was chosen.
    for update in ["/cs<Enter>U", "/warcraft<Enter>U1"] {
        assert_eq!(asked(600_000_000, update), []);
        assert_eq!(asked(600_000_000, &format!("{update}i")).len(), 1);
        assert_eq!(asked(900_000_000_000, update).len(), 1);
    }
    check_picture("space_before_getting", &with_free(1_000_000_000).keys(veloren));
    check_picture("space_to_play", &with_free(9_000_000_000).keys("/veloren<Enter>"));
    // 2.2 GB are got, and guessed to take 2.6 GB more.
    let perhaps = "There is room to get it, but perhaps not to install it too";
    let question = |free: u64| with_free(free).keys(veloren).picture();
    assert!(question(4_500_000_000).contains(perhaps));
    assert!(!question(5_000_000_000).contains(perhaps) && !question(1_000_000_000).contains(perhaps));
}

#[test]
fn what_those_who_have_a_game_say_that_it_takes_installed_is_what_is_counted_with() {
    let told = |free: u64, installed: u64| {
        let mut room = fixture::room();
        let mut totals = (*room.totals).clone();
        totals.free = Some(free);
        room.totals = Arc::new(totals);
        let mut games = (*room.games).clone();
        for game in &mut games {
            game.installed_size = Some(installed);
            game.builds.iter_mut().for_each(|build| build.installed_size = Some(installed));
            game.update.iter_mut().for_each(|update| update.installed_size = Some(installed));
        }
        room.games = Arc::new(games);
        Seat::new(&room, 100, 30).told_of_the_room()
    };
    let veloren = "/veloren<Enter><Enter>";
    assert_eq!(told(6_000_000_000, 3_300_000_000).keys(veloren).asked, [get("veloren")]);
    assert_eq!(told(6_000_000_000, 3_400_000_000).keys(veloren).asked, []);
    // An update, and a build that is chosen.
    for update in ["/cs<Enter>U", "/warcraft<Enter>U1"] {
        assert_eq!(told(6_000_000_000, 9_000_000_000).keys(update).asked, []);
        assert_eq!(told(6_000_000_000, 1_000_000_000).keys(update).asked.len(), 1);
    }
    check_picture("space_told", &told(5_000_000_000, 3_400_000_000).keys(veloren));
    let mut transfers = (*fixture::room().transfers).clone();
    transfers[3].after = AfterGet::Install;
    let mut waiting = |content: &str| {
        transfers[3].content = content.to_owned();
        let mut seat = told(5_000_000_000, 7_000_000_000);
        let mut room = seat.model.snapshot.clone();
        room.transfers = Arc::new(transfers.clone());
        seat.tell(Msg::Snapshot(Arc::new(room)));
        seat.keys("/flatout<Enter>").picture()
    };
    let flatout = fixture::room().games.iter().find(|game| game.title == "FlatOut 2").unwrap().content.clone();
    assert!(waiting("4fa1").contains("then: install (about 3.7 GB more)"), "{}", waiting("4fa1"));
    assert!(waiting(&flatout).contains("then: install (7.0 GB more)"), "{}", waiting(&flatout));
}

#[test]
fn uninstalling_what_has_nothing_else_is_asked_about() {
    let mut room = fixture::room();
    let mut games = (*room.games).clone();
    games[0].installed = Some(games[0].content.clone());
    games[0].private = Some(crate::api::INSTALLED_ONLY.into());
    games[0].builds[0].ours = false;
    room.games = Arc::new(games);
    let seat = || Seat::new(&room, 80, 24).told_of_the_room();
    let uninstall = Command::Uninstall { game: "0-a-d-".into(), last: true };
    assert_eq!(seat().keys("x").asked, []);
    assert_eq!(seat().keys("x<Enter>").asked, []);
    assert_eq!(seat().keys("xy").asked, [uninstall]);
    let question = seat().keys("x").picture();
    assert!(question.contains("must be got again") && question.contains("115 others have it"), "{question}");
}
