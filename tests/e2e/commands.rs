//! The command line as scripts see it: exit codes, one JSON document, messages that name things.

use super::{
    add, document, game, guest_of, host_of,
    process::{self, Seat, wait_until},
    rows, text, wait_for_game,
};

#[test]
fn exit_codes_say_what_happened() {
    let host = host_of(&[("quux", &[("a", 1_000)])]);
    let addr = host.addr().to_string();
    let guest = guest_of(&host);
    wait_for_game(&guest, "quux");
    for (words, code) in [
        (&["games"][..], 0),
        (&["peers", "--json"], 0),
        (&["links"], 0),
        (&["transfers"], 0),
        (&["frobnicate"], 2),
        (&["get"], 2),
        (&["get", "quux", "--frob"], 2),
        (&["get", "nosuch"], 3),
        (&["remove", "nosuch", "--yes"], 3),
        (&["verify", "nosuch"], 3),
        (&["manifest", "nosuch"], 3),
        (&["pause", "nosuch"], 3),
        (&["trust", "nobody"], 3),
        (&["connect", "127.0.0.1:1"], 1),
        (&["connect", "not an address"], 2),
        (&["get", "quux"], 0),
        (&["get", "quux"], 0),
        (&["verify", "quux"], 0),
        (&["config"], 0),
        (&["--help"], 0),
        (&["--version"], 0),
    ] {
        let ended = guest.run(words);
        let allowed = [Some(code), (words[0] == "connect" && code == 2).then_some(1)];
        assert!(allowed.contains(&ended.code), "potluck {words:?} should end with {code}: {ended:#?}");
        if code > 0 {
            assert!(!ended.stderr.trim().is_empty(), "potluck {words:?} fails without a word");
            assert!(ended.stdout.is_empty() || words.contains(&"--json"), "a failure speaks on stderr: {ended:#?}");
        }
    }
    // Without a terminal nobody can be asked: removing needs `--yes`.
    let refused = guest.run(&["remove", "quux"]);
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    assert!(guest.game("quux").join("version.ini").exists());
    // Nobody is there who could go on with it after the command has ended.
    let lonely = Seat::new();
    assert_eq!(lonely.run(&["get", "quux", "--no-wait"]).code, Some(4));
    drop((host, addr));
}

#[test]
fn an_ambiguous_game_lists_its_builds_and_content_decides() {
    let first = host_of(&[]);
    add(&first, "quux", "1.0", 1, &[("a", 1_000)]);
    let mut second = Seat::new();
    add(&second, "quux", "1.0", 2, &[("a", 1_000)]);
    second.serve(&["--peer", &first.addr().to_string()]);
    let guest = guest_of(&first);
    wait_until("both builds are seen", || {
        game(&guest, "quux")["builds"].as_array().is_some_and(|builds| builds.len() == 2)
    });

    let refused = guest.run(&["get", "quux"]);
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    let builds: Vec<String> = game(&guest, "quux")["builds"]
        .as_array()
        .expect("builds")
        .iter()
        .map(|build| build["content"].as_str().expect("a ContentId").to_owned())
        .collect();
    for build in &builds {
        assert!(refused.stderr.contains(&build[..8]), "{build} is not listed: {refused:#?}");
    }
    guest.does(&["get", "quux", "--content", &builds[1]]);
    assert_eq!(guest.asks(&["manifest", "quux"])["content"], builds[1].as_str());
    // And by who has it.
    let other = guest_of(&second);
    wait_until("both builds are seen", || {
        game(&other, "quux")["builds"].as_array().is_some_and(|builds| builds.len() == 2)
    });
    other.does(&["get", "quux", "--from", first.peer()]);
    assert_eq!(other.asks(&["manifest", "quux"])["content"], first.asks(&["manifest", "quux"])["content"]);
}

#[test]
fn a_version_of_a_stranger_is_no_update_until_it_is_trusted() {
    let host = host_of(&[("quux", &[("a", 1_000)])]);
    let guest = guest_of(&host);
    wait_for_game(&guest, "quux");
    guest.does(&["get", "quux"]);
    let mut stranger = Seat::new();
    add(&stranger, "quux", "99999999", 5, &[("a", 1_000)]);
    stranger.serve(&["--peer", &guest.addr().to_string()]);
    wait_until("the stranger's build is seen", || {
        game(&guest, "quux")["builds"].as_array().is_some_and(|builds| builds.len() == 2)
    });
    assert!(game(&guest, "quux")["update"].is_null(), "{}", game(&guest, "quux"));
    guest.does(&["trust", stranger.peer()]);
    wait_until("its build is an update", || game(&guest, "quux")["update"]["version"] == "99999999");
    guest.does(&["pin", "quux", "1.0"]);
    wait_until("a pinned game has no update", || game(&guest, "quux")["update"].is_null());
    guest.does(&["unpin", "quux"]);
    wait_until("and has it again", || !game(&guest, "quux")["update"].is_null());
}

#[test]
fn a_running_potluck_is_asked_how_it_is_watched_and_ended() {
    let mut host = host_of(&[("quux", &[("a", 1_000)])]);
    wait_for_game(&host, "quux");
    wait_until("it serves", || host.asks(&["status"])["me"]["phase"] == "serving");
    let status = host.asks(&["status"]);
    assert_eq!((&status["me"]["pid"], &status["games"]), (&host.pid().into(), &1.into()), "{status}");
    let said = host.does(&["status"]).stdout;
    assert!(said.contains("serves") && said.contains(&host.addr().to_string()), "{said}");

    let watching = host.start(&["events", "--json"]);
    let following = host.start(&["logs", "--follow"]);
    // From when they listen is not seen from outside; one guest after the other comes until they have told of one.
    wait_until("a guest was heard of", || {
        let guest = guest_of(&host);
        wait_for_game(&guest, "quux");
        host.does(&["logs"]).stdout.contains("is here")
    });
    let guest = guest_of(&host);
    wait_for_game(&guest, "quux");
    process::signal(&following, "INT");
    assert!(process::finish(following, process::PATIENCE).stdout.contains("is here"));

    assert_eq!(host.does(&["stop"]).stdout, "potluck has ended.\n");
    assert!(!host.is_serving());
    let watched = process::finish(watching, process::PATIENCE);
    assert_eq!(watched.code, Some(0), "{watched:#?}");
    let events: Vec<serde_json::Value> =
        watched.stdout.lines().map(|line| serde_json::from_str(line).expect("a document a line")).collect();
    assert!(events.iter().any(|event| event["event"] == "peer_up"), "{events:?}");

    for (words, code) in [(&["status"], 3), (&["events"], 3), (&["stop"], 0), (&["logs"], 0)] {
        assert_eq!(host.run(words).code, Some(code), "{words:?}");
    }
}

#[test]
fn a_command_names_only_the_flags_that_change_something() {
    let host = host_of(&[]);
    let library = host.library();
    let roundabout = format!("{}/../library/", text(&library));
    let addr = host.addr().to_string();
    let quiet = host.does(&["games", "--library", &roundabout, "--listen", &addr, "--no-mdns"]);
    assert_eq!(quiet.stderr, "");
    let said = host.does(&["games", "--library", text(&library), "--name", "other"]).stderr;
    assert!(said.contains("without --name;"), "{said}");
}

#[test]
fn a_blocked_peer_is_gone() {
    let host = host_of(&[("quux", &[("a", 1_000)])]);
    let guest = guest_of(&host);
    wait_for_game(&guest, "quux");
    guest.does(&["block", host.peer()]);
    wait_until("the blocked peer's games are gone", || {
        let game = game(&guest, "quux");
        game.is_null() || game["have"] == 0
    });
}

#[test]
fn a_query_looks_around_when_nothing_runs() {
    let host = host_of(&[("quux", &[("a", 1_000)])]);
    let lonely = Seat::new();
    let games = lonely.run(&["--peer", &host.addr().to_string(), "games", "--wait", "10", "--json"]);
    assert_eq!(games.code, Some(0), "{games:#?}");
    assert!(rows(&document(&games), "games").iter().any(|game| game["id"] == "quux"), "{games:#?}");
}

#[test]
fn config_says_where_each_value_came_from() {
    let seat = Seat::new();
    let template = seat.does(&["config", "--template"]).stdout;
    assert!(template.lines().all(|line| line.is_empty() || line.starts_with(['#', '['])), "{template}");
    let shown = seat.does(&["config"]).stdout;
    assert!(shown.contains("127.0.0.1:0") && shown.contains(text(&seat.library())), "{shown}");
    std::fs::create_dir_all(seat.home()).expect("a writable folder");
    std::fs::write(seat.home().join("config.toml"), "max_active = 2\nlibary = \"/x\"\n").expect("a writable folder");
    let refused = seat.run(&["games"]);
    assert!(refused.code.is_some_and(|code| code != 0), "{refused:#?}");
    assert!(refused.stderr.contains("libary") && refused.stderr.contains("library"), "{refused:#?}");
    assert!(refused.stderr.contains('2'), "the line is not named: {refused:#?}");
}
