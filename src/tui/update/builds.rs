//! The builds of a game that the room has: updating to the newer one, or choosing another. Going back to an older one is
//! the same as going forward.

use super::{
    super::{
        model::{
            Model,
            overlay::{Answer, Deed, Overlay, Question},
        },
        words,
    },
    Effect, fitting,
    games::{answer, games},
    open, refuse,
};
use crate::api::{AfterGet, BuildView, GameView, GetRequest};

/// Builds to choose from: each has one digit as its key.
const BUILDS_MAX: usize = 9;

/// What there is to choose from.
pub(super) enum Offer<'m> {
    /// These games have a newer build, and there is nothing to ask.
    Updates(Vec<&'m GameView>),
    /// These builds of a game can be got.
    Builds(&'m GameView, Vec<&'m BuildView>),
}

/// Gets the newer build of a game, or of all that are marked; asks which one where there are several.
pub(super) fn update(model: &mut Model) -> Vec<Effect> {
    match offered(model) {
        Ok(Offer::Updates(games)) => {
            let newer = |game: &&GameView| {
                let update = game.update.as_ref()?;
                Some((get(model, game, &update.content), game.title.clone()))
            };
            let wishes = games.iter().filter_map(newer).collect();
            fitting::get(model, wishes)
        }
        Ok(Offer::Builds(game, builds)) => {
            let question = ask(model, game, &builds);
            open(model, Overlay::Question(question))
        }
        Err(why) => refuse(model, why),
    }
}

/// What can be chosen now, or why nothing can.
pub(super) fn offered(model: &Model) -> Result<Offer<'_>, String> {
    let chosen = games(model);
    let &[game] = chosen.as_slice() else {
        let newer: Vec<&GameView> = chosen.into_iter().filter(|game| game.update.is_some()).collect();
        return if newer.is_empty() {
            Err("Nothing of what is marked has a newer build.".to_owned())
        } else {
            Ok(Offer::Updates(newer))
        };
    };
    let others = || game.builds.iter().filter(|build| !build.ours && build.have > 0);
    if game.update.is_some() && others().count() <= 1 {
        return Ok(Offer::Updates(vec![game]));
    }
    let builds: Vec<&BuildView> = others().take(BUILDS_MAX).collect();
    if builds.is_empty() {
        return Err(format!("Nobody here has another build of {}.", game.title));
    }
    Ok(Offer::Builds(game, builds))
}

fn ask(model: &Model, game: &GameView, builds: &[&BuildView]) -> Question {
    let here = game.builds.iter().find(|build| build.ours);
    let mut lines = vec![match here {
        Some(here) => format!("{} {} is here. Change to", game.title, here.version),
        None => format!("Which {}?", game.title),
    }];
    let mut answers: Vec<Answer> = Vec::new();
    for (number, build) in (1..).zip(builds) {
        let newer = game.update.as_ref().is_some_and(|update| update.content == build.content);
        let note = match (newer, build.vouched) {
            (true, _) => "  newest",
            (false, true) => "",
            (false, false) => "  unvouched",
        };
        let (size, have) = (words::size(build.size), words::thousands(u64::from(build.have)));
        let short = words::short_id(&build.content);
        lines.push(format!("{number}  {}  {short}  {size}, {have} have it{note}", build.version));
        let does = Deed::Get(vec![(get(model, game, &build.content), game.title.clone())]);
        answers.push(answer(&number.to_string(), &build.version, does));
    }
    if game.installed_build().is_some() {
        lines.push("What is installed stays playable until the other one is.".to_owned());
    }
    Question { title: "Builds".to_owned(), lines, answers, esc: "Stay" }
}

/// What is installed is installed anew; else the setting says what follows.
fn get(model: &Model, game: &GameView, content: &str) -> GetRequest {
    let after = if game.installed_build().is_some() { AfterGet::Install } else { model.snapshot.me.after_get };
    let content = Some(content.to_owned());
    GetRequest { game: game.id.clone(), content, after, ..GetRequest::default() }
}
