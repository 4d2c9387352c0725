//! Whole parties in virtual time: `core::download` and `core::offer` of every seat over a fluid model of the
//! network. Scenarios are files with what must come of them; beside them thousands of small random parties
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
#[path = "sim/scenario.rs"]
mod scenario;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::Instant,
};

use party::{Party, Setting};
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
