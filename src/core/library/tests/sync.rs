//! What is announced and when, and what is asked for and when.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn whole(library: &mut Library, id: &str, number: u8, now: Instant) {
    library.handle_local(&game(id), LocalChange::Complete(build(number, "1")), now);
}

fn fetch_of(output: &Output) -> Option<(PeerId, FetchNo)> {
    if let Output::Fetch { peer, fetch } = output { Some((*peer, *fetch)) } else { None }
}

/// What an output is, in a word and a count.
fn word(output: &Output) -> Option<String> {
    match output {
        Output::Digest(_) => Some("digest".to_owned()),
        Output::SummaryTo { .. } => Some("summary to".to_owned()),
        Output::Summary(_) => Some("summary".to_owned()),
        Output::Delta(delta) => Some(format!("delta +{} -{}", delta.upserts.len(), delta.removals.len())),
        Output::Fetch { .. } => Some("fetch".to_owned()),
        Output::Left { games, lost, .. } => Some(format!("left {games}, {} lost", lost.len())),
        Output::Changed { .. } => None,
    }
}

fn words(outputs: &[Output]) -> Vec<String> {
    outputs.iter().filter_map(word).collect()
}

#[test]
fn changes_are_gathered_and_a_flood_becomes_a_summary() {
    let (mut library, mut now) = (Library::default(), Instant::now());
    whole(&mut library, "a", 1, now);
    whole(&mut library, "b", 2, now);
    assert_eq!(words(&settle(&mut library, &mut now, SECOND)), ["digest", "delta +2 -0"]);
    whole(&mut library, "b", 2, now);
    assert_eq!(words(&settle(&mut library, &mut now, SECOND)), [""; 0], "nothing changed");
    library.handle_local(&game("a"), LocalChange::Gone, now);
    whole(&mut library, "b", 3, now);
    assert_eq!(words(&settle(&mut library, &mut now, SECOND)), ["digest", "delta +1 -2"]);
    for number in 0..65 {
        whole(&mut library, &format!("g{number}"), 100 + number, now);
    }
    assert_eq!(words(&settle(&mut library, &mut now, SECOND)), ["digest", "summary"]);
    let (digest_told, lines) = library.snapshot();
    assert_eq!(digest(lines), digest_told);
}

#[test]
fn news_go_out_at_most_twice_a_second() {
    let (mut library, mut now) = (Library::default(), Instant::now());
    let mut sent = 0;
    for tenth in 0..100u8 {
        let growing = Growing { facts: facts("1"), tenths: Tenths::of(u64::from(tenth), 100) };
        library.handle_growing(&game("g"), content(tenth % 2), growing, now);
        let outputs = settle(&mut library, &mut now, Duration::from_millis(20));
        sent += words(&outputs).iter().filter(|word| word.starts_with("delta")).count();
    }
    assert!((2..=5).contains(&sent), "{sent} deltas in two seconds");
}

#[test]
fn what_is_announced_follows_the_folder() {
    let check = |changes: &[LocalChange], expect: &[LibraryEntry]| {
        let (mut library, mut now) = (Library::default(), Instant::now());
        for change in changes {
            library.handle_local(&game("g"), change.clone(), now);
        }
        settle(&mut library, &mut now, SECOND);
        assert_eq!(library.snapshot().1.cloned().collect::<Vec<_>>(), expect, "{changes:?}");
    };
    let complete = || LocalChange::Complete(build(1, "1"));
    let checking = || LocalChange::Checking(Progress { done: 1, total: 2 });
    let modified = || LocalChange::Modified {
        build: build(1, "1"),
        changes: Changes::new([crate::types::PayloadPath::new("a").unwrap()]),
        matching: Tenths::new(7),
    };
    check(&[], &[]);
    check(&[checking()], &[]);
    check(&[complete()], &[entry("g", 1, "1", 10)]);
    check(&[complete(), checking()], &[entry("g", 1, "1", 10)]);
    check(&[complete(), checking(), modified()], &[entry("g", 1, "1", 7)]);
    check(&[modified(), checking(), checking()], &[entry("g", 1, "1", 7)]);
    check(&[complete(), LocalChange::Private { reason: "a link".to_owned(), facts: None, installed: None }], &[]);
    check(&[complete(), LocalChange::Failed("unreadable".to_owned())], &[]);
    check(&[complete(), LocalChange::Gone], &[]);
}

#[test]
fn an_update_is_announced_beside_what_it_replaces() {
    let (mut library, mut now) = (Library::default(), Instant::now());
    whole(&mut library, "g", 1, now);
    library.handle_growing(&game("g"), content(2), Growing { facts: facts("2"), tenths: Tenths::new(3) }, now);
    settle(&mut library, &mut now, SECOND);
    let told: Vec<_> = library.snapshot().1.cloned().collect();
    assert_eq!(told, [entry("g", 1, "1", 10), entry("g", 2, "2", 3)]);
    library.handle_growing_ended(&game("g"), &content(2), now);
    library.handle_local(&game("g"), LocalChange::Complete(build(2, "2")), now);
    assert_eq!(words(&settle(&mut library, &mut now, SECOND)), ["digest", "delta +1 -1"]);
}

#[test]
fn what_a_build_takes_installed_is_told_when_it_is_found_out_and_of_whole_builds_only() {
    let (mut library, mut now) = (Library::default(), Instant::now());
    whole(&mut library, "g", 1, now);
    settle(&mut library, &mut now, SECOND);
    library.handle_weighed(&game("g"), &content(2), 9, now);
    assert_eq!(words(&settle(&mut library, &mut now, SECOND)), [""; 0], "it is of another build");
    let before = library.snapshot().0;
    library.handle_weighed(&game("g"), &content(1), 9, now);
    assert_eq!(words(&settle(&mut library, &mut now, SECOND)), ["digest", "delta +1 -0"]);
    let told = |library: &Library| library.snapshot().1.next().unwrap().installed;
    assert_eq!(told(&library), Some(9));
    assert_ne!(library.snapshot().0, before, "who was away would not ask for it");
    let checking = LocalChange::Checking(Progress::default());
    library.handle_local(&game("g"), checking, now);
    assert_eq!(words(&settle(&mut library, &mut now, SECOND)), [""; 0]);
    let build = LocalBuild { content: content(1), facts: Facts { installed: Some(9), ..facts("1") } };
    let modified = LocalChange::Modified { build, changes: Changes::default(), matching: Tenths::new(5) };
    library.handle_local(&game("g"), modified, now);
    settle(&mut library, &mut now, SECOND);
    assert_eq!(told(&library), None);
}

#[test]
fn a_library_beyond_the_limits_announces_what_fits_and_says_what_does_not() {
    let (mut library, mut now) = (Library::default(), Instant::now());
    let id = |number: usize| game(&format!("{number:0>60}"));
    for number in 0..6_000usize {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        let facts = Facts { title: "\"".repeat(64), ..facts("1") };
        let build = LocalBuild { content: ContentId::from_bytes(bytes), facts };
        library.handle_local(&id(number), LocalChange::Complete(build), now);
    }
    settle(&mut library, &mut now, SECOND);
    let told = library.snapshot().1.count();
    assert_eq!(told + library.left_out().len(), 6_000);
    assert!(told <= GAMES_MAX && told > 2_000, "{told}");
    for number in 0..3_000 {
        library.handle_local(&id(number), LocalChange::Gone, now);
    }
    settle(&mut library, &mut now, SECOND);
    assert_eq!((library.snapshot().1.count(), library.left_out().len()), (told.min(3_000), 3_000 - told.min(3_000)));
}

const GAMES_MAX: usize = crate::types::GAMES_PER_PEER_MAX;

#[test]
fn equal_digests_ask_for_nothing() {
    let (mut library, mut now) = (Library::default(), Instant::now());
    library.handle_peer_up(peer(1), address(1), digest_of_nothing(), now);
    assert_eq!(words(&settle(&mut library, &mut now, SECOND)), ["summary to"]);
    let lines = [entry("g", 1, "1", 10)];
    join(&mut library, 2, 2, &lines, now);
    library.handle_summary(&peer(2), digest(&lines), now);
    assert_eq!(words(&settle(&mut library, &mut now, SECOND * 60)), [""; 0]);
}

/// Deltas and a snapshot travel on two streams; whichever is ahead, the end is the same.
#[test]
fn a_snapshot_and_deltas_meet_in_any_order() {
    let states: Vec<Vec<LibraryEntry>> = vec![
        vec![entry("a", 1, "1", 10)],
        vec![entry("a", 1, "1", 10), entry("b", 2, "1", 3)],
        vec![entry("a", 1, "1", 10), entry("b", 2, "1", 10)],
        vec![entry("b", 2, "1", 10)],
    ];
    let delta = |at: usize| Delta {
        from: digest(&states[at - 1]),
        to: digest(&states[at]),
        upserts: states[at].iter().filter(|line| !states[at - 1].contains(line)).cloned().collect(),
        removals: if at == 3 { vec![content(1)] } else { Vec::new() },
    };
    for hello in 0..states.len() {
        for snapshot in hello..states.len() {
            for arrives_after in hello..states.len() {
                let (mut library, mut now) = (Library::default(), Instant::now());
                library.handle_peer_up(peer(1), address(1), digest(&states[hello]), now);
                let fetch =
                    outputs(&mut library).into_iter().find_map(|output| fetch_of(&output)).map(|(_, fetch)| fetch);
                let fetch = fetch.unwrap();
                for at in hello + 1..=states.len() {
                    if at - 1 == arrives_after {
                        let lines = states[snapshot].clone();
                        library.handle_snapshot(&peer(1), fetch, digest(&lines), lines, now);
                    }
                    if at < states.len() {
                        library.handle_delta(&peer(1), &delta(at), now);
                    }
                }
                let asked = words(&settle(&mut library, &mut now, Duration::from_millis(200)));
                let no = library.here[&peer(1)].no;
                let mut lines = library.index.lines_of(no);
                lines.sort_by_key(|line| line.content);
                assert_eq!(lines, states[3], "hello {hello}, snapshot {snapshot}, after {arrives_after}: {asked:?}");
                assert!(settle(&mut library, &mut now, SECOND * 60).is_empty(), "asks again though level");
                library.index.assert_invariants();
            }
        }
    }
}

#[test]
fn a_delta_on_a_state_we_do_not_hold_makes_us_ask() {
    let (mut library, mut now) = (Library::default(), Instant::now());
    let before = [entry("a", 1, "1", 10)];
    let after = [entry("a", 1, "1", 10), entry("b", 2, "1", 10)];
    library.handle_peer_up(peer(1), address(1), digest(&before), now);
    for (peer, fetch) in outputs(&mut library).iter().filter_map(fetch_of) {
        library.handle_snapshot_failed(&peer, fetch, now);
    }
    let upserts = vec![after[1].clone()];
    let delta = Delta { from: digest(&before), to: digest(&after), upserts, removals: Vec::new() };
    library.handle_delta(&peer(1), &delta, now);
    assert_eq!(words(&settle(&mut library, &mut now, SECOND * 5)), ["fetch"]);
}

#[test]
fn a_peer_whose_word_never_holds_is_asked_ever_less() {
    let (mut library, mut now) = (Library::default(), Instant::now());
    let start = now;
    library.handle_peer_up(peer(1), address(1), LibraryDigest::from_bytes([1; 32]), now);
    let mut asked = 0;
    while now < start + Duration::from_secs(3600) {
        let outputs = settle(&mut library, &mut now, Duration::from_millis(500));
        for output in outputs {
            if let Output::Fetch { peer, fetch } = output {
                asked += 1;
                if asked % 2 == 0 {
                    library.handle_snapshot_failed(&peer, fetch, now);
                } else {
                    library.handle_snapshot(&peer, fetch, LibraryDigest::from_bytes([2; 32]), Vec::new(), now);
                }
            }
        }
    }
    assert!((8..=24).contains(&asked), "{asked} in an hour");
}

#[test]
fn a_peer_that_changes_its_mind_without_end_is_asked_every_two_seconds() {
    let (mut library, mut now) = (Library::default(), Instant::now());
    library.handle_peer_up(peer(1), address(1), digest_of_nothing(), now);
    let mut asked = 0;
    for round in 1..=200u8 {
        let said = LibraryDigest::from_bytes([round; 32]);
        library.handle_summary(&peer(1), said, now);
        for output in settle(&mut library, &mut now, Duration::from_millis(100)) {
            if let Output::Fetch { peer, fetch } = output {
                asked += 1;
                library.handle_snapshot(&peer, fetch, said, Vec::new(), now);
            }
        }
    }
    assert!((5..=11).contains(&asked), "{asked} in twenty seconds");
}

#[test]
fn at_most_sixteen_snapshots_are_on_their_way() {
    let (mut library, now) = (Library::default(), Instant::now());
    let mut fetches = Vec::new();
    for number in 0..40 {
        library.handle_peer_up(peer(number), address(number), LibraryDigest::from_bytes([1; 32]), now);
    }
    let take = |library: &mut Library, fetches: &mut Vec<_>| {
        fetches.extend(outputs(library).into_iter().filter_map(|output| fetch_of(&output)));
    };
    take(&mut library, &mut fetches);
    assert_eq!(fetches.len(), 16);
    assert_eq!(library.poll_timeout(), None, "a full house waits for an answer, not for a time");
    for at in 0..40 {
        let (peer, fetch) = fetches[at];
        match at % 3 {
            0 => library.handle_snapshot(&peer, fetch, LibraryDigest::from_bytes([1; 32]), Vec::new(), now),
            1 => library.handle_snapshot_failed(&peer, fetch, now),
            _ => library.handle_peer_down(&peer, now),
        }
        take(&mut library, &mut fetches);
    }
    assert_eq!(fetches.len(), 40);
}

#[test]
fn an_answer_to_an_old_question_is_ignored() {
    let (mut library, now) = (Library::default(), Instant::now());
    let lines = [entry("g", 1, "1", 10)];
    let mut fetches = Vec::new();
    for _ in 0..2 {
        library.handle_peer_up(peer(1), address(1), digest(&lines), now);
        fetches
            .extend(outputs(&mut library).into_iter().filter_map(|output| fetch_of(&output)).map(|(_, fetch)| fetch));
    }
    library.handle_snapshot(&peer(1), fetches[0], digest(&[]), Vec::new(), now);
    library.handle_snapshot_failed(&peer(1), fetches[0], now);
    library.handle_snapshot(&peer(1), fetches[1], digest(&lines), lines.to_vec(), now);
    assert_eq!(library.peer(&peer(1)).map(|summary| summary.games), Some(1));
    assert_eq!(library.poll_timeout(), None);
}

#[test]
fn a_peer_that_leaves_takes_its_lines_along_and_is_remembered_for_a_while() {
    let (mut library, mut now) = (Library::default(), Instant::now());
    join(&mut library, 1, 1, &[entry("a", 1, "1", 10), entry("b", 2, "1", 10), entry("c", 3, "1", 10)], now);
    join(&mut library, 2, 2, &[entry("a", 1, "1", 10)], now);
    whole(&mut library, "c", 3, now);
    settle(&mut library, &mut now, SECOND);
    library.handle_peer_down(&peer(1), now);
    let all = outputs(&mut library);
    assert!(all.contains(&Output::Left { peer: peer(1), games: 3, lost: vec![game("b")] }), "{all:?}");
    assert_eq!(library.games(), [game("a"), game("c")].into());
    assert_eq!((library.left().len(), library.peer(&peer(1))), (1, None));
    settle(&mut library, &mut now, SECOND * 1_000);
    assert_eq!(library.left().len(), 0);
    for number in 0..200 {
        join(&mut library, number, 1, &[], now);
        library.handle_peer_down(&peer(number), now);
    }
    assert_eq!(library.left().len(), LEFT_MAX);
}

#[test]
fn one_peer_cannot_fill_the_room() {
    let (mut library, now) = (Library::default(), Instant::now());
    let line = |number: usize, id: &str| {
        let mut line = entry(id, 0, "1", 10);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        line.content = ContentId::from_bytes(bytes);
        line
    };
    let many: Vec<_> = (0..6_000).map(|number| line(number, &format!("g{number}"))).collect();
    join(&mut library, 1, 1, &many, now);
    assert_eq!(library.peer(&peer(1)).map(|summary| summary.games), Some(GAMES_MAX));
    let one_game: Vec<_> = (0..100).map(|number| line(number, "g")).collect();
    join(&mut library, 2, 2, &one_game, now);
    assert_eq!(library.builds(&game("g")).len(), 8);
    let delta = Delta { from: digest(&one_game), to: digest(&[]), upserts: many, removals: Vec::new() };
    library.handle_delta(&peer(2), &delta, now);
    assert_eq!(library.peer(&peer(2)).map(|summary| summary.games), Some(GAMES_MAX));
    library.index.assert_invariants();
}

/// A room as large as any: what one change costs must not grow with what is known.
#[test]
fn a_large_room_is_no_trouble() {
    let (mut library, now) = (Library::default(), Instant::now());
    let line = |number: usize| {
        let mut line = entry(&format!("g{number}"), 0, "1", 10);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        line.content = ContentId::from_bytes(bytes);
        line
    };
    let lines: Vec<_> = (0..10_000).map(line).collect();
    for number in 0..60u8 {
        let half = usize::from(number % 2) * GAMES_MAX;
        let said = LibraryDigest::from_bytes([1; 32]);
        library.handle_peer_up(peer(number), address(number), said, now);
        for (peer, fetch) in outputs(&mut library).iter().filter_map(fetch_of) {
            library.handle_snapshot(&peer, fetch, said, lines[half..half + GAMES_MAX].to_vec(), now);
        }
        outputs(&mut library);
    }
    assert_eq!(library.games().len(), 10_000);
    let mut from = LibraryDigest::from_bytes([1; 32]);
    for round in 0..1_000usize {
        let to = digest_of_nothing();
        let delta = Delta { from, to, upserts: Vec::new(), removals: vec![line(round).content] };
        library.handle_delta(&peer(0), &delta, now);
        from = to;
        let changed = outputs(&mut library);
        assert_eq!(changed.len(), 1);
    }
    assert_eq!(library.peer(&peer(0)).map(|summary| summary.games), Some(4_000));
}
