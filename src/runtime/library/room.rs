//! What faces ask of the room that is too much to be kept in every row: who has nothing of a game, and what a peer has
//! and lacks beside us. Worked out when somebody looks.

use std::{cmp::Reverse, collections::BTreeMap};

use super::commands::{find, find_peer, refusal};
use crate::{
    api::{CommandError, CompareView, ErrorCode, ROOM_NAMES_MAX, Reply, WithoutView},
    core::library::Library,
    types::{GameId, PeerId, PeerName},
};

pub(super) fn without(core: &Library, names: &BTreeMap<PeerId, PeerName>, game: &str) -> Result<Reply, CommandError> {
    let game = find(core, game)?;
    let peers = core.without(&game);
    let name = |peer: &PeerId| names.get(peer).map_or_else(|| peer.short(), ToString::to_string);
    let mut first: Vec<String> = peers.iter().map(name).collect();
    first.sort();
    first.truncate(ROOM_NAMES_MAX);
    Ok(Reply::Without(WithoutView { game: game.to_string(), count: peers.len() as u32, names: first }))
}

pub(super) fn compare(core: &Library, names: &BTreeMap<PeerId, PeerName>, peer: &str) -> Result<Reply, CommandError> {
    let peer = find_peer(peer, names)?;
    let Some((more, lacks)) = core.compare(&peer) else {
        return Err(refusal(ErrorCode::NotFound, "that peer is not here, so nobody knows what it has"));
    };
    let first = |games: &[GameId]| -> Vec<String> {
        let mut games: Vec<&GameId> = games.iter().collect();
        games.sort_by_cached_key(|game| (Reverse(core.whole_holders(game)), core.title(game).to_lowercase()));
        games.into_iter().take(ROOM_NAMES_MAX).map(|game| core.title(game)).collect()
    };
    Ok(Reply::Compared(CompareView {
        peer: peer.to_string(),
        more: more.len() as u32,
        more_titles: first(&more),
        lacks: lacks.len() as u32,
        lacks_titles: first(&lacks),
    }))
}
