//! What the user and the catalog say about games and peers: gate, pins, trust. Plain data that the
//! actor replaces as a whole when a file or a command changes it.

use std::collections::{BTreeMap, BTreeSet};

use crate::types::{ContentId, GameId, PeerId, Version};

/// What the catalog says about one game, as far as it decides anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    /// The name for people; it wins over what anybody else calls the game.
    pub title: Option<String>,
    /// The one content the operator means.
    pub pin: Option<ContentId>,
}

/// Everything that decides beside what peers say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// Only games of the catalog are announced, served or fetched.
    pub gate: bool,
    /// The games of the catalog.
    pub catalog: BTreeMap<GameId, Listed>,
    /// Titles given here by `add --title`, below the catalog's.
    pub titles: BTreeMap<GameId, String>,
    /// Versions held by `pin GAME VERSION`.
    pub pins: BTreeMap<GameId, Version>,
    /// Peers whose word vouches for a build.
    pub trusted: BTreeSet<PeerId>,
}

impl Rules {
    /// Whether the game may be announced, served and fetched.
    #[must_use]
    pub fn allow(&self, game: &GameId) -> bool {
        !self.gate || self.catalog.contains_key(game)
    }

    /// Whether the catalog pins exactly this content.
    #[must_use]
    pub fn catalog_pins(&self, game: &GameId, content: &ContentId) -> bool {
        self.catalog.get(game).is_some_and(|listed| listed.pin.as_ref() == Some(content))
    }

    /// The title set on this machine, if any.
    #[must_use]
    pub fn title(&self, game: &GameId) -> Option<&str> {
        let listed = self.catalog.get(game).and_then(|listed| listed.title.as_ref());
        listed.or_else(|| self.titles.get(game)).map(String::as_str)
    }
}
