//! `links`: the connections to the peers.

use super::{Console, Exit, args::Wait, exit::Failure, games::empty_room, session::Session, table::Table, words};
use crate::api::{LinkPath, LinkView};

pub(super) async fn run(session: &Session, wait: Wait, console: &mut Console) -> Result<Exit, Failure> {
    session.look(wait).await;
    let snapshot = session.snapshot();
    if console.json {
        console.document(&*snapshot.links)?;
        return Ok(Exit::Done);
    }
    let headings = ["NAME", "ADDRESS", "IN", "OUT", "PING", "LOSS", "MTU", "LINK", "NOTE"];
    let mut table = Table::new(&headings).right(2).right(3).right(4).right(5).right(6).right(7);
    for link in snapshot.links.iter() {
        table.row([
            &link.name,
            &link.addr,
            &words::size(link.bytes_in),
            &words::size(link.bytes_out),
            &words::ping(link.rtt_us),
            &format!("{}.{} %", link.loss_permille / 10, link.loss_permille % 10),
            &link.mtu.to_string(),
            &link.link.to_string(),
            &note(link),
        ]);
    }
    console.table(&table, &empty_room(&snapshot, "No links"))?;
    Ok(Exit::Done)
}

fn note(link: &LinkView) -> String {
    let mut notes = Vec::new();
    if link.path == LinkPath::Routed {
        notes.push("routed");
    }
    if link.draining {
        notes.push("draining");
    }
    notes.join(", ")
}
