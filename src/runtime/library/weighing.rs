//! What the builds that are here take when they are installed: found out once a build, one after the other, when every game
//! has been looked at, and kept in the index. The room is told it, because whoever has not got a build cannot look into
//! its archives.

use std::{collections::BTreeSet, time::Instant};

use tokio_util::sync::CancellationToken;

use super::{Actor, Stage, jobs::Done, look::Desk};
use crate::{
    core::library::LocalState,
    io::{
        disk::{DiskError, GameRoot},
        scan,
        store::{self, StoredManifest},
    },
    runtime::{installs, tasks::PoolError},
    types::{ContentId, GameId, Weighing},
};

/// Games whose builds are to be weighed.
#[derive(Debug, Default)]
pub(super) struct ToWeigh {
    games: BTreeSet<GameId>,
    /// What stops the one that is weighed.
    at_work: Option<CancellationToken>,
}

impl ToWeigh {
    /// Lets the threads go on with what somebody waits for; the build is weighed after that.
    pub(super) fn give_way(&self) {
        if let Some(at_work) = &self.at_work {
            at_work.cancel();
        }
    }
}

impl Actor {
    /// Takes note of a game in which nobody has weighed the build that it was found to be.
    pub(super) fn weigh_if_new(&mut self, game: &GameId, weighing: Weighing) {
        match (weighing, self.core.local(game).and_then(|local| local.state())) {
            (Weighing::NotYet, Some(LocalState::Complete(_))) => self.to_weigh.games.insert(game.clone()),
            (_, _) => self.to_weigh.games.remove(game),
        };
    }

    /// Weighs a build, unless something more urgent is to be done.
    pub(super) fn weigh_next(&mut self) {
        if self.to_weigh.at_work.is_some() || !matches!(self.stage, Stage::Known { is_announced: true }) {
            return;
        }
        // A game that is being changed is looked at when that is over.
        let Some(game) = self.to_weigh.games.extract_if(.., |game| !self.looks.is_taken(game)).next() else { return };
        let Some(LocalState::Complete(build)) = self.core.local(&game).and_then(|local| local.state()) else { return };
        let (content, desk, of) = (build.content, self.desk.clone(), game.clone());
        let stop = self.context.tasks.cancelled().child_token();
        self.to_weigh.at_work = Some(stop.clone());
        let weigh = move || weigh_here(&desk, &of, content, &|| stop.is_cancelled()).unwrap_or(Weighing::NotYet);
        self.job("weigh a build", weigh, move |weighing| Done::WeighedBuild { game, content, weighing });
    }

    pub(super) fn on_weighed_build(
        &mut self,
        game: &GameId,
        content: &ContentId,
        weighing: Result<Weighing, PoolError>,
        now: Instant,
    ) {
        let was_stopped = self.to_weigh.at_work.take().is_some_and(|stop| stop.is_cancelled());
        match weighing {
            Ok(Weighing::Done(weight)) => self.core.handle_weighed(game, content, weight.bytes(), now),
            Ok(Weighing::NotYet) if was_stopped => drop(self.to_weigh.games.insert(game.clone())),
            // What could not be begun is tried again after the next look; a panic has been told of.
            Ok(Weighing::NotYet | Weighing::InVain) | Err(_) => {}
        }
    }
}

/// Weighs the build in a game's folder, if it still is `content`.
fn weigh_here(
    desk: &Desk,
    game: &GameId,
    content: ContentId,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Weighing, DiskError> {
    let root = desk.libraries.open_root(game)?;
    match store::load_manifest(&root)? {
        Some(Ok(stored)) if stored.content == content => Ok(weigh(desk, &root, &stored, is_stopped)),
        Some(_) | None => Ok(Weighing::NotYet),
    }
}

/// What a build that is here takes when it is installed: as the index knows it, else by listing its archives, else by what
/// was made of it.
pub(super) fn weigh(desk: &Desk, root: &GameRoot, stored: &StoredManifest, is_stopped: &dyn Fn() -> bool) -> Weighing {
    let StoredManifest { content, manifest, .. } = stored;
    match desk.index.weighing(manifest.game(), content) {
        Weighing::NotYet => {}
        known @ (Weighing::InVain | Weighing::Done(_)) => return known,
    }
    let weighing = match installs::weigh(root, manifest, is_stopped) {
        Weighing::InVain => match installs::weigh_installed(root, *content, manifest) {
            Some(weight) => Weighing::Done(weight),
            // What was taken away meanwhile is no build that cannot be weighed.
            None if scan::read_sentinel(root).ok().flatten().as_ref() != Some(manifest.sentinel()) => Weighing::NotYet,
            None => Weighing::InVain,
        },
        known @ (Weighing::NotYet | Weighing::Done(_)) => known,
    };
    desk.index.put_weighing(manifest.game(), content, weighing);
    weighing
}

/// Takes note of what a build took that is installed now and could not be weighed before.
pub(super) fn weigh_after(desk: &Desk, root: &GameRoot, stored: &StoredManifest) {
    let StoredManifest { content, manifest, .. } = stored;
    if desk.index.weighing(manifest.game(), content) == Weighing::InVain
        && let Some(weight) = installs::weigh_installed(root, *content, manifest)
    {
        desk.index.put_weighing(manifest.game(), content, Weighing::Done(weight));
    }
}
