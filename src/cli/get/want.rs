//! One game that is waited for: what is known of its transfer, and how it ends. Pure.

use serde_json::{Value, json};

use crate::{
    api::{AfterGet, Event, EventKind, GameView, Reply, Snapshot, SourceView, StateWord, TransferView},
    cli::{exit::Exit, exit::Failure, words},
};

/// Seconds a transfer may look failed, paused or gone before that is believed: snapshots are joined
/// from several actors, and the order to resume takes a moment.
const DOUBT_SECONDS: u8 = 2;
/// The same for what it was installed from: while it goes, the game looks as when it is gone.
const DROP_DOUBT_SECONDS: u8 = 30;

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
    /// What is to be done when it is here.
    after: AfterGet,
    /// How far its installation is, as it was seen last: percent and what is done.
    installing: Option<(StateWord, Option<u8>, String)>,
    /// How its installation ended: files of the user's that came along and that are elsewhere now, or why it is as
    /// before.
    installed: Option<Result<OwnFiles, String>>,
    /// What became of what it was installed from, which was to go then: gone, or why it stays.
    dropped: Option<Result<(), String>>,
    /// Where files of the payload are now that the user had changed.
    set_aside: Vec<String>,
    /// For how many seconds it has looked like this outcome.
    doubt: Option<(Doubt, u8)>,
}

/// Files of the user's own, by their paths in the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OwnFiles {
    kept: Vec<String>,
    set_aside: Vec<String>,
}

/// What it looks like, and may not be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Doubt {
    /// The transfer has ended so.
    Ended(Outcome),
    /// Nobody installs it any more, and this is why.
    NotInstalled(String),
    /// Nobody drops anything of it any more.
    Dropped(Result<(), String>),
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
    pub(super) fn of(reply: Reply, after: AfterGet) -> Result<Self, Failure> {
        let (outcome, game, content, version, size) = if let Reply::AlreadyHere { game, content, version } = reply {
            (Some(Outcome::AlreadyHere), game, content, version, 0)
        } else {
            let Reply::Queued { game, content, version, size } = reply else { return Err(Failure::other_answer()) };
            (None, game, content, version, size)
        };
        Ok(Self { outcome, after, ..Self::new(game, version, content, size) })
    }

    fn new(game: String, version: String, content: String, size: u64) -> Self {
        Self {
            game,
            version,
            content,
            size,
            seen: None,
            outcome: None,
            after: AfterGet::Nothing,
            installing: None,
            installed: None,
            dropped: None,
            set_aside: Vec::new(),
            doubt: None,
        }
    }

    /// The repair of a game.
    pub(super) fn repair(game: &str, snapshot: &Snapshot) -> Self {
        let version = snapshot.games.iter().find(|view| view.id == game).map(|view| view.version.clone());
        Self::new(game.to_owned(), version.unwrap_or_default(), String::new(), 0)
    }

    /// Whether both are the same build of one game.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.game == other.game && self.content == other.content
    }

    fn is_repair(&self) -> bool {
        self.content.is_empty()
    }

    /// Whether it is here, and is still to be installed.
    fn is_to_be_installed(&self) -> bool {
        let is_here = matches!(self.outcome, Some(Outcome::AlreadyHere | Outcome::Here { .. }));
        is_here && self.after.installs() && self.installed.is_none()
    }

    /// Whether there is nothing more to wait for.
    pub(super) fn is_settled(&self) -> bool {
        self.outcome.is_some() && !self.is_to_be_installed() && !self.is_to_be_dropped()
    }

    /// Whether it is installed, and what it was installed from is still to go.
    fn is_to_be_dropped(&self) -> bool {
        self.after.drops() && matches!(self.installed, Some(Ok(_))) && self.dropped.is_none()
    }

    pub(super) fn on_event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Downloaded { game, content, reused, sources, set_aside, .. }
                if *content == self.content || self.is_repair() && *game == self.game =>
            {
                self.outcome = Some(Outcome::Here { reused: *reused, sources: sources.clone() });
                self.set_aside.clone_from(set_aside);
            }
            EventKind::Installed { game, content, kept, set_aside }
                if *game == self.game && *content == self.content =>
            {
                self.installed = Some(Ok(OwnFiles { kept: kept.clone(), set_aside: set_aside.clone() }));
            }
            EventKind::InstallFailed { game, reason } if *game == self.game && self.is_to_be_installed() => {
                self.installed = Some(Err(reason.clone()));
            }
            EventKind::Dropped { game, content, stays } if *game == self.game && *content == self.content => {
                self.dropped = Some(stays.clone().map_or(Ok(()), Err));
            }
            EventKind::Downloaded { .. }
            | EventKind::Dropped { .. }
            | EventKind::Installed { .. }
            | EventKind::InstallFailed { .. }
            | EventKind::Playing { .. }
            | EventKind::Played { .. }
            | EventKind::PeerUp { .. }
            | EventKind::PeerDown { .. }
            | EventKind::PeerTrouble { .. }
            | EventKind::Connection { .. }
            | EventKind::Library { .. }
            | EventKind::Transfer { .. }
            | EventKind::BadChunk { .. }
            | EventKind::RuntimeFailed { .. }
            | EventKind::Phase(_)
            | EventKind::Note => {}
        }
    }

    pub(super) fn on_snapshot(&mut self, snapshot: &Snapshot) {
        if let Some(transfer) = self.transfer(snapshot) {
            self.seen = Some(transfer.clone());
        }
        let game = self.game(snapshot).filter(|game| matches!(game.state, StateWord::Installing | StateWord::Waiting));
        self.installing = game.map(|game| (game.state, game.percent, game.reason.clone()));
    }

    /// Once a second: believes what has looked so for a while.
    pub(super) fn on_second(&mut self, snapshot: &Snapshot) {
        if self.is_settled() {
            return;
        }
        let likely = if self.outcome.is_none() {
            self.likely(snapshot).map(Doubt::Ended)
        } else if self.is_to_be_installed() {
            self.likely_not_installed(snapshot).map(Doubt::NotInstalled)
        } else {
            self.likely_dropped(snapshot).map(Doubt::Dropped)
        };
        let Some(likely) = likely else {
            self.doubt = None;
            return;
        };
        let seconds = match self.doubt.take() {
            Some((before, seconds)) if before == likely => seconds + 1,
            _other => 1,
        };
        match likely {
            Doubt::Ended(outcome) if seconds >= DOUBT_SECONDS => self.outcome = Some(outcome),
            Doubt::NotInstalled(reason) if seconds >= DOUBT_SECONDS => self.installed = Some(Err(reason)),
            Doubt::Dropped(result) if seconds >= DROP_DOUBT_SECONDS => self.dropped = Some(result),
            likely @ (Doubt::Ended(_) | Doubt::NotInstalled(_) | Doubt::Dropped(_)) => {
                self.doubt = Some((likely, seconds));
            }
        }
    }

    /// Why it looks as if nobody installed it; takes note of it when somebody has.
    fn likely_not_installed(&mut self, snapshot: &Snapshot) -> Option<String> {
        let game = self.game(snapshot)?;
        match game.state {
            StateWord::Ready | StateWord::Downloaded | StateWord::Failed | StateWord::Available => {}
            StateWord::Getting
            | StateWord::Waiting
            | StateWord::Paused
            | StateWord::Checking
            | StateWord::Installing
            | StateWord::Offline => return None,
        }
        if game.installed.as_ref() == Some(&self.content) {
            self.installed = Some(Ok(OwnFiles::default()));
            return None;
        }
        let why = if game.reason.is_empty() { "it was not installed" } else { &game.reason };
        Some(why.to_owned())
    }

    /// What became of what it was installed from, by the looks of it.
    fn likely_dropped(&self, snapshot: &Snapshot) -> Option<Result<(), String>> {
        let game = self.game(snapshot)?;
        Some(if game.is_installed_only() { Ok(()) } else { Err("it was not dropped".to_owned()) })
    }

    fn game<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a GameView> {
        snapshot.games.iter().find(|game| game.id == self.game)
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

    /// How far it is, while it goes on: what there is in all, what is done of it, and words for that.
    pub(super) fn progress(&self) -> Option<(u64, u64, String)> {
        if self.is_settled() {
            return None;
        }
        if self.outcome.is_none() {
            return self.seen.as_ref().map(|seen| (seen.size, seen.done, words::progress(seen)));
        }
        let (word, percent, doing) = self.installing.as_ref()?;
        let state = words::state(*word, *percent, doing);
        Some((100, u64::from(percent.unwrap_or(0)), state))
    }

    /// What is said at its end, a line each.
    pub(super) fn report(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.sentence().into_iter().collect();
        lines.extend(words::own_files(&[], &self.set_aside));
        let name = format!("{} {}", self.game, self.version);
        match &self.installed {
            None => {}
            Some(Ok(OwnFiles { kept, set_aside })) => {
                lines.push(format!("{name} is ready to play."));
                lines.extend(words::own_files(kept, set_aside));
            }
            Some(Err(reason)) => lines.push(format!("{name} was not installed: {reason}")),
        }
        match &self.dropped {
            None => {}
            Some(Ok(())) => lines.push("What it was installed from is gone; it is not shared any more.".to_owned()),
            Some(Err(reason)) => lines.push(format!("What it was installed from stays: {reason}.")),
        }
        lines
    }

    /// How it came, or why it did not.
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
            Some(Outcome::AlreadyHere | Outcome::Here { .. }) => match &self.installed {
                Some(Err(_)) => Exit::Failed,
                None if self.is_to_be_installed() && !no_wait => Exit::WouldWait,
                Some(Ok(_)) if self.is_to_be_dropped() && !no_wait => Exit::WouldWait,
                Some(Ok(_)) | None => Exit::Done,
            },
            Some(Outcome::Failed { .. } | Outcome::Cancelled) => Exit::Failed,
            Some(Outcome::Paused) => Exit::WouldWait,
            None if no_wait => Exit::Done,
            None => Exit::WouldWait,
        }
    }

    pub(super) fn document(&self) -> Value {
        let (result, reason) = match &self.outcome {
            None => ("queued", None),
            Some(Outcome::AlreadyHere | Outcome::Here { .. }) if matches!(self.installed, Some(Err(_))) => {
                ("not_installed", self.installed.as_ref().and_then(|installed| installed.as_ref().err()))
            }
            Some(Outcome::AlreadyHere) => ("already_here", None),
            Some(Outcome::Here { .. }) => ("done", None),
            Some(Outcome::Failed { reason }) => ("failed", Some(reason)),
            Some(Outcome::Paused) => ("paused", None),
            Some(Outcome::Cancelled) => ("cancelled", None),
        };
        let (reused, sources) = self.account();
        let own = self.installed.as_ref().and_then(|installed| installed.as_ref().ok());
        json!({
            "game": self.game,
            "version": self.version,
            "content": self.content,
            "size": self.size,
            "result": result,
            "reason": reason,
            "installed": matches!(self.installed, Some(Ok(_))),
            "dropped": matches!(self.dropped, Some(Ok(()))),
            "kept": own.map(|own| &own.kept),
            "set_aside": self.set_aside.iter().chain(own.iter().flat_map(|own| &own.set_aside)).collect::<Vec<_>>(),
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
    use crate::api::{BuildView, Level};

    fn queued(after: AfterGet) -> Want {
        let reply = Reply::Queued { game: "x".into(), content: "c0".into(), version: "1".into(), size: 10 };
        Want::of(reply, after).unwrap()
    }

    /// Seconds of what the snapshot shows, one letter each: `g` getting, `f` failed, `p` paused,
    /// `-` nothing, `h` here without a transfer.
    fn check(seconds: &str, expect: Option<Outcome>) {
        let mut want = queued(AfterGet::Nothing);
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

    /// What is believed after these seconds of what the library shows of a game that is here: `d` downloaded, `i`
    /// installing, `o` another build is ready, `r` this one is; `F` and `R` are the events.
    fn check_install(seconds: &str, expect: Option<Result<OwnFiles, String>>) {
        let mut want = queued(AfterGet::Install);
        want.outcome = Some(Outcome::AlreadyHere);
        for letter in seconds.chars() {
            let (game, content) = ("x".to_owned(), "c0".to_owned());
            let kind = match letter {
                'F' => Some(EventKind::InstallFailed { game, reason: "no".into() }),
                'R' => Some(EventKind::Installed { game, content, kept: vec!["a".into()], set_aside: Vec::new() }),
                _ => None,
            };
            if let Some(kind) = kind {
                want.on_event(&Event { at_ms: 0, level: Level::Info, text: String::new(), kind });
                continue;
            }
            let (state, installed) = match letter {
                'i' => (StateWord::Installing, None),
                'o' => (StateWord::Ready, Some("c9".to_owned())),
                'r' => (StateWord::Ready, Some("c0".to_owned())),
                _ => (StateWord::Downloaded, None),
            };
            let game = GameView { id: "x".into(), state, installed, reason: "why".into(), ..GameView::default() };
            let snapshot = Snapshot { games: Arc::new(vec![game]), ..Snapshot::default() };
            want.on_snapshot(&snapshot);
            want.on_second(&snapshot);
        }
        assert_eq!(want.installed, expect, "{seconds}");
        assert_eq!(want.is_settled(), expect.is_some(), "{seconds}");
    }

    #[test]
    fn an_installation_is_waited_for() {
        check_install("", None);
        check_install("didid", None);
        check_install("ir", Some(Ok(OwnFiles::default())));
        check_install("iR", Some(Ok(OwnFiles { kept: vec!["a".into()], set_aside: Vec::new() })));
        check_install("iF", Some(Err("no".into())));
        check_install("idd", Some(Err("why".into())));
        check_install("ioo", Some(Err("why".into())));
    }
}
