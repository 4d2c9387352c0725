//! `update`: which games have a newer build, and what is to be asked for to bring each of them up to it.
//! Getting and installing it is `get`'s.

use super::{exit::Failure, remove::find};
use crate::api::{AfterGet, GameView, GetRequest, Snapshot, StateWord};

/// What brings these games, or all that are behind, up to the newest build that somebody vouches for. A game that is
/// named and is not behind is asked for as it is, unless nothing but what is installed of it was to stay.
pub(super) fn requests(snapshot: &Snapshot, names: &[String]) -> Result<Vec<GetRequest>, Failure> {
    if names.is_empty() {
        return Ok(snapshot.games.iter().filter(|game| is_behind(game)).filter_map(request).collect());
    }
    let mut requests = Vec::with_capacity(names.len());
    for name in names {
        let game = find(snapshot, name)?;
        // What it was installed from was dropped on purpose: it comes back for something newer, or by `get`.
        if game.is_installed_only() && !is_behind(game) {
            continue;
        }
        requests.push(request(game).ok_or_else(|| {
            let message = format!("{} is not here; `potluck get {}` gets it", game.title, game.id);
            Failure::new(super::Exit::NotFound, message)
        })?);
    }
    Ok(requests)
}

/// Whether there is something newer, or what is installed is older than what is here.
fn is_behind(game: &GameView) -> bool {
    let installed_other = || game.installed_build().zip(here(game)).is_some_and(|(installed, here)| here != installed);
    game.update.is_some() || installed_other()
}

/// `None` for a game that is not here.
fn request(game: &GameView) -> Option<GetRequest> {
    let here = here(game)?;
    let content = game.update.as_ref().map_or(here, |update| &update.content);
    let after = if game.installed_build().is_some() { AfterGet::Install } else { AfterGet::Nothing };
    Some(GetRequest { game: game.id.clone(), content: Some(content.to_owned()), after, ..GetRequest::default() })
}

/// The build that is here, whole or with files that are not as published.
fn here(game: &GameView) -> Option<&str> {
    let ours = game.builds.iter().find(|build| build.ours).map(|build| &*build.content);
    ours.or_else(|| matches!(game.state, StateWord::Ready | StateWord::Downloaded).then_some(&*game.content))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::{BuildView, UpdateView};

    /// A game by what is here, what is installed and what is newer, each a build or `-`.
    fn game(id: &str, builds: [&str; 3]) -> GameView {
        let [ours, installed, newer] = builds.map(|build| (build != "-").then(|| build.to_owned()));
        let build = |content: &String| BuildView { content: content.clone(), ours: true, ..BuildView::default() };
        GameView {
            id: id.into(),
            title: id.to_uppercase(),
            builds: ours.iter().map(build).collect(),
            installed,
            update: newer.map(|content| UpdateView { content, ..UpdateView::default() }),
            ..GameView::default()
        }
    }

    /// A game of which nothing but build 1, installed, is here.
    fn dropped(id: &str, newer: &str) -> GameView {
        let game = game(id, ["-", "1", newer]);
        let private = Some(crate::api::INSTALLED_ONLY.to_owned());
        GameView { state: StateWord::Ready, content: "1".to_owned(), private, ..game }
    }

    #[test]
    fn what_is_behind_is_asked_for_and_installed_where_it_was() {
        let games = vec![
            game("new-here", ["1", "-", "2"]),
            game("new-installed", ["1", "1", "2"]),
            game("half", ["2", "1", "-"]),
            game("latest", ["2", "2", "-"]),
            game("theirs", ["1", "", "2"]),
            game("away", ["-", "-", "-"]),
            dropped("dropped", "2"),
            dropped("dropped-latest", "-"),
        ];
        let snapshot = Snapshot { games: Arc::new(games), ..Snapshot::default() };
        let check = |names: &[&str], expect: &str| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let found = requests(&snapshot, &names).map(|requests| {
                let shown = requests.iter().map(|GetRequest { game, content, after, .. }| {
                    format!("{game} {} {after:?}", content.as_deref().unwrap_or("?"))
                });
                shown.collect::<Vec<_>>().join(", ")
            });
            assert_eq!(found.unwrap_or_else(|failure| format!("{:?}", failure.exit)), expect, "{names:?}");
        };
        check(&[], "new-here 2 Nothing, new-installed 2 Install, half 2 Install, theirs 2 Nothing, dropped 2 Install");
        check(&["dropped"], "dropped 2 Install");
        check(&["dropped-latest"], "");
        check(&["latest", "NEW-HERE"], "latest 2 Install, new-here 2 Nothing");
        check(&["away"], "NotFound");
        check(&["nobody"], "NotFound");
    }
}
