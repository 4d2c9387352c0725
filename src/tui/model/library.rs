//! The library tab: which games are shown, and in which order.

use super::{
    filter::{Facts, Filter},
    table::{SortBy, Table, larger_first},
    transfers::Queue,
};
use crate::api::{GameView, Snapshot, StateWord};

/// Works out the rows anew.
pub(super) fn index(table: &mut Table, snapshot: &Snapshot, queue: &Queue) {
    let games = &snapshot.games;
    let state = |game: &GameView| queue.of(snapshot, &game.id).map_or(game.state, |transfer| transfer.state);
    // Looked up once and not at every comparison.
    let by_state = table.sort().0 == SortBy::State;
    let ranks: Vec<u8> = games.iter().filter(|_| by_state).map(|game| rank(state(game))).collect();
    table.index(
        games,
        |filter, marks, game| filter.shows_game(game, Facts { state: state(game), marked: marks.contains(&game.id) }),
        // The snapshot is sorted by title.
        &[
            (SortBy::Version, &|a, b| games[a].version.cmp(&games[b].version)),
            (SortBy::Size, &|a, b| larger_first(games[a].size, games[b].size)),
            (SortBy::State, &|a, b| ranks[a].cmp(&ranks[b])),
            (SortBy::Have, &|a, b| larger_first(games[a].have.into(), games[b].have.into())),
        ],
    );
    table.rank(games, Filter::rank_of_game);
}

/// Whether a game's state decides if it is shown, or where.
pub(super) fn looks_at_states(table: &Table) -> bool {
    table.sort().0 == SortBy::State || table.filter().looks_at_states()
}

/// What moves and what needs the user first.
pub(super) fn rank(state: StateWord) -> u8 {
    match state {
        StateWord::Failed => 0,
        StateWord::Getting => 1,
        StateWord::Installing => 2,
        StateWord::Checking => 3,
        StateWord::Waiting => 4,
        StateWord::Paused => 5,
        StateWord::Downloaded => 6,
        StateWord::Ready => 7,
        StateWord::Available => 8,
        StateWord::Offline => 9,
    }
}
