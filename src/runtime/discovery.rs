//! Keeps the mDNS announcement and search alive and tells the links actor who is near. Started by the
//! driver once the listener is bound, and again when it fails; decides nothing.

use tokio_util::sync::CancellationToken;

use super::{context::Context, input::LinksInput};
use crate::{
    io::mdns::{Heard, Mdns, MdnsError},
    types::PeerName,
};

/// Runs until cancelled. `port` is the listener's.
pub(crate) async fn run(context: Context, port: u16, cancel: CancellationToken) -> Result<(), MdnsError> {
    let name = PeerName::new(&context.settings.name);
    let mut mdns = Mdns::start(context.me, &name, port)?;
    let mut doubts = context.doubts.subscribe();
    let outcome = loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break Ok(()),
            heard = mdns.next() => match heard {
                Ok(Heard::Peer { peer, name, addrs }) => {
                    tell(&context, LinksInput::Heard { peer, name, addrs }).await;
                }
                Ok(Heard::Gone { peer }) => tell(&context, LinksInput::Unheard { peer }).await,
                Err(error) => break Err(error),
            },
            Ok(()) = doubts.changed() => {
                let doubted = *doubts.borrow_and_update();
                if let Some(peer) = doubted {
                    mdns.verify(peer);
                }
            }
        }
    };
    mdns.close().await;
    outcome
}

async fn tell(context: &Context, input: LinksInput) {
    // The links actor is gone only when everything ends.
    let _ = context.inputs.links.send(input).await;
}
