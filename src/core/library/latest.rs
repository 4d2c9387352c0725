//! Which build of a game is meant when nobody says which: vouched before popular, and a pin before
//! both. A stranger's claim never vouches, so a loud version number changes nothing.

use std::cmp::Reverse;

use crate::types::{ContentId, EntryState, GameId, Version};

use super::{
    entry::{BuildKey, Facts},
    index::{Index, Votes},
    local::{Local, LocalGame},
    rules::Rules,
};

/// One build of a game with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildRow {
    /// Its content.
    pub content: ContentId,
    /// What our manifest says, else what is believed of what the room says.
    pub facts: Facts,
    /// Other peers here that have all of it.
    pub whole: usize,
    /// Other peers here that have some of it.
    pub partial: usize,
    /// What we have of it.
    pub ours: Option<EntryState>,
    /// We hold it, the catalog pins it, or a trusted peer announces it.
    pub vouched: bool,
    pub(super) votes: Votes,
}

impl BuildRow {
    /// Whether another peer can give any of it.
    #[must_use]
    pub fn is_offered(&self) -> bool {
        self.whole + self.partial > 0
    }
}

/// A game with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GameRow {
    /// The name for people.
    pub title: String,
    /// Its builds: the one shown for the game first, then the higher versions first.
    pub builds: Vec<BuildRow>,
    /// The build to get when nobody says which.
    pub latest: Option<ContentId>,
    /// A newer vouched build that can be got.
    pub update: Option<ContentId>,
    /// The version shown exists with different content.
    pub variants: bool,
    /// The version it is held at.
    pub pinned: Option<Version>,
}

impl GameRow {
    /// The build with this content.
    #[must_use]
    pub fn build(&self, content: &ContentId) -> Option<&BuildRow> {
        self.builds.iter().find(|build| build.content == *content)
    }
}

/// Every build of a game that we have any of or that somebody offers, by version and content.
pub(super) fn builds(game: &GameId, local: &Local, index: &Index, rules: &Rules) -> Vec<BuildRow> {
    let ours = local.get(game);
    let held = ours.and_then(LocalGame::held).map(|(build, _)| build.content);
    let known: Vec<ContentId> =
        held.into_iter().chain(ours.into_iter().flat_map(|ours| ours.growing().keys().copied())).collect();
    let unlisted = known.iter().filter(|content| {
        let key = BuildKey { game: game.clone(), content: **content };
        index.build(&key).is_none()
    });
    let mut rows: Vec<BuildRow> = index
        .builds(game)
        .map(|(content, build)| (content, Some(build)))
        .chain(unlisted.map(|content| (content, None)))
        .filter_map(|(content, build)| {
            let mine = ours.and_then(|ours| ours.known(content));
            // Our own manifest is the truth; what the room says of the same content is not asked.
            let mut facts = match (mine, build) {
                (Some((facts, _)), _) => facts.clone(),
                (None, Some(build)) => Facts { installed: None, ..Facts::clone(&index.believed(build, rules)) },
                (None, None) => return None,
            };
            facts.installed = facts.installed.or_else(|| index.installed(build?, rules));
            Some(BuildRow {
                content: *content,
                facts,
                whole: build.map_or(0, |build| build.whole()),
                partial: build.map_or(0, |build| build.partial()),
                ours: mine.map(|(_, state)| state),
                vouched: held == Some(*content)
                    || rules.catalog_pins(game, content)
                    || build.is_some_and(|build| index.is_trusted(build, rules)),
                votes: build.map_or_else(Votes::default, |build| index.votes(build)),
            })
        })
        .collect();
    rows.sort_by(|a, b| b.facts.version.cmp(&a.facts.version).then_with(|| a.content.cmp(&b.content)));
    rows.dedup_by(|a, b| a.content == b.content);
    rows
}

/// The build that is meant when nobody says which; `None` when there is none, or none of the version
/// the user holds the game at.
pub(super) fn latest<'a>(builds: &'a [BuildRow], pin: Option<&Version>) -> Option<&'a BuildRow> {
    let wanted = || builds.iter().filter(|build| pin.is_none_or(|pin| build.facts.version == *pin));
    let vouched = wanted()
        .filter(|build| build.vouched)
        .max_by_key(|build| (&build.facts.version, build.ours.is_some(), build.votes, Reverse(build.content)));
    // Of equally popular ones the lower version: a number that one seat made up gains nothing by being high.
    vouched
        .or_else(|| wanted().max_by_key(|build| (build.votes, Reverse(&build.facts.version), Reverse(build.content))))
}

/// The whole row of a game; `None` when neither we nor the room know it.
pub(super) fn row(game: &GameId, local: &Local, index: &Index, rules: &Rules) -> Option<GameRow> {
    let ours = local.get(game);
    let mut builds = builds(game, local, index, rules);
    if ours.is_none() && builds.is_empty() {
        return None;
    }
    let pin = rules.pins.get(game);
    let latest = latest(&builds, pin).cloned();
    // A game whose payload was dropped is as old as what is installed of it.
    let held = ours.and_then(|ours| {
        let held = ours.held().map(|(build, _)| (&build.content, &build.facts));
        held.or_else(|| ours.installed_only())
    });
    let shown = held
        .map(|(content, _)| *content)
        .or_else(|| ours.and_then(|ours| ours.growing().keys().next().copied()))
        .or(latest.as_ref().map(|latest| latest.content))
        .or(builds.first().map(|build| build.content));
    if let Some(at) = builds.iter().position(|build| Some(build.content) == shown) {
        builds[..=at].rotate_right(1);
    }
    let update = held.zip(latest.as_ref()).filter(|((_, held), latest)| {
        let newer = match pin {
            Some(pin) => held.version != *pin,
            None => latest.facts.version > held.version,
        };
        newer && latest.vouched && latest.is_offered()
    });
    let update = update.map(|(_, latest)| latest.content);
    let variants = builds
        .split_first()
        .is_some_and(|(first, rest)| rest.iter().any(|build| build.facts.version == first.facts.version));
    let title = rules.title(game).map(str::to_owned).or_else(|| builds.first().map(|build| build.facts.title.clone()));
    Some(GameRow {
        title: title.unwrap_or_else(|| game.as_str().to_owned()),
        builds,
        latest: latest.map(|latest| latest.content),
        update,
        variants,
        pinned: pin.cloned(),
    })
}
