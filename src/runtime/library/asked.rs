//! What is asked for and changes no folder here: to get a game, to hold a version, to trust a peer.

use std::collections::BTreeSet;

use super::{
    Actor, answer,
    commands::{find, find_peer, refusal, resolve, version as version_of},
};
use crate::{
    api::{AfterGet, CommandError, ErrorCode, GetRequest, Reply},
    core::library::Resolved,
    runtime::input::{ReplyTo, TransfersInput, Wanted},
    types::{EntryState, PeerName},
};

impl Actor {
    pub(super) fn get(&mut self, request: &GetRequest, reply: ReplyTo) {
        match self.gettable(request) {
            Ok(wish) if wish.ours == Some(EntryState::Ready) => {
                let Resolved { key, facts, .. } = wish;
                if request.after.installs() {
                    self.owe_install(&key.game, key.content, request.after.drops());
                }
                let here = Reply::AlreadyHere {
                    game: key.game.to_string(),
                    content: key.content.to_string(),
                    version: facts.version.to_string(),
                };
                answer(reply, Ok(here));
            }
            Ok(wish) => self.enqueue(wish, request.after, Some(reply)),
            Err(error) => answer(reply, Err(error)),
        }
    }

    /// The build meant. Getting one that is here and modified repairs it.
    fn gettable(&self, request: &GetRequest) -> Result<Resolved, CommandError> {
        let wish = resolve(&self.core, request, &self.names)?;
        if wish.ours == Some(EntryState::Ready) {
            return Ok(wish);
        }
        if self.looks.is_taken(&wish.key.game) {
            return Err(refusal(
                ErrorCode::WouldWait,
                format_args!("{} is being changed; try again then", wish.key.game),
            ));
        }
        if let Some(why) = self.nothing_goes_in() {
            return Err(refusal(ErrorCode::Refused, why));
        }
        Ok(wish)
    }

    /// Why no library takes a game, when none does.
    pub(super) fn nothing_goes_in(&self) -> Option<String> {
        let mut refusals = self.desk.libraries.each().map(|(_, library)| {
            let path = library.path().display();
            library.read_only().map(|reason| format!("nothing can be put into {path}: {reason}"))
        });
        let first = refusals.next()??;
        refusals.all(|refusal| refusal.is_some()).then_some(first)
    }

    pub(super) fn enqueue(&mut self, wish: Resolved, after: AfterGet, reply: Option<ReplyTo>) {
        let Resolved { key, facts, .. } = wish;
        let title = self.core.title(&key.game);
        let (version, size, library) = (facts.version, facts.size, self.places.get(&key.game).copied());
        let wanted = Wanted { title, game: key.game, version, content: key.content, size, library, after, reply };
        self.to_transfers.send(TransfersInput::Enqueue(Box::new(wanted)));
    }

    pub(super) fn pin(&mut self, name: &str, version: Option<&str>) -> Result<Reply, CommandError> {
        let game = find(&self.core, name)?;
        let title = self.core.title(&game);
        let message = match version {
            None => {
                self.remembered.pins.remove(&game);
                format!("{title} follows the latest version again.")
            }
            Some(version) => {
                let version = version_of(version)?;
                let nobody = self.core.builds(&game).iter().all(|build| build.facts.version != version);
                let note = if nobody { " Nobody here has that version now." } else { "" };
                let message = format!("{title} is held at {version}.{note}");
                self.remembered.pins.insert(game, version);
                message
            }
        };
        self.rules_changed();
        Ok(Reply::Done { message })
    }

    pub(super) fn trust(&mut self, peer: &str, trust: bool) -> Result<Reply, CommandError> {
        // Who is no longer trusted need not be here, but must be named by what is remembered.
        let mut names = self.names.clone();
        if !trust {
            for peer in &self.remembered.trusted {
                names.entry(*peer).or_insert_with(|| PeerName::new(&peer.short()));
            }
        }
        let peer = find_peer(peer, &names)?;
        let name = self.name_of(&peer);
        let message = if trust {
            self.remembered.trusted.insert(peer);
            format!("What {name} announces is vouched for from now on.")
        } else {
            self.remembered.trusted.remove(&peer);
            format!("{name} is not trusted any more.")
        };
        self.rules_changed();
        self.rows.mark(BTreeSet::new(), [peer].into());
        Ok(Reply::Done { message })
    }
}
