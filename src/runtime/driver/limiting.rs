//! Limits that are set while running: checks them, tells the actors that keep to them, and remembers
//! them for the faces. How a limit is kept is `core::limits`' business; none outlives the runtime.

use std::collections::BTreeMap;

use super::Driver;
use crate::{
    api::{CommandError, ErrorCode, EventKind, Level, LimitTo, Reply, Totals},
    runtime::{
        input::{ReplyTo, ServingInput, TransfersInput},
        library,
    },
    types::{PeerId, PeerName, Rate},
};

/// Peers with limits of their own; more than a room has, and a script that runs wild is stopped.
const LIMITED_PEERS_MAX: usize = 1_024;

/// What is sent in all while keeping quiet: the least that peers can work with.
const TRICKLE: Rate = Rate::LIMIT_MIN;

/// The limits of both directions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Both {
    pub(super) up: Option<Rate>,
    pub(super) down: Option<Rate>,
}

impl Both {
    fn words(self) -> String {
        let word = |rate: Option<Rate>, way: &str| match rate {
            Some(rate) => format!("at most {rate} {way}"),
            None => format!("no limit {way}"),
        };
        format!("{}, {}", word(self.up, "up"), word(self.down, "down"))
    }
}

/// Whether only a trickle is sent, whatever the limits are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quiet {
    No,
    /// Because the user said so.
    Asked,
    /// While somebody plays here.
    Playing,
}

/// What is limited now.
#[derive(Debug)]
pub(super) struct Limited {
    everybody: Both,
    quiet: Quiet,
    /// Whether somebody plays here.
    playing: bool,
    /// Those with a limit of their own.
    peers: BTreeMap<PeerId, Both>,
}

impl Limited {
    /// As the settings say.
    pub(super) fn new(up: Option<Rate>, down: Option<Rate>) -> Self {
        Self { everybody: Both { up, down }, quiet: Quiet::No, playing: false, peers: BTreeMap::new() }
    }

    /// What holds for everybody together.
    fn in_force(&self) -> Both {
        match self.quiet {
            Quiet::No => self.everybody,
            Quiet::Asked | Quiet::Playing => Both { up: Some(TRICKLE), ..self.everybody },
        }
    }

    /// What a user said about being quiet holds, whoever plays; true when something changes.
    fn set_playing(&mut self, playing: bool) -> bool {
        let before = self.quiet;
        self.quiet = match (before, playing, self.playing) {
            (Quiet::No, true, false) => Quiet::Playing,
            (Quiet::Playing, false, _) => Quiet::No,
            (_, _, _) => before,
        };
        self.playing = playing;
        self.quiet != before
    }

    /// The limits of everybody together as faces see them.
    pub(super) fn shown_in(&self, totals: Totals) -> Totals {
        let Both { up, down } = self.in_force();
        let quiet = self.quiet != Quiet::No;
        Totals { up_limit_bps: up.map(Rate::as_bps), down_limit_bps: down.map(Rate::as_bps), quiet, ..totals }
    }

    /// What holds for one peer alone.
    pub(super) fn of_peer(&self, peer: &PeerId) -> Both {
        self.peers.get(peer).copied().unwrap_or_default()
    }

    fn set(&mut self, peer: Option<PeerId>, both: Both) -> Result<(), CommandError> {
        let Some(peer) = peer else {
            self.everybody = both;
            return Ok(());
        };
        if both == Both::default() {
            self.peers.remove(&peer);
        } else if self.peers.len() < LIMITED_PEERS_MAX || self.peers.contains_key(&peer) {
            self.peers.insert(peer, both);
        } else {
            let message = format!("{LIMITED_PEERS_MAX} peers have limits already; lift some with `off`");
            return Err(CommandError::new(ErrorCode::Refused, message));
        }
        Ok(())
    }
}

impl Driver {
    /// Sets limits; false when an actor that should keep to them is gone.
    pub(super) async fn limit(
        &mut self,
        peer: Option<&str>,
        to: (Option<LimitTo>, Option<LimitTo>),
        reply: ReplyTo,
    ) -> bool {
        let (peer, both, message) = match self.limited_now(peer, to) {
            Ok(now) => now,
            Err(error) => {
                // A face that no longer waits dropped its end.
                let _ = reply.send(Err(error));
                return true;
            }
        };
        // A limit for everybody that is set while keeping quiet holds afterwards.
        let both = if peer.is_none() { self.limited.in_force() } else { both };
        self.enforce(peer, both, message, reply).await
    }

    /// Keeps quiet, or no longer; false when an actor that should is gone.
    pub(super) async fn quiet(&mut self, on: bool, reply: ReplyTo) -> bool {
        self.limited.quiet = if on { Quiet::Asked } else { Quiet::No };
        let both = self.limited.in_force();
        let message = match (on, both.up) {
            (true, _) => format!("Quiet: at most {TRICKLE} up."),
            (false, Some(rate)) => format!("No longer quiet: at most {rate} up."),
            (false, None) => "No longer quiet: no limit up.".to_owned(),
        };
        self.enforce(None, both, message, reply).await
    }

    /// Sends only a trickle while somebody plays here.
    pub(super) async fn keep_quiet_for_players(&mut self) {
        let playing = self.shows.library.borrow().playing;
        // An actor that is gone ends the runtime in any case.
        if self.limited.set_playing(playing) && self.tell(None, self.limited.in_force()).await {
            let text = match self.limited.quiet {
                Quiet::No => "Nobody plays here any more: uploads are as before.".to_owned(),
                Quiet::Asked | Quiet::Playing => format!("While somebody plays here at most {TRICKLE} go out."),
            };
            self.context.teller.tell(Level::Info, EventKind::Note, text);
        }
    }

    async fn tell(&self, peer: Option<PeerId>, both: Both) -> bool {
        let inputs = &self.context.inputs;
        inputs.serving.send(ServingInput::Limit { peer, rate: both.up }).await.is_ok()
            && inputs.transfers.send(TransfersInput::Limit { peer, rate: both.down }).await.is_ok()
    }

    async fn enforce(&mut self, peer: Option<PeerId>, both: Both, message: String, reply: ReplyTo) -> bool {
        let told = self.tell(peer, both).await;
        if told {
            self.show();
            // A face that no longer waits dropped its end.
            let _ = reply.send(Ok(Reply::Done { message }));
        }
        told
    }

    /// Remembers new limits: whose, both of them, and a sentence.
    fn limited_now(
        &mut self,
        peer: Option<&str>,
        to: (Option<LimitTo>, Option<LimitTo>),
    ) -> Result<(Option<PeerId>, Both, String), CommandError> {
        let usage = |message: &str| CommandError::new(ErrorCode::Usage, message);
        let rate = |to: LimitTo| to.rate().map_err(|error| usage(&error.to_string()));
        if to == (None, None) {
            return Err(usage("say `up`, `down`, or both"));
        }
        let (up, down) = (to.0.map(rate).transpose()?, to.1.map(rate).transpose()?);
        let (peer, name) = match peer {
            None => (None, "Everybody together".to_owned()),
            Some(text) => {
                let names = self.names();
                let peer = library::find_peer(text, &names)?;
                (Some(peer), names.get(&peer).map_or_else(|| peer.short(), ToString::to_string))
            }
        };
        let before = peer.map_or(self.limited.everybody, |peer| self.limited.of_peer(&peer));
        let both = Both { up: up.unwrap_or(before.up), down: down.unwrap_or(before.down) };
        self.limited.set(peer, both)?;
        Ok((peer, both, format!("{name}: {}.", both.words())))
    }

    /// The peers that faces see.
    fn names(&self) -> BTreeMap<PeerId, PeerName> {
        let snapshot = self.life.end.snapshots.borrow();
        let peers = snapshot.peers.iter();
        peers.filter_map(|peer| Some((peer.id.parse().ok()?, PeerName::new(&peer.name)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_without_limits_is_forgotten_and_only_so_many_have_some() {
        let peer = |number: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
            Some(PeerId::from_bytes(bytes))
        };
        let some = Both { up: Some(Rate::from_bps(5_000_000)), down: None };
        let mut limited = Limited::new(None, Some(Rate::LIMIT_MIN));
        for number in 0..LIMITED_PEERS_MAX {
            assert_eq!(limited.set(peer(number), some), Ok(()));
        }
        let refused = limited.set(peer(LIMITED_PEERS_MAX), some).map_err(|error| error.code);
        assert_eq!(refused, Err(ErrorCode::Refused));
        assert_eq!(limited.set(peer(0), Both::default()), Ok(()));
        assert_eq!(limited.set(peer(LIMITED_PEERS_MAX), some), Ok(()));
        assert_eq!(limited.in_force().words(), "no limit up, at most 1.0 MB/s down");
    }

    #[test]
    fn what_is_limited_while_quiet_holds_afterwards() {
        let mut limited = Limited::new(None, None);
        limited.quiet = Quiet::Asked;
        assert_eq!(limited.in_force().words(), "at most 1.0 MB/s up, no limit down");
        let asked = Both { up: Some(Rate::from_bps(5_000_000)), down: None };
        assert_eq!(limited.set(None, asked), Ok(()));
        let shown = limited.shown_in(Totals::default());
        assert_eq!((shown.quiet, shown.up_limit_bps), (true, Some(Rate::LIMIT_MIN.as_bps())));
        limited.quiet = Quiet::No;
        assert_eq!(limited.in_force(), asked);
    }

    #[test]
    fn playing_is_quiet_and_what_the_user_said_of_it_holds() {
        // What happens, and whether only a trickle goes out then.
        let check = |steps: &[(&str, bool)]| {
            let mut limited = Limited::new(None, None);
            for (step, quiet) in steps {
                match *step {
                    "play" => drop(limited.set_playing(true)),
                    "end" => drop(limited.set_playing(false)),
                    "z on" => limited.quiet = Quiet::Asked,
                    _ => limited.quiet = Quiet::No,
                }
                assert_eq!(limited.in_force().up.is_some(), *quiet, "{step} of {steps:?}");
            }
        };
        check(&[("play", true), ("play", true), ("end", false)]);
        check(&[("z on", true), ("play", true), ("end", true), ("z off", false)]);
        check(&[("play", true), ("z off", false), ("play", false), ("end", false), ("play", true)]);
        check(&[("play", true), ("z on", true), ("end", true)]);
    }
}
