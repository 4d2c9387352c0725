//! What the runtime says: answers, events, absence.

use super::*;

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
    let banner = format!("seat-17 is away since {}; trying again.", super::super::words::time(since));
    assert!(seat.picture().contains(&banner), "{}", seat.picture());
    seat.tell(Msg::Snapshot(Arc::new(room)));
    assert!(seat.picture().contains("seat-17 is back."), "{}", seat.picture());
}

#[test]
fn links_are_counted_anew_when_a_runtime_is_back() {
    let mut room = fixture::room();
    let mut gone = room.clone();
    gone.me = Arc::new(MeView { away: true, ..(*room.me).clone() });
    let mut seat = Seat::with(&room, 100, 30, GlyphLevel::Blocks, Some("seat-17"));
    let come = |seat: &mut Seat, link| {
        let kind = EventKind::Connection {
            state: 1,
            peer: "p".into(),
            addr: "10.0.0.1:1".into(),
            path: Default::default(),
            link,
        };
        seat.tell(Msg::Event(Event { at_ms: NOW_MS, level: Level::Debug, text: String::new(), kind }));
        seat.model.connections.lines().next().map(|line| line.standing)
    };
    assert_eq!((come(&mut seat, 1), come(&mut seat, 2)), (Some(1), Some(2)));
    seat.tell(Msg::Snapshot(Arc::new(gone)));
    assert_eq!(come(&mut seat, 3), Some(1), "nothing is known to stand");
    let link = LinkView { link: 7, peer: "p".into(), ..LinkView::default() };
    room.links = Arc::new(vec![link]);
    seat.tell(Msg::Snapshot(Arc::new(room)));
    assert_eq!(come(&mut seat, 8), Some(2), "the snapshot has one");
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
        set_aside: Vec::new(),
    };
    let event = Event { at_ms: NOW_MS, level: Level::Done, text: "X is here.".into(), kind };
    assert_eq!(busy(80, 24).tell(Msg::Event(event)), [Effect::DrawSoon, Effect::Bell]);
}

#[test]
fn what_the_doctor_found_is_read_and_closed() {
    let finding = |verdict, what: &str, why: &str, fix: &str| Finding {
        check: "any".into(),
        verdict,
        what: what.into(),
        why: why.into(),
        fix: fix.into(),
    };
    let mut findings = vec![
        finding(Verdict::Ok, "potluck listens on UDP port 47800.", "", ""),
        finding(Verdict::Bad, "The firewall is shut.", "Nobody comes in.", "sudo ufw allow 47800/udp"),
    ];
    findings.extend((0..30).map(|n| finding(Verdict::Ok, &format!("Thing {n} is well."), "", "")));
    let answer = |findings: &[Finding]| Msg::Answer {
        command: Command::Doctor,
        subject: String::new(),
        result: Ok(Reply::Doctor(Diagnosis { findings: findings.to_vec() })),
    };
    let mut seat = busy(80, 24).keys(":doctor<Enter>");
    assert_eq!(seat.asked, [Command::Doctor]);
    seat.tell(answer(&findings));
    let picture = seat.picture();
    let place = |what: &str| picture.find(what).unwrap_or_else(|| panic!("no {what}: {picture}"));
    assert!(place("The firewall is shut.") < place("potluck listens"), "{picture}");
    assert!(picture.contains("$ sudo ufw allow 47800/udp") && picture.contains("1 must be mended."), "{picture}");
    seat = seat.keys("G");
    assert!(seat.picture().contains("Thing 29 is well."), "{}", seat.picture());
    seat = seat.keys("<Esc>");
    assert!(seat.model.overlay.is_none());
    // While something is typed its keys stay its own.
    let mut seat = busy(80, 24).keys("/x");
    seat.tell(answer(&findings));
    assert!(matches!(seat.model.overlay, Some(Overlay::Prompt(_))));
    assert!(seat.model.notice.text.contains("1 must be mended."));
}
