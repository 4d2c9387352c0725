//! Whole parties in virtual time: `core::download` and `core::offer` of every seat over a fluid model of the
//! network, and `core::roster` of every seat of a room that finds itself. Scenarios are files with what must come of them; beside them thousands of small random parties
//! are played, of which only what must always hold is asked. To play one again:
//!
//! ```text
//! SIM_SEED=4711 cargo test --test sim one_seed -- --nocapture
//! SIM_SCENARIO=tests/sim/scenarios/slow-seat.toml SIM_TRACE=1 cargo test --test sim one_scenario -- --nocapture
//! ```

#![allow(clippy::disallowed_methods, reason = "a party in virtual time starts at some instant")]
#![allow(clippy::print_stdout, reason = "a scenario says its seed and its figures")]

#[path = "sim/net.rs"]
mod net;
#[path = "sim/outcome.rs"]
mod outcome;
#[path = "sim/party.rs"]
mod party;
#[path = "sim/random.rs"]
mod random;
#[path = "sim/room.rs"]
mod room;
#[path = "sim/scenario.rs"]
mod scenario;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use party::{Party, Setting};
use potluck::core::roster::DIALS_MAX;
use room::{Found, Room};
use scenario::{Figures, Scenario};

/// Random parties of one test: eight tests play 10,000, so that all cores have something to do.
const PARTIES: u64 = 1_250;

fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/scenarios");
    let entries = std::fs::read_dir(folder).expect("the scenarios are there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder can be read").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths
}

fn read(path: &Path) -> Scenario {
    let text = std::fs::read_to_string(path).expect("a scenario can be read");
    Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Plays a scenario with each of its seeds and holds it to its expectations.
fn check(path: &Path) {
    let scenario = read(path);
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    println!("{name}: {}", scenario.about);
    for seed in &scenario.seeds {
        let setting = scenario.setting(*seed);
        let outcome = Party::new(setting.clone(), Instant::now()).play();
        let figures = Figures::of(&setting, &outcome);
        println!("  seed {seed}: {figures}");
        let missed = scenario.expect.missed(&figures, &outcome);
        assert!(missed.is_empty(), "{name}, seed {seed}: {missed:?}\n{figures}");
    }
}

/// Those of a size that a test can play are played here, the others by `cargo bench --bench swarm_sim`.
#[test]
fn scenarios_come_out_as_they_say() {
    let small: Vec<PathBuf> = scenarios().into_iter().filter(|path| !read(path).large).collect();
    assert!(small.len() >= 12, "most are small");
    small.iter().for_each(|path| check(path));
}

#[test]
fn large_scenarios_can_be_read() {
    let large: Vec<PathBuf> = scenarios().into_iter().filter(|path| read(path).large).collect();
    assert!(!large.is_empty());
}

/// A random party ends well; says how to play it again when it does not.
fn play(seed: u64) {
    let setting = random::setting(seed);
    let shown = format!("{setting:#?}");
    let played = catch_unwind(AssertUnwindSafe(|| must_hold(setting)));
    let trouble = match played {
        Ok(Ok(())) => return,
        Ok(Err(trouble)) => trouble,
        Err(_) => "it panicked, see above".to_owned(),
    };
    panic!("the party with SIM_SEED={seed}: {trouble}\n{shown}");
}

/// What holds of every party: who can finish finishes, soon, and gets little that it cannot use. What holds
/// at every moment is checked by the party itself.
fn must_hold(setting: Setting) -> Result<(), String> {
    let can_end = random::can_end(&setting);
    let outcome = Party::new(setting.clone(), Instant::now()).play();
    if can_end && !outcome.all_done {
        return Err(format!("not everybody finished\n{outcome:#?}"));
    }
    let figures = Figures::of(&setting, &outcome);
    let most = random::most(&setting);
    if can_end && figures.seconds > most {
        return Err(format!("took {:.1} s, {most:.1} s at most\n{figures}", figures.seconds));
    }
    Ok(())
}

/// Plays a room with some seeds; the worst of each.
fn find_each_other(about: &str, room: Room, time: Duration) -> Found {
    let mut worst = Found { first: Some(Duration::ZERO), late: Some(Duration::ZERO), under_way: 0, in_vain: 0.0 };
    for seed in [1, 7, 2026] {
        let found = room::play(room, seed, Instant::now(), time);
        println!("{about}, seed {seed}: {found}");
        let later = |a: Option<Duration>, b: Option<Duration>| Some(a?.max(b?));
        worst.first = later(worst.first, found.first);
        worst.late = later(worst.late, found.late);
        worst.under_way = worst.under_way.max(found.under_way);
        worst.in_vain = worst.in_vain.max(found.in_vain);
    }
    worst
}

#[test]
fn who_comes_into_a_room_full_of_the_gone_is_found_at_once() {
    let minute = Duration::from_secs(60);
    let room = Room { seats: 8, late: (1, 2 * minute), gone: 0, crowded: 0 };
    let found = find_each_other("nobody is gone", room, 3 * minute);
    let soon = Some(Duration::from_secs(2));
    assert!(found.first <= soon && found.late <= soon, "{found}");
    let room = Room { gone: 100, crowded: 5, ..room };
    let found = find_each_other("most are gone", room, 3 * minute);
    assert!(found.first.is_some() && found.late <= Some(Duration::from_secs(3)), "{found}");
    assert!(found.under_way <= DIALS_MAX, "{found}");
    // Each dial in vain keeps its place for 4 s, and two of the sixteen are kept for who types one.
    assert!(found.in_vain <= 14.0 * 15.0, "{found}");
}

/// `SIM_SEED` plays one random party again.
#[test]
fn one_seed() {
    if let Some(seed) = std::env::var("SIM_SEED").ok().and_then(|seed| seed.parse().ok()) {
        println!("{:#?}", random::setting(seed));
        play(seed);
    }
}

/// `SIM_SCENARIO` plays one file.
#[test]
fn one_scenario() {
    if let Some(path) = std::env::var_os("SIM_SCENARIO") {
        check(Path::new(&path));
    }
}

macro_rules! random_parties {
    ($($name:ident: $number:expr;)*) => {$(
        #[test]
        fn $name() {
            ($number * PARTIES..($number + 1) * PARTIES).for_each(play);
        }
    )*};
}

random_parties! {
    random_parties_0: 0;
    random_parties_1: 1;
    random_parties_2: 2;
    random_parties_3: 3;
    random_parties_4: 4;
    random_parties_5: 5;
    random_parties_6: 6;
    random_parties_7: 7;
}
