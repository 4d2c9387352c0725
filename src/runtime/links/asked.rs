//! What users ask of the links: that an address be dialled, that a peer be blocked.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{Actor, Fact, address};
use crate::{
    api::{CommandError, ErrorCode, EventKind, Level, Reply},
    io::clock,
    runtime::input::ReplyTo,
    types::{PeerId, PeerName},
};

/// A host name that cannot be resolved is asked for again after this.
const RESOLVE_PAUSE: Duration = Duration::from_secs(15);

impl Actor {
    pub(super) fn on_block(&mut self, wanted: &str, block: bool, reply: ReplyTo) {
        let result = self.find_peer(wanted).map(|(peer, name)| {
            self.roster.handle_block(peer, block, clock::now());
            let message = if block { format!("{name} is blocked.") } else { format!("{name} is no longer blocked.") };
            Reply::Done { message }
        });
        let list: Vec<String> = self.roster.blocked().iter().map(ToString::to_string).collect();
        let (file, pool) = (self.blocked.clone(), self.context.pool.clone());
        self.context.tasks.spawn("block", async move {
            let saved = match &result {
                Ok(_) => pool.run(move || file.save(&list)).await,
                Err(_) => Ok(Ok(())),
            };
            let failed = |error: String| {
                Err(CommandError::new(
                    ErrorCode::Failed,
                    format!("it holds until potluck ends, but was not saved: {error}"),
                ))
            };
            let result = match saved {
                Ok(Ok(())) => result,
                Ok(Err(error)) => failed(error.to_string()),
                Err(error) => failed(error.to_string()),
            };
            // A face that no longer waits dropped its end.
            let _ = reply.send(result);
        });
    }

    /// A peer by its id, the beginning of it, or its name.
    fn find_peer(&self, wanted: &str) -> Result<(PeerId, String), CommandError> {
        let mut found: Vec<(PeerId, String)> = Vec::new();
        for row in self.roster.rows() {
            let Some(peer) = row.peer else { continue };
            let name = row.name.map_or_else(|| peer.short(), |name: PeerName| name.to_string());
            if !wanted.is_empty() && (peer.to_string().starts_with(wanted) || name == wanted) {
                found.push((peer, name));
            }
        }
        match (found.len(), wanted.parse::<PeerId>()) {
            (1, _) => Ok(found.remove(0)),
            (0, Ok(peer)) => Ok((peer, peer.short())),
            (0, Err(_)) => Err(CommandError::new(
                ErrorCode::NotFound,
                format!("No peer here is called `{wanted}`. `potluck peers` lists them."),
            )),
            (_, _) => {
                let names: Vec<_> = found.iter().map(|(peer, name)| format!("{name} ({})", peer.short())).collect();
                let message = format!("`{wanted}` means more than one peer: {}.", names.join(", "));
                Err(CommandError::new(ErrorCode::Ambiguous, message))
            }
        }
    }

    /// Looks an address up; one of the settings is asked for until it is found.
    pub(super) fn resolve(&mut self, text: String, reply: Option<ReplyTo>) {
        let facts = self.facts.clone();
        let (teller, cancel) = (self.context.teller.clone(), self.context.tasks.cancelled().clone());
        self.context.tasks.spawn("resolve", async move {
            let mut told = false;
            loop {
                match address::look_up(&text).await {
                    Ok(address) => {
                        // Without an actor the runtime is ending anyway.
                        let _ = facts.send(Fact::Resolved { address, reply }).await;
                        return;
                    }
                    Err(message) => match reply {
                        Some(reply) => {
                            // A face that no longer waits dropped its end.
                            let _ = reply.send(Err(CommandError::new(ErrorCode::Failed, message)));
                            return;
                        }
                        None if told => {}
                        None => {
                            told = true;
                            teller.tell(Level::Warning, EventKind::PeerTrouble { peer: None }, message);
                        }
                    },
                }
                if cancel.run_until_cancelled(tokio::time::sleep(RESOLVE_PAUSE)).await.is_none() {
                    return;
                }
            }
        });
    }

    pub(super) fn answer(&mut self, address: SocketAddr, result: Result<String, (ErrorCode, String)>) {
        for (_, _, reply) in self.waiting.extract_if(.., |(waiting, ..)| *waiting == address) {
            let result = match &result {
                Ok(message) => Ok(Reply::Done { message: message.clone() }),
                Err((code, message)) => Err(CommandError::new(*code, message.clone())),
            };
            // A face that no longer waits dropped its end.
            let _ = reply.send(result);
        }
    }

    pub(super) fn answer_overdue(&mut self, now: Instant) {
        let overdue: Vec<_> =
            self.waiting.iter().filter(|(_, by, _)| *by <= now).map(|(address, ..)| *address).collect();
        for address in overdue {
            let message = format!("{address} has not answered yet. Still trying.");
            self.answer(address, Err((ErrorCode::WouldWait, message)));
        }
    }
}
