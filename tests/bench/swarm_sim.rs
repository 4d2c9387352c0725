//! What the swarm does in simulated rooms, and what deciding costs: `cargo bench --bench swarm_sim`. Without
//! arguments it plays every scenario of `tests/sim/scenarios`, also those too large for a test, but
//! `equal-1000`, which takes minutes; with names it plays those: `cargo bench --bench swarm_sim -- equal-1000 decisions`.

#![allow(clippy::disallowed_methods, reason = "a bench measures its own time")]
#![allow(clippy::print_stdout, reason = "a bench prints")]

#[path = "../sim/net.rs"]
mod net;
#[path = "../sim/outcome.rs"]
mod outcome;
#[path = "../sim/party.rs"]
mod party;
#[path = "../sim/scenario.rs"]
mod scenario;

use std::{
    hint::black_box,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use party::Party;
use potluck::{
    core::{
        download::{self, Download, Plan},
        offer::{self, Offer},
    },
    types::{CHUNK_BYTES, ChunkNo, ChunkRanges, ChunkSet, PeerId},
};
use scenario::{Figures, Scenario};

/// Of the decisions that are timed.
const CHUNKS: u32 = 100_000;
const SOURCES: u32 = 200;

fn main() {
    let names: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/scenarios");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the scenarios are there")
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let wanted = if names.is_empty() { name != "equal-1000" } else { names.contains(&name) };
        if wanted {
            play(&name, &path);
        }
    }
    if names.is_empty() || names.iter().any(|name| name == "decisions") {
        time_getter();
        time_server();
    }
}

fn play(name: &str, path: &Path) {
    let text = std::fs::read_to_string(path).expect("a scenario can be read");
    let scenario = Scenario::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let size = if scenario.large { " (too large for the tests)" } else { "" };
    println!("{name}{size}: {}", scenario.about);
    for seed in &scenario.seeds {
        let began = Instant::now();
        let setting = scenario.setting(*seed);
        let outcome = Party::new(setting.clone(), began).play();
        let figures = Figures::of(&setting, &outcome);
        println!("  seed {seed}: {figures} (played in {:.1?})", began.elapsed());
        for what in scenario.expect.missed(&figures, &outcome) {
            println!("  MISSED: {what}");
        }
    }
}

fn peer(number: u32) -> PeerId {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    PeerId::from_bytes(bytes)
}

/// A getter of a large game among many sources that each hold half of it: from the word that a chunk has
/// come to the next request, with all that belongs to it.
fn time_getter() {
    let mut now = Instant::now();
    let plan = Plan {
        me: peer(u32::MAX),
        chunk_lens: vec![CHUNK_BYTES; CHUNKS as usize].into(),
        have: ChunkSet::empty(CHUNKS),
        wanted: ChunkSet::full(CHUNKS),
        seed: 1,
        in_flight_max: 48 << 20,
    };
    let mut download = Download::new(plan);
    let mut open = Vec::new();
    let mut followed = Vec::new();
    let drain = |download: &mut Download, open: &mut Vec<_>, followed: &mut Vec<PeerId>| {
        while let Some(output) = download.poll_output() {
            match output {
                download::Output::Request { request, of, take, .. } => open.push((request, of, take)),
                download::Output::CancelRequest { request } => open.retain(|(other, ..)| *other != request),
                download::Output::Subscribe { peer } => followed.push(peer),
                download::Output::Unsubscribe { .. }
                | download::Output::ReportBad { .. }
                | download::Output::DropSource { .. }
                | download::Output::StateChanged(_) => {}
            }
        }
    };
    let round_trip = Duration::from_millis(1);
    for number in 0..SOURCES {
        let input = download::Input::SourceUp { peer: peer(number), complete: number == 0, round_trip };
        download.handle_input(input, now);
    }
    drain(&mut download, &mut open, &mut followed);
    for (number, peer) in std::mem::take(&mut followed).into_iter().enumerate() {
        let mut have = ChunkSet::empty(CHUNKS);
        (0..CHUNKS).filter(|chunk| (chunk / 7 + number as u32).is_multiple_of(2)).for_each(|chunk| {
            have.insert(ChunkNo(chunk));
        });
        download.handle_input(download::Input::HaveMap { peer, have }, now);
    }
    drain(&mut download, &mut open, &mut followed);
    let (mut pieces, mut spent) = (0u32, Duration::ZERO);
    while pieces < 20_000 && !open.is_empty() {
        let (request, of, take) = open.remove(0);
        now += Duration::from_millis(1);
        let chosen: Vec<ChunkNo> =
            of.iter().filter(|chunk| !download.have().contains(*chunk)).take(take as usize).collect();
        let began = Instant::now();
        for chunk in chosen {
            download.handle_input(download::Input::ChunkNamed { request, chunk }, now);
            download.handle_input(download::Input::ChunkArrived { request, chunk }, now);
            download.handle_input(download::Input::ChunkVerified { request, chunk }, now);
            pieces += 1;
        }
        let end = download::RequestEnd::Done;
        download.handle_input(download::Input::RequestEnded { request, end }, now);
        if download.poll_timeout().is_some_and(|(at, _)| at <= now) {
            download.handle_timeout(now);
        }
        drain(&mut download, &mut open, &mut followed);
        spent += began.elapsed();
    }
    let each = spent.as_nanos() / u128::from(pieces.max(1));
    println!("a getter of {CHUNKS} chunks with {SOURCES} sources decides in {each} ns a chunk ({pieces} chunks)");
}

/// A server of a large game that many getters wait for, each for any of 512 chunks.
fn time_server() {
    let mut now = Instant::now();
    let mut offer = Offer::new(vec![CHUNK_BYTES; CHUNKS as usize].into(), ChunkSet::full(CHUNKS), 1);
    let mut next = 0;
    let mut ask = |offer: &mut Offer, number: u32, now| {
        next += 1;
        let from = (next as u32 * 37) % (CHUNKS - 512);
        let of = ChunkRanges::new(&[(from, from + 512)], CHUNKS).expect("a range of the content");
        let request = offer::RequestNo(next);
        offer.handle_input(offer::Input::Request { request, peer: peer(number), of, take: 1 }, now);
    };
    for number in 0..SOURCES {
        ask(&mut offer, number, now);
        ask(&mut offer, number, now);
    }
    let (mut chunks, began) = (0u32, Instant::now());
    while chunks < 300_000 {
        let Some(output) = offer.poll_output() else { break };
        now += Duration::from_micros(100);
        match output {
            offer::Output::Send { request, chunks: sent } => {
                chunks += black_box(sent).len() as u32;
                offer.handle_input(offer::Input::Sent { request }, now);
            }
            offer::Output::End { request } => {
                offer.handle_input(offer::Input::Taken { request }, now);
                ask(&mut offer, chunks % SOURCES, now);
            }
            offer::Output::Refuse { .. } => {}
        }
    }
    let each = began.elapsed().as_nanos() / u128::from(chunks.max(1));
    println!("a server of {CHUNKS} chunks with {SOURCES} getters decides in {each} ns a chunk ({chunks} chunks)");
}
