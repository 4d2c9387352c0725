//! `transfers`: what is being got, in the order of the queue.

use super::{Console, Exit, args::Wait, exit::Failure, session::Session, table::Table, words};

pub(super) async fn run(session: &Session, wait: Wait, console: &mut Console) -> Result<Exit, Failure> {
    session.look(wait).await;
    let snapshot = session.snapshot();
    if console.json {
        console.document(&*snapshot.transfers)?;
        return Ok(Exit::Done);
    }
    let headings = ["GAME", "VERSION", "%", "DONE", "OF", "RATE", "LEFT", "FROM", "STATE"];
    let mut table = Table::new(&headings).right(2).right(3).right(4).right(5).right(6).right(7);
    for transfer in snapshot.transfers.iter() {
        table.row([
            &transfer.game,
            &transfer.version,
            &transfer.percent.to_string(),
            &words::size(transfer.done),
            &words::size(transfer.size),
            &words::rate(transfer.down_bps),
            &transfer.left_s.map_or_else(String::new, words::left),
            &transfer.sources.len().to_string(),
            &words::state(transfer.state, None, &transfer.reason),
        ]);
    }
    console.table(&table, "No transfers.")?;
    Ok(Exit::Done)
}
