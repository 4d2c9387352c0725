//! From the words of a command to what is meant, and from what went wrong to what a face is told.

use std::collections::BTreeMap;

use crate::{
    api::{Candidate, CommandError, ErrorCode, GetRequest},
    core::library::{BuildRow, Library, Query, ResolveError, Resolved},
    types::{GameId, PeerId, PeerName, Version, clean},
};

/// What an error repeats of a word.
const WORD_CHARS_MAX: usize = 80;

/// An error without candidates.
pub(super) fn refusal(code: ErrorCode, message: impl std::fmt::Display) -> CommandError {
    CommandError::new(code, message.to_string())
}

/// The game a person means.
pub(super) fn find(core: &Library, name: &str) -> Result<GameId, CommandError> {
    core.find_game(name).map_err(|error| unresolved(&error))
}

/// The game of ours a person means.
pub(super) fn find_ours(core: &Library, name: &str) -> Result<GameId, CommandError> {
    let game = find(core, name)?;
    match core.local(&game) {
        Some(_) => Ok(game),
        None => Err(refusal(ErrorCode::NotFound, format_args!("{game} is not in your library"))),
    }
}

/// The build a person wants to get.
pub(super) fn resolve(
    core: &Library,
    request: &GetRequest,
    names: &BTreeMap<PeerId, PeerName>,
) -> Result<Resolved, CommandError> {
    let version = request.version.as_deref().map(version).transpose()?;
    let content = request.content.as_deref().map(digits).transpose()?;
    let from = request.from.as_deref().map(|text| find_peer(text, names)).transpose()?;
    let query = Query { name: &request.game, version: version.as_ref(), content: content.as_deref(), from };
    core.resolve(&query).map_err(|error| unresolved(&error))
}

/// The version a person wrote.
pub(super) fn version(text: &str) -> Result<Version, CommandError> {
    Version::new(text.trim()).map_err(|error| refusal(ErrorCode::Usage, error))
}

fn digits(text: &str) -> Result<String, CommandError> {
    let text = text.trim().to_ascii_lowercase();
    let hexadecimal = !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if hexadecimal { Ok(text) } else { Err(refusal(ErrorCode::Usage, "a content id is up to 64 hexadecimal digits")) }
}

/// The peer a person means by an id, its first characters, or a name.
pub(in crate::runtime) fn find_peer(text: &str, names: &BTreeMap<PeerId, PeerName>) -> Result<PeerId, CommandError> {
    let text = text.trim();
    // A whole id means a peer whether or not it is here.
    if let Ok(peer) = text.parse::<PeerId>() {
        return Ok(peer);
    }
    let lower = text.to_lowercase();
    let named = |(_, name): &(&PeerId, &PeerName)| name.as_str().to_lowercase() == lower;
    let starts = |(peer, _): &(&PeerId, &PeerName)| !lower.is_empty() && peer.to_string().starts_with(&lower);
    let mut found: Vec<_> = names.iter().filter(named).collect();
    if found.is_empty() {
        found = names.iter().filter(starts).collect();
    }
    match found.as_slice() {
        [(peer, _)] => Ok(**peer),
        [] => {
            let word = clean(text, WORD_CHARS_MAX);
            Err(refusal(ErrorCode::NotFound, format_args!("no peer `{word}` is here; `potluck peers` lists them")))
        }
        several => Err(CommandError {
            code: ErrorCode::Ambiguous,
            message: format!("{} peers could be meant; say which by its id", several.len()),
            candidates: several.iter().map(|(peer, name)| candidate(peer.short(), name.to_string())).collect(),
        }),
    }
}

/// What a face is told when nothing single is meant.
pub(super) fn unresolved(error: &ResolveError) -> CommandError {
    let (code, candidates) = match error {
        ResolveError::NoSuchGame { nearest: games, .. } => (ErrorCode::NotFound, named(games)),
        ResolveError::SeveralGames { games, .. } => (ErrorCode::Ambiguous, named(games)),
        ResolveError::NoSuchBuild { game, builds, .. } => (ErrorCode::NotFound, listed(game, builds)),
        ResolveError::SeveralBuilds { game, builds } => (ErrorCode::Ambiguous, listed(game, builds)),
        ResolveError::NotInCatalog { .. } | ResolveError::SameFolder { .. } => (ErrorCode::Refused, Vec::new()),
    };
    CommandError { code, message: error.to_string(), candidates }
}

fn named(games: &[crate::core::library::NamedGame]) -> Vec<Candidate> {
    games.iter().map(|named| candidate(named.game.to_string(), named.title.clone())).collect()
}

fn listed(game: &GameId, builds: &[BuildRow]) -> Vec<Candidate> {
    let build = |build: &BuildRow| Candidate {
        version: build.facts.version.to_string(),
        content: build.content.to_string(),
        have: build.whole as u32,
        ..candidate(game.to_string(), build.facts.title.clone())
    };
    builds.iter().map(build).collect()
}

fn candidate(id: String, title: String) -> Candidate {
    Candidate { id, title, version: String::new(), content: String::new(), have: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_meant_by_name_or_the_beginning_of_an_id() {
        let peer = |number: u8| PeerId::from_bytes([number; 32]);
        let names: BTreeMap<PeerId, PeerName> = [(1, "seat-1"), (2, "Seat-2"), (3, "twin"), (4, "twin")]
            .map(|(n, name)| (peer(n), PeerName::new(name)))
            .into();
        let check = |text: &str, expect: Result<u8, ErrorCode>| {
            let found = find_peer(text, &names).map(|peer| peer.as_bytes()[0]).map_err(|error| error.code);
            assert_eq!(found, expect, "{text:?}");
        };
        check("seat-1", Ok(1));
        check(" SEAT-2 ", Ok(2));
        check(&peer(3).short(), Ok(3));
        check(&peer(4).to_string()[..4], Ok(4));
        check(&peer(9).to_string(), Ok(9));
        check("twin", Err(ErrorCode::Ambiguous));
        check("a", Err(ErrorCode::Ambiguous));
        check("", Err(ErrorCode::NotFound));
        check("nobody", Err(ErrorCode::NotFound));
    }

    #[test]
    fn content_ids_are_hexadecimal() {
        assert_eq!(digits(" AB12 "), Ok("ab12".to_owned()));
        for bad in ["", "xyz", &"a".repeat(65)] {
            assert_eq!(digits(bad).map_err(|error| error.code), Err(ErrorCode::Usage), "{bad:?}");
        }
    }
}
