//! Which build is meant: latest, updates, variants, names, gate and twins.

use super::*;

/// What one table row looks at: `id` is held at build 1 unless `held` is none.
struct Case<'a> {
    held: Option<(u8, &'a str)>,
    rules: Rules,
    peers: &'a [(u8, &'a [LibraryEntry])],
}

impl Case<'_> {
    fn library(&self) -> Library {
        let mut library = room_of(self.rules.clone(), self.peers);
        if let Some((number, text)) = self.held {
            library.handle_local(&game("g"), LocalChange::Complete(build(number, text)), Instant::now());
        }
        library
    }
}

fn pinned_by_catalog(number: u8) -> Rules {
    let listed = Listed { title: None, pin: Some(content(number)) };
    Rules { catalog: [(game("g"), listed)].into(), ..Rules::default() }
}

fn trusting(number: u8) -> Rules {
    Rules { trusted: [peer(number)].into(), ..Rules::default() }
}

fn held_at(text: &str) -> Rules {
    Rules { pins: [(game("g"), version(text))].into(), ..Rules::default() }
}

fn check_latest(name: &str, case: &Case<'_>, latest: Option<u8>, update: Option<u8>) {
    let row = case.library().row(&game("g")).unwrap();
    assert_eq!(row.latest, latest.map(content), "{name}: latest");
    assert_eq!(row.update, update.map(content), "{name}: update");
}

#[test]
fn latest_is_vouched_before_popular() {
    let none = Rules::default;
    let old = [entry("g", 1, "1.9", 10)];
    let new = [entry("g", 2, "1.10", 10)];
    let loud = [entry("g", 9, "99999999", 10)];
    let part = [entry("g", 3, "1.11", 7)];

    check_latest("alone", &Case { held: Some((1, "1.9")), rules: none(), peers: &[] }, Some(1), None);
    check_latest(
        "most holders",
        &Case { held: None, rules: none(), peers: &[(1, &old), (2, &new), (3, &new)] },
        Some(2),
        None,
    );
    check_latest(
        "most holders, the older",
        &Case { held: None, rules: none(), peers: &[(1, &old), (2, &old), (3, &new)] },
        Some(1),
        None,
    );
    check_latest(
        "one against one",
        &Case { held: None, rules: none(), peers: &[(1, &old), (9, &loud)] },
        Some(1),
        None,
    );
    check_latest("a stranger alone", &Case { held: None, rules: none(), peers: &[(9, &loud)] }, Some(9), None);
    check_latest(
        "whole before partial",
        &Case { held: None, rules: none(), peers: &[(1, &old), (2, &part), (3, &part)] },
        Some(1),
        None,
    );
    check_latest("partial if nothing else", &Case { held: None, rules: none(), peers: &[(2, &part)] }, Some(3), None);

    let all: &[(u8, &[LibraryEntry])] = &[(1, &old), (2, &new), (3, &new), (9, &loud)];
    check_latest("we hold it", &Case { held: Some((1, "1.9")), rules: none(), peers: all }, Some(1), None);
    check_latest("trusted", &Case { held: Some((1, "1.9")), rules: trusting(2), peers: all }, Some(2), Some(2));
    check_latest("trusted, not held", &Case { held: None, rules: trusting(1), peers: all }, Some(1), None);
    check_latest(
        "catalog",
        &Case { held: Some((1, "1.9")), rules: pinned_by_catalog(2), peers: all },
        Some(2),
        Some(2),
    );
    check_latest(
        "catalog, nobody has it",
        &Case { held: None, rules: pinned_by_catalog(7), peers: all },
        Some(2),
        None,
    );
    check_latest(
        "trusting the loud one",
        &Case { held: Some((1, "1.9")), rules: trusting(9), peers: all },
        Some(9),
        Some(9),
    );

    check_latest("pin", &Case { held: None, rules: held_at("1.9"), peers: all }, Some(1), None);
    check_latest("pin to what nobody has", &Case { held: None, rules: held_at("3"), peers: all }, None, None);
    let pin = Rules { pins: held_at("1.9").pins, ..trusting(2) };
    check_latest("pin holds back", &Case { held: Some((1, "1.9")), rules: pin, peers: all }, Some(1), None);
    let pin = Rules { pins: held_at("1.10").pins, ..trusting(2) };
    check_latest(
        "pin to a vouched one",
        &Case { held: Some((9, "99999999")), rules: pin, peers: all },
        Some(2),
        Some(2),
    );
}

#[test]
fn a_game_without_its_payload_is_behind_what_is_newer_than_its_installation() {
    let check = |text: &str, installed: Option<u8>, rules: Rules, update: Option<u8>| {
        let (same, newer) = ([entry("g", 1, "1.9", 10)], [entry("g", 2, "1.10", 10)]);
        for peers in [&[(2, &newer[..])][..], &[(1, &same[..]), (2, &newer[..])][..]] {
            let mut library = room_of(rules.clone(), peers);
            let (facts, installed) = (Some(facts(text)), installed.map(content));
            let change = LocalChange::Private { reason: "here only".to_owned(), facts, installed };
            library.handle_local(&game("g"), change, Instant::now());
            let row = library.row(&game("g")).unwrap();
            assert_eq!(row.update, update.map(content), "{text} {installed:?} among {}", peers.len());
            // What is here is shown first where anybody has it.
            let first = if peers.len() == 2 && installed == Some(content(1)) { 1 } else { 2 };
            assert_eq!(row.builds[0].content, content(first), "{text} {installed:?}");
        }
    };
    check("1.9", Some(1), trusting(2), Some(2));
    check("1.9", Some(1), Rules::default(), None);
    check("1.9", Some(1), Rules { pins: held_at("1.9").pins, ..trusting(2) }, None);
    check("1.10", Some(2), trusting(2), None);
    check("1.11", Some(3), trusting(2), None);
    // A folder that cannot be shared is the user's: nothing is put over it unasked.
    check("1.9", None, trusting(2), None);
}

#[test]
fn holders_are_counted_one_per_address() {
    let mut library = Library::default();
    let now = Instant::now();
    join(&mut library, 1, 1, &[entry("g", 1, "1", 10)], now);
    join(&mut library, 2, 2, &[entry("g", 1, "1", 10)], now);
    for number in 10..20 {
        join(&mut library, number, 9, &[entry("g", 2, "2", 10)], now);
    }
    let row = library.row(&game("g")).unwrap();
    assert_eq!(row.latest, Some(content(1)));
    assert_eq!(row.build(&content(2)).map(|build| build.whole), Some(10));
}

#[test]
fn a_liar_does_not_rename_what_others_hold() {
    let honest = [entry("g", 1, "1.0", 10)];
    let liar = [entry("g", 1, "99999999", 10)];
    let check = |rules: Rules, peers: &[(u8, &[LibraryEntry])], expect: &str| {
        let row = room_of(rules, peers).row(&game("g")).unwrap();
        assert_eq!(row.builds.len(), 1);
        assert_eq!(row.builds[0].facts.version, version(expect));
    };
    check(Rules::default(), &[(1, &honest), (9, &liar)], "1.0");
    check(Rules::default(), &[(9, &liar), (1, &honest), (2, &honest)], "1.0");
    check(Rules::default(), &[(1, &honest), (8, &liar), (9, &liar)], "99999999");
    check(trusting(1), &[(1, &honest), (8, &liar), (9, &liar)], "1.0");

    let mut library = room_of(Rules::default(), &[(8, &liar), (9, &liar)]);
    library.handle_local(&game("g"), LocalChange::Complete(build(1, "1.0")), Instant::now());
    assert_eq!(library.row(&game("g")).unwrap().builds[0].facts.version, version("1.0"));
}

/// The same line of a peer that says what the build takes installed.
fn saying(installed: u64, tenths: u8) -> [LibraryEntry; 1] {
    [LibraryEntry { installed: Some(installed), ..entry("g", 1, "1.0", tenths) }]
}

#[test]
fn what_a_build_takes_installed_is_the_middle_of_what_is_said() {
    let silent = [entry("g", 1, "1.0", 10)];
    let check = |rules: Rules, says: &[(u8, Option<u64>)], expect: Option<u64>| {
        let lines: Vec<_> = says.iter().map(|(_, says)| says.map_or(silent.clone(), |says| saying(says, 10))).collect();
        let mut library = Library::new(rules);
        for (number, ((address, _), lines)) in (1..).zip(says.iter().zip(&lines)) {
            join(&mut library, number, *address, lines, Instant::now());
        }
        assert_eq!(library.row(&game("g")).unwrap().builds[0].facts.installed, expect, "{says:?}");
    };
    check(Rules::default(), &[(1, None)], None);
    check(Rules::default(), &[(1, None), (2, Some(7))], Some(7));
    check(Rules::default(), &[(1, Some(7)), (2, Some(900)), (3, Some(1))], Some(7));
    check(Rules::default(), &[(1, Some(7)), (2, Some(900))], Some(7));
    let many_keys = [(1, Some(7)), (2, Some(7)), (9, Some(900)), (9, Some(900)), (9, Some(900)), (9, Some(900))];
    check(Rules::default(), &many_keys, Some(7));
    check(trusting(3), &[(1, Some(900)), (2, Some(900)), (3, Some(7))], Some(7));
    check(trusting(3), &[(1, Some(900)), (2, Some(7)), (3, None), (4, Some(7))], Some(7));
    // Who has only some of it cannot know.
    let getting = saying(900, 5);
    let library = room_of(Rules::default(), &[(1, &silent), (2, &getting)]);
    assert_eq!(library.row(&game("g")).unwrap().builds[0].facts.installed, None);
}

#[test]
fn what_is_said_of_the_installed_size_divides_nobodys_voice() {
    let liar = [entry("g", 1, "99999999", 10)];
    let (one, other) = (saying(5, 10), saying(6, 10));
    let peers: [(u8, &[LibraryEntry]); 5] =
        [(1, &one), (2, &other), (3, &[entry("g", 1, "1.0", 10)]), (8, &liar), (9, &liar)];
    let row = room_of(Rules::default(), &peers).row(&game("g")).unwrap();
    assert_eq!(row.builds[0].facts.version, version("1.0"));
}

#[test]
fn the_build_shown_is_ours_and_variants_are_told() {
    let other = [entry("g", 2, "1.0", 10)];
    let newer = [entry("g", 3, "2.0", 10)];
    let check = |case: Case<'_>, shown: u8, variants: bool| {
        let row = case.library().row(&game("g")).unwrap();
        assert_eq!((row.builds[0].content, row.variants), (content(shown), variants));
    };
    check(Case { held: Some((1, "1.0")), rules: Rules::default(), peers: &[(2, &other), (3, &newer)] }, 1, true);
    check(Case { held: Some((1, "1.0")), rules: Rules::default(), peers: &[(3, &newer)] }, 1, false);
    check(Case { held: None, rules: trusting(3), peers: &[(2, &other), (3, &newer)] }, 3, false);
}

fn meant(library: &Library, query: &Query<'_>) -> Result<u8, &'static str> {
    match library.resolve(query) {
        Ok(resolved) => Ok(resolved.key.content.as_bytes()[0]),
        Err(ResolveError::NoSuchGame { .. }) => Err("no such game"),
        Err(ResolveError::SeveralGames { .. }) => Err("several games"),
        Err(ResolveError::NoSuchBuild { .. }) => Err("no such build"),
        Err(ResolveError::SeveralBuilds { .. }) => Err("several builds"),
        Err(ResolveError::NotInCatalog { .. }) => Err("not in the catalog"),
        Err(ResolveError::SameFolder { .. }) => Err("same folder"),
    }
}

const ANY: Query<'_> = Query { name: "g", version: None, content: None, from: None };

#[test]
fn queries_name_one_build_or_list_them() {
    let (one, other) = ([entry("g", 1, "1.0", 10)], [entry("g", 2, "1.0", 10)]);
    let updating = [entry("g", 1, "1.0", 10), entry("g", 3, "2.0", 4)];
    let peers: &[(u8, &[LibraryEntry])] = &[(1, &one), (2, &other), (3, &updating)];
    let library = room_of(Rules::default(), peers);
    let (v1, v2, v3) = (version("1.0"), version("2.0"), version("3.0"));
    let hex = content(2).to_string();
    for (query, expect) in [
        (ANY, Err("several builds")),
        (Query { version: Some(&v1), ..ANY }, Err("several builds")),
        (Query { version: Some(&v2), ..ANY }, Ok(3)),
        (Query { version: Some(&v3), ..ANY }, Err("no such build")),
        (Query { content: Some(&hex), ..ANY }, Ok(2)),
        (Query { content: Some(&hex[..6]), ..ANY }, Ok(2)),
        (Query { content: Some("ff"), ..ANY }, Err("no such build")),
        (Query { content: Some("0"), ..ANY }, Err("several builds")),
        (Query { from: Some(peer(2)), ..ANY }, Ok(2)),
        (Query { from: Some(peer(3)), ..ANY }, Ok(1)),
        (Query { from: Some(peer(3)), version: Some(&v2), ..ANY }, Ok(3)),
        (Query { from: Some(peer(7)), ..ANY }, Err("no such build")),
        (Query { name: "h", ..ANY }, Err("no such game")),
    ] {
        assert_eq!(meant(&library, &query), expect, "{query:?}");
    }
    assert_eq!(meant(&room_of(trusting(2), peers), &ANY), Ok(2));
    assert_eq!(meant(&room_of(pinned_by_catalog(1), peers), &ANY), Ok(1));
    assert_eq!(meant(&room_of(held_at("2.0"), peers), &ANY), Ok(3));
    assert_eq!(meant(&room_of(held_at("4.0"), peers), &ANY), Err("no such build"));
}

#[test]
fn names_are_ids_or_titles_in_whatever_case() {
    let mut half_life = entry("hl", 1, "1", 10);
    half_life.title = "Half-Life".to_owned();
    let mut opposing = entry("hl-op4", 2, "1", 10);
    opposing.title = "Opposing Force".to_owned();
    let mut again = entry("op4", 3, "1", 10);
    again.title = "Opposing Force".to_owned();
    let twins = [entry("Doom", 4, "1", 10), entry("doom", 5, "1", 10)];
    let lines = [&[half_life, opposing, again], twins.as_slice()].concat();
    let library = room_of(Rules::default(), &[(1, &lines)]);
    for (name, expect) in [
        ("hl", Ok("hl")),
        ("HL", Ok("hl")),
        ("half-life", Ok("hl")),
        (" Half-Life ", Ok("hl")),
        ("opposing force", Err("several")),
        ("doom", Ok("doom")),
        ("DOOM", Err("several")),
        ("half-lief", Err("hl")),
        ("opposing", Err("hl-op4 op4")),
        ("quake", Err("")),
        ("\u{1b}[2J", Err("")),
    ] {
        let found = library.find_game(name);
        let text = match &found {
            Ok(game) => Ok(game.as_str().to_owned()),
            Err(ResolveError::NoSuchGame { nearest, .. }) => {
                Err(nearest.iter().map(|named| named.game.as_str()).collect::<Vec<_>>().join(" "))
            }
            Err(_) => Err("several".to_owned()),
        };
        assert_eq!(text, expect.map(str::to_owned).map_err(str::to_owned), "{name:?}");
        if let Err(error) = found {
            assert!(!error.to_string().contains('\u{1b}'), "{error}");
        }
    }
}

#[test]
fn the_gate_hides_what_is_not_listed() {
    let rules = Rules { gate: true, ..pinned_by_catalog(1) };
    let lines = [entry("g", 1, "1", 10), entry("x", 2, "1", 10)];
    let mut library = room_of(rules, &[(1, &lines)]);
    assert_eq!(library.games(), [game("g")].into());
    assert_eq!(meant(&library, &ANY), Ok(1));
    assert_eq!(meant(&library, &Query { name: "x", ..ANY }), Err("not in the catalog"));

    let mut now = Instant::now();
    library.handle_local(&game("x"), LocalChange::Complete(build(2, "1")), now);
    library.handle_local(&game("g"), LocalChange::Complete(build(1, "1")), now);
    settle(&mut library, &mut now, Duration::from_secs(1));
    let told: Vec<_> = library.snapshot().1.map(|line| line.game.clone()).collect();
    assert_eq!(told, [game("g")]);
    library.handle_rules(Rules::default(), now);
    settle(&mut library, &mut now, Duration::from_secs(1));
    assert_eq!(library.snapshot().1.count(), 2, "without the gate both are announced");
}

#[test]
fn twins_share_one_folder_so_one_is_shared_and_none_is_fetched() {
    let now = &mut Instant::now();
    for order in [["Doom", "doom"], ["doom", "Doom"]] {
        let mut library = room_of(Rules::default(), &[(1, &[entry("DOOM", 7, "1", 10)])]);
        for (number, id) in order.iter().enumerate() {
            library.handle_local(&game(id), LocalChange::Complete(build(number as u8, "1")), *now);
        }
        settle(&mut library, now, Duration::from_secs(1));
        let told: Vec<_> = library.snapshot().1.map(|line| line.game.clone()).collect();
        assert_eq!(told, [game("Doom")]);
        assert_eq!(library.announced_twin(&game("doom")), Some(&game("Doom")));
        assert_eq!(meant(&library, &Query { name: "DOOM", ..ANY }), Err("same folder"));

        library.handle_local(&game("Doom"), LocalChange::Gone, *now);
        settle(&mut library, now, Duration::from_secs(1));
        let told: Vec<_> = library.snapshot().1.map(|line| line.game.clone()).collect();
        assert_eq!(told, [game("doom")]);
        library.handle_local(&game("doom"), LocalChange::Gone, *now);
        assert_eq!(meant(&library, &Query { name: "DOOM", ..ANY }), Ok(7));
    }
}
