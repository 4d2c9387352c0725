//! `peers`: who is in the room.

use super::{Console, Exit, args::Wait, exit::Failure, games::empty_room, session::Session, table::Table, words};
use crate::api::PeerView;

pub(super) async fn run(session: &Session, wait: Wait, console: &mut Console) -> Result<Exit, Failure> {
    session.look(wait).await;
    let snapshot = session.snapshot();
    if console.json {
        console.document(&*snapshot.peers)?;
        return Ok(Exit::Done);
    }
    let headings = ["NAME", "ID", "ADDRESS", "PING", "FROM", "TO", "HAS", "GETTING", "NOTE"];
    let mut table = Table::new(&headings).right(3).right(4).right(5).right(6);
    for peer in snapshot.peers.iter() {
        let short: String = peer.id.chars().take(SHORT_CHARS).collect();
        let getting = peer.getting.as_ref().map_or_else(String::new, |(title, percent)| format!("{title} {percent} %"));
        table.row([
            &peer.name,
            &short,
            &peer.addr,
            &words::ping(peer.rtt_us),
            &words::rate(peer.down_bps),
            &words::rate(peer.up_bps),
            &peer.games.to_string(),
            &getting,
            &note(peer),
        ]);
    }
    console.table(&table, &empty_room(&snapshot, "No peers"))?;
    Ok(Exit::Done)
}

/// As [`crate::types::PeerId::short`].
const SHORT_CHARS: usize = 8;

fn note(peer: &PeerView) -> String {
    let limits = limits(peer);
    let mut notes = Vec::new();
    if !peer.online {
        notes.push("Offline");
    }
    if peer.trusted {
        notes.push("trusted");
    }
    if peer.blocked {
        notes.push("blocked");
    }
    if !limits.is_empty() {
        notes.push(&limits);
    }
    if !peer.note.is_empty() {
        notes.push(&peer.note);
    }
    notes.join(", ")
}

/// `at most 5.0 MB/s to it`; nothing without limits.
fn limits(peer: &PeerView) -> String {
    let ways = [(peer.up_limit_bps, "to it"), (peer.down_limit_bps, "from it")];
    let word = |(bps, way): (Option<u64>, &str)| bps.map(|bps| format!("{} {way}", words::rate(bps)));
    let said: Vec<String> = ways.into_iter().filter_map(word).collect();
    if said.is_empty() { String::new() } else { format!("at most {}", said.join(", ")) }
}
