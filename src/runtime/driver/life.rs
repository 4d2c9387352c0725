//! What the runtime says of itself: its phase and why it failed, in the snapshot and as an event for
//! each edge. Holds the runtime's end of every face.

use std::sync::Arc;

use crate::{
    api::{AfterGet, EventKind, HandleEnd, Level, LogView, MeView, Phase, Reason, Snapshot},
    config::Settings,
    io::clock,
    logging,
    runtime::view::Teller,
};

/// The runtime as faces see it.
pub(super) struct Life {
    pub(super) me: MeView,
    pub(super) end: HandleEnd,
    pub(super) teller: Teller,
}

/// A runtime that has not begun.
pub(super) fn unborn(settings: &Settings) -> MeView {
    let now = clock::unix_ms();
    MeView {
        name: settings.name.clone(),
        library: settings.library().display().to_string(),
        home: settings.places.state.display().to_string(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        phase: Phase::Idle,
        phase_since_ms: now,
        since_ms: now,
        mdns: settings.mdns,
        demo: settings.demo,
        after_get: if settings.install_after_get { AfterGet::Install } else { AfterGet::Nothing },
        log: LogView { level: settings.log.clone(), lost: logging::dropped() },
        ..MeView::default()
    }
}

impl Life {
    pub(super) fn new(me: MeView, end: HandleEnd) -> Self {
        let teller = Teller::new(end.events.clone());
        Self { me, end, teller }
    }

    /// Goes on to a phase that is no failure; what an earlier one failed of is forgotten.
    pub(super) fn enter(&mut self, phase: Phase) {
        self.edge(phase, None);
    }

    /// Ends in failure: nothing comes after it.
    pub(super) fn fail(&mut self, reason: Reason, error: String) {
        self.edge(Phase::Error, Some((reason, error)));
    }

    fn edge(&mut self, phase: Phase, failure: Option<(Reason, String)>) {
        if self.me.phase == phase {
            return;
        }
        let (reason, error) = failure.unzip();
        let me = MeView { phase, reason, error, phase_since_ms: clock::unix_ms(), ..self.me.clone() };
        self.me = me;
        let before = self.end.snapshots.borrow().clone();
        self.publish(Snapshot { me: Arc::new(self.me.clone()), ..Snapshot::clone(&before) });
        let text = match &self.me.error {
            Some(error) => format!("potluck: {}: {error}", phase.word()),
            None => format!("potluck: {}", phase.word()),
        };
        self.teller.tell(Level::Debug, EventKind::Phase(self.me.status()), text);
    }

    pub(super) fn publish(&self, next: Snapshot) {
        self.end.snapshots.send_replace(Arc::new(next));
    }
}
