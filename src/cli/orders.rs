//! Commands that are one order to the runtime and one sentence back: pause, resume, cancel, move, pin,
//! unpin, trust, block, limit, quiet, connect.

use super::{
    Console, Exit,
    args::{Order, Switch},
    exit::Failure,
    get::busy,
    session::Session,
    words,
};
use crate::{
    api::{Command, Reply},
    config,
};

/// The order as the runtime takes it.
pub(super) fn command(order: Order) -> Result<Command, Failure> {
    Ok(match order {
        Order::Pause { game } => Command::Pause { game },
        Order::Resume { game } => Command::Resume { game },
        Order::Install { game, drop_archives } => Command::Install { game, drop_archives },
        Order::Move { game, library } => Command::Move { game, library: whole(library)? },
        Order::Cancel { game, discard } => Command::Cancel { game, discard },
        Order::Pin { game, version } => Command::Pin { game, version },
        Order::Unpin { game } => Command::Unpin { game },
        Order::Trust { peer } => Command::Trust { peer, trust: true },
        Order::Block { peer } => Command::Block { peer, block: true },
        Order::Limit { peer, up, down } => Command::Limit { peer, up, down },
        Order::Quiet { switch } => Command::Quiet { on: switch == Switch::On },
        Order::Connect { addr } => Command::Connect { addr: config::dial_address(&addr).map_err(Failure::usage)? },
    })
}

/// A path as the runtime knows it, which may work in another folder; a mere name stays one.
fn whole(library: String) -> Result<String, Failure> {
    if !library.contains('/') && !library.starts_with('.') {
        return Ok(library);
    }
    let path = std::path::absolute(&library).map_err(|error| Failure::usage(format!("{library}: {error}")))?;
    Ok(path.display().to_string())
}

pub(super) async fn run(session: &Session, order: Command, console: &mut Console) -> Result<Exit, Failure> {
    if session.own && matches!(order, Command::Limit { .. } | Command::Quiet { .. }) {
        let message = "no potluck runs here whose limits could be changed; up_limit and down_limit in the config file \
                       hold from its start";
        return Err(Failure::new(Exit::Refused, message));
    }
    // These name peers and builds that a runtime of our own has to meet first.
    if matches!(order, Command::Trust { .. } | Command::Block { .. } | Command::Pin { .. }) {
        session.gather().await;
    } else {
        session.scanned().await;
    }
    let takes_time = matches!(order, Command::Install { .. } | Command::Move { .. });
    let reply = if takes_time { busy(session, order, console).await? } else { session.call(order).await? };
    report(&reply, console)?;
    Ok(Exit::Done)
}

/// What a command was answered, as a sentence or a document.
pub(super) fn report(reply: &Reply, console: &mut Console) -> Result<(), Failure> {
    if console.json {
        return console.document(reply);
    }
    match reply {
        Reply::Done { message } => console.say(message),
        Reply::Queued { game, version, .. } => console.say(&format!("{game} {version} is in the queue.")),
        Reply::AlreadyHere { game, version, .. } => console.say(&format!("{game} {version} is here already.")),
        Reply::Installed { message, kept, set_aside, .. } => {
            console.say(message)?;
            words::own_files(kept, set_aside).iter().try_for_each(|line| console.say(line))
        }
        Reply::Added(added) => console.say(&format!("{} {} is in the library.", added.game, added.version)),
        Reply::Verified(report) => console.say(&format!("{} was checked.", report.game)),
        Reply::Manifest { json, .. } => console.text(json),
        Reply::Confirm(ask) => console.say(&format!("{} is not started: nobody agreed to its programs.", ask.title)),
        Reply::Playing(playing) => console.say(&format!("{} runs, process {}.", playing.title, playing.pid)),
        Reply::Without(without) => console.say(&format!("{} peers have nothing of {}.", without.count, without.game)),
        Reply::Compared(compared) => {
            console.say(&format!("It has {} more games and lacks {}.", compared.more, compared.lacks))
        }
        Reply::Space(space) => console.say(&format!("{} things here could go.", space.items.len())),
        // Asked for by programs: people have `status` and `config`.
        Reply::Figures(figures) => console.document(figures),
        Reply::Config { config } => console.document(config),
        Reply::Doctor(diagnosis) => super::doctor::say(diagnosis, console),
        Reply::Map(map) => console.say(&format!("{} has {} chunks.", map.game, map.chunks)),
    }
}
