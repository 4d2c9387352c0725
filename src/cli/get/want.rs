//! One game that is waited for: what is known of its transfer, and how it ends. Pure.

use serde_json::{Value, json};

use crate::{
    api::{Event, EventKind, Reply, Snapshot, SourceView, StateWord, TransferView},
    cli::{exit::Exit, exit::Failure, words},
};

/// Seconds a transfer may look failed, paused or gone before that is believed: snapshots are joined
/// from several actors, and the order to resume takes a moment.
const DOUBT_SECONDS: u8 = 2;

/// A game that is waited for.
#[derive(Debug, Clone)]
pub(super) struct Want {
    pub(super) game: String,
    version: String,
    /// The build; empty for a repair, which goes by the game alone.
    content: String,
    size: u64,
    /// The transfer as it was seen last.
    pub(super) seen: Option<TransferView>,
    /// How it ended, when it has.
    pub(super) outcome: Option<Outcome>,
    /// For how many seconds it has looked like this outcome.
    doubt: Option<(Outcome, u8)>,
}

/// How a transfer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was here before.
    AlreadyHere,
    /// It is here now.
    Here {
        /// Bytes that were here before.
        reused: u64,
        /// Where the others came from.
        sources: Vec<SourceView>,
    },
    /// It needs the user.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
    /// Somebody paused it.
    Paused,
    /// Somebody cancelled it.
    Cancelled,
}

impl Want {
    /// What the runtime answered to `get`.
    pub(super) fn of(reply: Reply) -> Result<Self, Failure> {
        match reply {
            Reply::Queued { game, content, version, size } => {
                Ok(Self { game, version, content, size, seen: None, outcome: None, doubt: None })
            }
            Reply::AlreadyHere { game, content, version } => {
                let outcome = Some(Outcome::AlreadyHere);
                Ok(Self { game, version, content, size: 0, seen: None, outcome, doubt: None })
            }
            Reply::Done { .. }
            | Reply::Added(_)
            | Reply::Verified(_)
            | Reply::Manifest { .. }
            | Reply::Map(_)
            | Reply::Without(_)
            | Reply::Compared(_) => Err(Failure::new(
                Exit::Failed,
                "potluck answered something else than was asked; are both of one version?",
            )),
        }
    }

    /// The repair of a game.
    pub(super) fn repair(game: &str, snapshot: &Snapshot) -> Self {
        let (game, content) = (game.to_owned(), String::new());
        let version = snapshot.games.iter().find(|view| view.id == game).map(|view| view.version.clone());
        let version = version.unwrap_or_default();
        Self { game, version, content, size: 0, seen: None, outcome: None, doubt: None }
    }

    fn is_repair(&self) -> bool {
        self.content.is_empty()
    }

    pub(super) fn on_event(&mut self, event: &Event) {
        if let EventKind::Downloaded { game, content, reused, sources, .. } = &event.kind
            && (*content == self.content || self.is_repair() && *game == self.game)
        {
            self.outcome = Some(Outcome::Here { reused: *reused, sources: sources.clone() });
        }
    }

    pub(super) fn on_snapshot(&mut self, snapshot: &Snapshot) {
        if let Some(transfer) = self.transfer(snapshot) {
            self.seen = Some(transfer.clone());
        }
    }

    /// Once a second: believes what has looked so for a while.
    pub(super) fn on_second(&mut self, snapshot: &Snapshot) {
        if self.outcome.is_some() {
            return;
        }
        let Some(likely) = self.likely(snapshot) else {
            self.doubt = None;
            return;
        };
        let seconds = match self.doubt.take() {
            Some((before, seconds)) if before == likely => seconds + 1,
            _other => 1,
        };
        if seconds >= DOUBT_SECONDS {
            self.outcome = Some(likely);
        } else {
            self.doubt = Some((likely, seconds));
        }
    }

    /// What it looks like, if that is an end.
    fn likely(&self, snapshot: &Snapshot) -> Option<Outcome> {
        let Some(transfer) = self.transfer(snapshot) else {
            let builds = snapshot.games.iter().filter(|game| game.id == self.game).flat_map(|game| &game.builds);
            let is_here =
                self.is_repair() || builds.into_iter().any(|build| build.ours && build.content == self.content);
            let (reused, sources) = self.account();
            return Some(if is_here {
                Outcome::Here { reused, sources: sources.to_vec() }
            } else {
                Outcome::Cancelled
            });
        };
        match transfer.state {
            StateWord::Failed => Some(Outcome::Failed { reason: transfer.reason.clone() }),
            StateWord::Paused => Some(Outcome::Paused),
            StateWord::Available
            | StateWord::Getting
            | StateWord::Waiting
            | StateWord::Checking
            | StateWord::Downloaded
            | StateWord::Installing
            | StateWord::Ready
            | StateWord::Offline => None,
        }
    }

    fn transfer<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a TransferView> {
        snapshot
            .transfers
            .iter()
            .find(|transfer| transfer.game == self.game && (self.is_repair() || transfer.content == self.content))
    }

    /// Whether it was got just now.
    pub(super) fn has_come(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Here { .. }))
    }

    /// Bytes that were here before, and where the others came from, as far as is known.
    pub(super) fn account(&self) -> (u64, &[SourceView]) {
        match (&self.outcome, &self.seen) {
            (Some(Outcome::Here { reused, sources }), _) => (*reused, sources),
            (Some(Outcome::AlreadyHere), _) | (_, None) => (0, &[]),
            (_, Some(seen)) => (seen.reused, &seen.sources),
        }
    }

    /// What is said when it was taken on.
    pub(super) fn announcement(&self) -> String {
        match &self.outcome {
            Some(Outcome::AlreadyHere) => format!("{} {} is here already.", self.game, self.version),
            _not_yet => format!("Getting {} {}, {}.", self.game, self.version, words::size(self.size)),
        }
    }

    /// What is said at its end.
    pub(super) fn sentence(&self) -> Option<String> {
        let name = format!("{} {}", self.game, self.version);
        match self.outcome.as_ref()? {
            Outcome::AlreadyHere => None,
            Outcome::Here { reused, sources } => {
                let used = sources.iter().filter(|source| source.bytes > 0).count() as u64;
                let fetched: u64 = sources.iter().map(|source| source.bytes).sum();
                let mut text = format!("{name} is here: {} from {}", words::size(fetched), words::count(used, "peer"));
                if *reused > 0 {
                    text += &format!(", {} were here before", words::size(*reused));
                }
                Some(text + ".")
            }
            Outcome::Failed { reason } => Some(format!("{name} failed: {reason}")),
            Outcome::Paused => Some(format!("{name} was paused; `potluck resume {}` goes on.", self.game)),
            Outcome::Cancelled => Some(format!("{name} was cancelled.")),
        }
    }

    /// The exit code of this one; without an outcome it depends on whether one was waited for.
    pub(super) fn exit(&self, no_wait: bool) -> Exit {
        match &self.outcome {
            Some(Outcome::AlreadyHere | Outcome::Here { .. }) => Exit::Done,
            Some(Outcome::Failed { .. } | Outcome::Cancelled) => Exit::Failed,
            Some(Outcome::Paused) => Exit::WouldWait,
            None if no_wait => Exit::Done,
            None => Exit::WouldWait,
        }
    }

    pub(super) fn document(&self) -> Value {
        let (result, reason) = match &self.outcome {
            None => ("queued", None),
            Some(Outcome::AlreadyHere) => ("already_here", None),
            Some(Outcome::Here { .. }) => ("done", None),
            Some(Outcome::Failed { reason }) => ("failed", Some(reason)),
            Some(Outcome::Paused) => ("paused", None),
            Some(Outcome::Cancelled) => ("cancelled", None),
        };
        let (reused, sources) = self.account();
        json!({
            "game": self.game,
            "version": self.version,
            "content": self.content,
            "size": self.size,
            "result": result,
            "reason": reason,
            "reused": reused,
            "fetched": sources.iter().map(|source| source.bytes).sum::<u64>(),
            "sources": sources.iter().map(source).collect::<Vec<Value>>(),
        })
    }
}

/// What a source gave.
pub(super) fn source(source: &SourceView) -> Value {
    json!({ "peer": source.peer, "name": source.name, "bytes": source.bytes })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::{BuildView, GameView};

    /// Seconds of what the snapshot shows, one letter each: `g` getting, `f` failed, `p` paused,
    /// `-` nothing, `h` here without a transfer.
    fn check(seconds: &str, expect: Option<Outcome>) {
        let mut want =
            Want::of(Reply::Queued { game: "x".into(), content: "c0".into(), version: "1".into(), size: 10 }).unwrap();
        for letter in seconds.chars() {
            let state = match letter {
                'g' => Some(StateWord::Getting),
                'f' => Some(StateWord::Failed),
                'p' => Some(StateWord::Paused),
                _ => None,
            };
            let transfers = state.map(|state| TransferView {
                game: "x".into(),
                content: "c0".into(),
                state,
                reason: "why".into(),
                reused: 3,
                sources: vec![SourceView { peer: "p".into(), bytes: 7, ..SourceView::default() }],
                ..TransferView::default()
            });
            let build = BuildView { content: "c0".into(), ours: letter == 'h', ..BuildView::default() };
            let game = GameView { id: "x".into(), builds: vec![build], ..GameView::default() };
            let snapshot = Snapshot {
                transfers: Arc::new(transfers.into_iter().collect()),
                games: Arc::new(vec![game]),
                ..Snapshot::default()
            };
            want.on_snapshot(&snapshot);
            want.on_second(&snapshot);
        }
        assert_eq!(want.outcome, expect, "{seconds}");
    }

    #[test]
    fn an_end_is_believed_after_a_second_look() {
        let source = SourceView { peer: "p".into(), bytes: 7, ..SourceView::default() };
        check("", None);
        check("--", Some(Outcome::Cancelled));
        check("-g-g-", None);
        check("gfgf", None);
        check("gff", Some(Outcome::Failed { reason: "why".into() }));
        check("pgpp", Some(Outcome::Paused));
        check("gg-hh", Some(Outcome::Here { reused: 3, sources: vec![source] }));
    }
}
