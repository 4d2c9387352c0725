//! From what a person typed to one build of one game, or to a list of what could have been meant.

use crate::types::{CollisionKey, ContentId, EntryState, GameId, PeerId, Version, clean};

use super::{
    Library,
    entry::{BuildKey, Facts},
    latest::{self, BuildRow},
};

/// Names offered when none matches; more is a list nobody reads.
const NEAREST_MAX: usize = 3;
/// What an error repeats of a name.
const NAME_CHARS_MAX: usize = 80;
/// How alike a name must be to be offered, 0 to 1; half the letters are a different word.
const NEAREST_LIKENESS_MIN: f64 = 0.6;

/// What a person asked for.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// A GameId or a title, in whatever case.
    pub name: &'a str,
    /// Only this version.
    pub version: Option<&'a Version>,
    /// Only this ContentId, or one that begins with these digits.
    pub content: Option<&'a str>,
    /// Only what this peer has.
    pub from: Option<PeerId>,
}

/// The one build that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Which build.
    pub key: BuildKey,
    /// What is known or believed of it.
    pub facts: Facts,
    /// What we have of it.
    pub ours: Option<EntryState>,
}

/// A game by id and title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedGame {
    /// The game.
    pub game: GameId,
    /// The name for people.
    pub title: String,
}

/// Why a query names no single build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No game is called that.
    #[error("no game `{name}` here or in the room{}", did_you_mean(nearest))]
    NoSuchGame {
        /// What was asked for.
        name: String,
        /// Games with a name like it.
        nearest: Vec<NamedGame>,
    },
    /// Several games are called that.
    #[error("`{name}` is the title of {} games: say which by its id", games.len())]
    SeveralGames {
        /// What was asked for.
        name: String,
        /// The games.
        games: Vec<NamedGame>,
    },
    /// The game has no build like that.
    #[error("nobody here has {wish} of `{game}`")]
    NoSuchBuild {
        /// The game.
        game: GameId,
        /// What was asked for.
        wish: String,
        /// The builds there are.
        builds: Vec<BuildRow>,
    },
    /// Several builds are meant.
    #[error("`{game}` exists in {} builds that differ: choose with --content ID or --from PEER", builds.len())]
    SeveralBuilds {
        /// The game.
        game: GameId,
        /// The builds.
        builds: Vec<BuildRow>,
    },
    /// The catalog's gate keeps it out.
    #[error("`{game}` is not in the catalog, and the catalog says `gate = true`")]
    NotInCatalog {
        /// The game.
        game: GameId,
    },
    /// We have a game whose folder would be the same on many file systems.
    #[error("`{game}` would be the same folder as your game `{ours}`: rename or remove that one first")]
    SameFolder {
        /// The game asked for.
        game: GameId,
        /// Ours.
        ours: GameId,
    },
}

fn did_you_mean(nearest: &[NamedGame]) -> String {
    if nearest.is_empty() {
        return String::new();
    }
    let names: Vec<String> = nearest.iter().map(|named| format!("`{}`", named.game)).collect();
    format!("; did you mean {}?", names.join(" or "))
}

impl Library {
    /// The game a person means by an id or a title. Case and normal form do not matter, unless two
    /// ids differ in nothing else.
    pub fn find_game(&self, name: &str) -> Result<GameId, ResolveError> {
        if let Ok(game) = GameId::new(name)
            && self.knows(&game)
        {
            return Ok(game);
        }
        let wanted = CollisionKey::of(name.trim());
        let all: Vec<NamedGame> = self.named_games().collect();
        let by = |matches: &dyn Fn(&NamedGame) -> bool| all.iter().filter(|named| matches(named)).cloned().collect();
        let mut found: Vec<NamedGame> = by(&|named| named.game.collision_key() == wanted);
        if found.is_empty() {
            found = by(&|named| CollisionKey::of(&named.title) == wanted);
        }
        match found.as_slice() {
            [] => Err(ResolveError::NoSuchGame { name: clean(name, NAME_CHARS_MAX), nearest: nearest(&all, &wanted) }),
            [one] => Ok(one.game.clone()),
            _ => Err(ResolveError::SeveralGames { name: clean(name, NAME_CHARS_MAX), games: found }),
        }
    }

    /// The one build a query means.
    pub fn resolve(&self, query: &Query<'_>) -> Result<Resolved, ResolveError> {
        let game = self.find_game(query.name)?;
        if !self.rules().allow(&game) {
            return Err(ResolveError::NotInCatalog { game });
        }
        if let Some(ours) = self.twin_of(&game) {
            return Err(ResolveError::SameFolder { ours: ours.clone(), game });
        }
        let builds = self.builds(&game);
        let pin = self.rules().pins.get(&game);
        let meant = self.meant(&game, &builds, query, pin);
        match meant.as_slice() {
            [] => Err(ResolveError::NoSuchBuild { wish: wish(query, pin), game, builds }),
            [one] => {
                Ok(Resolved { key: BuildKey { game, content: one.content }, facts: one.facts.clone(), ours: one.ours })
            }
            _ => Err(ResolveError::SeveralBuilds { game, builds: meant.into_iter().cloned().collect() }),
        }
    }

    fn meant<'a>(
        &self,
        game: &GameId,
        builds: &'a [BuildRow],
        query: &Query<'_>,
        pin: Option<&Version>,
    ) -> Vec<&'a BuildRow> {
        let has = |content: &ContentId| query.from.map(|peer| self.share_of(&peer, game, content));
        let fits = |build: &&BuildRow| {
            query.version.is_none_or(|version| build.facts.version == *version)
                && query.content.is_none_or(|digits| build.content.to_string().starts_with(digits))
                && has(&build.content).is_none_or(|share| share.is_some())
        };
        let fitting: Vec<&BuildRow> = builds.iter().filter(fits).collect();
        if query.content.is_some() || fitting.len() <= 1 {
            return fitting;
        }
        if query.from.is_some() {
            // What it has all of is what it is asked for; what it is still getting only if there is nothing else.
            let whole = |build: &&&BuildRow| has(&build.content) == Some(Some(EntryState::Ready));
            let ready: Vec<&BuildRow> = fitting.iter().filter(whole).copied().collect();
            let pool = if ready.is_empty() { fitting } else { ready };
            let highest = pool.iter().map(|build| &build.facts.version).max().cloned();
            return pool.into_iter().filter(|build| Some(&build.facts.version) == highest.as_ref()).collect();
        }
        let version = match query.version {
            Some(version) => Some(version.clone()),
            None => latest::latest(builds, pin).map(|latest| latest.facts.version.clone()),
        };
        let variants: Vec<&BuildRow> =
            fitting.into_iter().filter(|build| Some(&build.facts.version) == version.as_ref()).collect();
        let vouched: Vec<&BuildRow> = variants.iter().filter(|build| build.vouched).copied().collect();
        if vouched.len() == 1 { vouched } else { variants }
    }

    fn named_games(&self) -> impl Iterator<Item = NamedGame> {
        self.games().into_iter().map(|game| NamedGame { title: self.title(&game), game })
    }
}

fn wish(query: &Query<'_>, pin: Option<&Version>) -> String {
    match (query.content, query.version, query.from, pin) {
        (Some(content), ..) => format!("the build {content}"),
        (None, Some(version), ..) => format!("version {version}"),
        (None, None, Some(peer), _) => format!("what {} should give", peer.short()),
        (None, None, None, Some(pin)) => format!("version {pin}, at which you hold it,"),
        (None, None, None, None) => "any build".to_owned(),
    }
}

fn nearest(all: &[NamedGame], wanted: &CollisionKey) -> Vec<NamedGame> {
    let like = |text: &str| {
        let text = CollisionKey::of(text);
        let part = wanted.as_str().len() >= 3 && text.as_str().contains(wanted.as_str());
        if part { 1.0 } else { strsim::normalized_damerau_levenshtein(text.as_str(), wanted.as_str()) }
    };
    let mut scored: Vec<(f64, &NamedGame)> = all
        .iter()
        .map(|named| (like(named.game.as_str()).max(like(&named.title)), named))
        .filter(|(likeness, _)| *likeness >= NEAREST_LIKENESS_MIN)
        .collect();
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    scored.into_iter().take(NEAREST_MAX).map(|(_, named)| named.clone()).collect()
}
