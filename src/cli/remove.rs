//! `remove`, and `uninstall` where it takes all there is: say what is lost and who else has it, ask, and delete.

use super::{Console, Exit, exit::Failure, get::busy, orders::report, session::Session, words};
use crate::api::{Candidate, Command, GameView, Snapshot, StateWord};

pub(super) async fn run(session: &Session, game: &str, yes: bool, console: &mut Console) -> Result<Exit, Failure> {
    // How many others have it is known only after a look at the room.
    session.gather().await;
    let snapshot = session.snapshot();
    let game = find(&snapshot, game)?;
    if !is_here(game) {
        return Err(Failure::new(Exit::NotFound, format!("{} is not in your library", game.id)));
    }
    if !is_meant(&loss(&snapshot, game), yes, console)? {
        return Ok(Exit::Refused);
    }
    let reply = busy(session, Command::Remove { game: game.id.clone() }, console).await?;
    report(&reply, console)?;
    Ok(Exit::Done)
}

/// `uninstall`: asks only where nothing of the game would be left.
pub(super) async fn uninstall(
    session: &Session,
    game: &str,
    yes: bool,
    console: &mut Console,
) -> Result<Exit, Failure> {
    session.scanned().await;
    let uninstall = |last| Command::Uninstall { game: game.to_owned(), last };
    let is_only = |snapshot: &Snapshot| find(snapshot, game).is_ok_and(GameView::is_installed_only);
    if !yes {
        // The runtime says whether anything else is left of it: the picture may be older than what was just got.
        match busy(session, uninstall(false), console).await {
            Err(failure) if matches!(failure.exit, Exit::Refused) && is_only(&session.snapshot()) => {}
            result => return report(&result?, console).map(|()| Exit::Done),
        }
    }
    if is_only(&session.snapshot()) {
        session.gather().await;
        let snapshot = session.snapshot();
        let found = find(&snapshot, game)?;
        let (others, lost) =
            (words::others_have(found.have), if found.have == 0 { ": it cannot be got back" } else { "" });
        let loss = format!(
            "Nothing else of {} {} is here, because its payload was dropped: to be played again it must be got again; \
             {others} it{lost}.",
            found.title, found.version
        );
        if !is_meant(&loss, yes, console)? {
            return Ok(Exit::Refused);
        }
    }
    let reply = busy(session, uninstall(true), console).await?;
    report(&reply, console)?;
    Ok(Exit::Done)
}

/// Whether what is lost may be lost: because of `--yes`, or because the user says so.
pub(super) fn is_meant(loss: &str, yes: bool, console: &mut Console) -> Result<bool, Failure> {
    if yes {
        if !console.json {
            console.note(loss);
        }
        return Ok(true);
    }
    if !console.can_ask {
        return Err(Failure::new(Exit::Refused, format!("{loss} Nothing was removed: say --yes to do it.")));
    }
    let meant = console.agrees(&format!("{loss} Remove it?"))?;
    if !meant {
        console.note("Nothing was removed.");
    }
    Ok(meant)
}

/// The game that is meant, by id or title.
pub(super) fn find<'a>(snapshot: &'a Snapshot, text: &str) -> Result<&'a GameView, Failure> {
    if let Some(game) = snapshot.games.iter().find(|game| game.id == text) {
        return Ok(game);
    }
    let wanted = text.to_lowercase();
    let is_it = |game: &&GameView| game.id.to_lowercase() == wanted || game.title.to_lowercase() == wanted;
    let found: Vec<&GameView> = snapshot.games.iter().filter(is_it).collect();
    match &*found {
        [game] => Ok(game),
        [] => {
            let names = snapshot.games.iter().flat_map(|game| [&*game.id, &*game.title]);
            let hint = crate::config::nearest(text, names).map_or_else(
                || "`potluck games` lists what there is".to_owned(),
                |nearest| format!("did you mean `{nearest}`?"),
            );
            Err(Failure::new(Exit::NotFound, format!("there is no game `{text}`; {hint}")))
        }
        many => {
            let candidates = many.iter().map(|game| Candidate {
                id: game.id.clone(),
                title: game.title.clone(),
                version: game.version.clone(),
                content: String::new(),
                have: game.have,
            });
            let message = format!("`{text}` is the title of several games; say which by its id");
            Err(Failure { candidates: candidates.collect(), ..Failure::new(Exit::Refused, message) })
        }
    }
}

/// Whether there is anything of it in our library; in doubt there is, and the runtime knows better.
fn is_here(game: &GameView) -> bool {
    game.state != StateWord::Available
        || game.private.is_some()
        || game.installed.is_some()
        || game.builds.iter().any(|build| build.ours)
}

fn loss(snapshot: &Snapshot, game: &GameView) -> String {
    let ours = game.builds.iter().find(|build| build.ours);
    let (version, size, have) =
        ours.map_or((&game.version, game.size, game.have), |build| (&build.version, build.size, build.have));
    let others = match have.saturating_sub(u32::from(ours.is_some())) {
        0 => "Nobody else here has this build: it cannot be got back.".to_owned(),
        1 => "1 other still has it.".to_owned(),
        others => format!("{others} others still have it."),
    };
    // What was installed from that build lies beside it, and goes too.
    let is_of_it =
        game.installed_build() == Some(&*game.content) && ours.is_none_or(|ours| ours.content == game.content);
    let size = words::size(match game.installed_size.filter(|_| is_of_it) {
        None => size,
        Some(installed) if game.is_installed_only() => installed,
        Some(installed) => size.saturating_add(installed),
    });
    format!(
        "{} {version} and all else in {}/{}: {size} would be lost. {others}",
        game.title,
        snapshot.library_path(game.library),
        game.id
    )
}
