//! The palette: every action by its name, with what it wants to know behind it. Matches are by the name, its beginnings or
//! the help text; what cannot be done now is listed last, with the reason.

use super::{
    super::{
        action::{ACTIONS, Action, ActionRow, Group, Screen, places},
        keymap::Key,
        model::{
            Model,
            completion::{self, last_word},
            filter,
            overlay::{Overlay, Prompt, Purpose, TypedLine},
        },
    },
    Effect, Step, act, builds, complete, games, keys, leaving, libraries, next_step, open, pane, peers, refuse,
};

/// An action that matches.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Which.
    pub(crate) row: &'static ActionRow,
    /// What it wants to know.
    pub(crate) wants: Option<&'static str>,
    /// Why it cannot be done now.
    pub(crate) why: Option<String>,
}

/// The actions that match what is typed, the best first.
pub(crate) fn entries(model: &Model, typed: &str) -> Vec<Entry> {
    let (name, argument) = split(typed);
    let mut found: Vec<(bool, u8, Entry)> = ACTIONS
        .iter()
        .filter(|row| row.action != Action::Palette && (row.action != Action::Move || libraries::are_several(model)))
        .filter_map(|row| {
            let rank = rank(row, name)?;
            // Behind a blank stands what an action wants to know, so the name is whole.
            if argument.is_some() && rank > 0 {
                return None;
            }
            let why = why_not(model, row);
            // Whoever types the whole name means it, and is told why not.
            Some((why.is_some() && rank > 0, rank, Entry { row, wants: wants(row.action).map(|(_, what)| what), why }))
        })
        .collect();
    found.sort_by_key(|(last, rank, _)| (*last, *rank));
    found.into_iter().map(|(_, _, entry)| entry).collect()
}

pub(super) fn on_key(model: &mut Model, key: Key, mut prompt: Prompt, at: usize) -> Vec<Effect> {
    let text = prompt.line.text();
    let found = entries(model, &text);
    let last = found.len().saturating_sub(1);
    let at = at.min(last);
    let at = match key.name().as_str() {
        "Esc" => return vec![Effect::DrawNow],
        "Enter" => return run(model, found.get(at), split(&text).1),
        "Down" | "Ctrl-n" => (at + 1).min(last),
        "Up" | "Ctrl-p" | "Shift-Tab" => at.saturating_sub(1),
        "Tab" if text.trim_start().starts_with("theme ") => return complete_theme(model, prompt),
        "Tab" => {
            if let Some(entry) = found.get(at) {
                let blank = if entry.wants.is_some() { " " } else { "" };
                prompt.line = TypedLine::new(&format!("{}{blank}", entry.row.name));
            }
            0
        }
        "Backspace" if text.is_empty() => return vec![Effect::DrawNow],
        _ => {
            prompt.line.edit(key);
            // What is typed anew is chosen anew.
            if prompt.line.text() == text { at } else { 0 }
        }
    };
    open(model, Overlay::Palette { prompt, at })
}

/// Completes the name of a theme behind the name of the action, and shows it once it is whole.
fn complete_theme(model: &mut Model, mut prompt: Prompt) -> Vec<Effect> {
    let before = prompt.line.before();
    let word = last_word(&before, ' ');
    let found = completion::complete(word, &model.setting.themes);
    if let Some((becomes, _)) = found {
        prompt.line.replace(word.chars().count(), &becomes);
    }
    let named = last_word(&prompt.line.before(), ' ').to_owned();
    let mut effects = open(model, Overlay::Palette { prompt, at: 0 });
    if model.setting.themes.contains(&named) {
        effects.extend(complete::themed(model, &named));
    }
    effects
}

fn run(model: &mut Model, entry: Option<&Entry>, argument: Option<&str>) -> Vec<Effect> {
    let Some(entry) = entry else { return refuse(model, "There is no such action.") };
    if let Some(why) = &entry.why {
        return refuse(model, why.clone());
    }
    match (wants(entry.row.action), argument.map(str::trim).filter(|argument| !argument.is_empty())) {
        (Some((purpose, _)), Some(argument)) => keys::submit(model, purpose, argument),
        (None, Some(_)) => refuse(model, format!("{} wants nothing behind its name.", entry.row.name)),
        (_, None) => act::act(model, entry.row.action),
    }
}

/// The name, and what stands behind a blank.
fn split(typed: &str) -> (&str, Option<&str>) {
    match typed.trim_start().split_once(' ') {
        Some((name, argument)) => (name, Some(argument)),
        None => (typed.trim_start(), None),
    }
}

/// How well an action matches; less is better.
fn rank(row: &ActionRow, name: &str) -> Option<u8> {
    let name = name.to_lowercase();
    if name.is_empty() {
        // Nobody opens the palette to go a line down.
        Some(if row.group == Group::Moving { 2 } else { 1 })
    } else if row.name == name {
        Some(0)
    } else if row.name.starts_with(&name) {
        Some(1)
    } else if filter::matches(row.name, &name) {
        Some(2)
    } else if name.chars().count() > 2 && filter::matches(row.help, &name) {
        Some(3)
    } else {
        None
    }
}

/// What an action wants to know, and what that is called.
fn wants(action: Action) -> Option<(Purpose, &'static str)> {
    let wants = [
        (Action::Filter, Purpose::Filter, "WORDS"),
        (Action::AddFolder, Purpose::AddFolder, "PATH"),
        (Action::AddAddress, Purpose::AddAddress, "ADDRESS"),
        (Action::LimitUp, Purpose::LimitUp, "RATE"),
        (Action::LimitDown, Purpose::LimitDown, "RATE"),
        (Action::Theme, Purpose::Theme, "NAME"),
    ];
    wants.into_iter().find(|(wanting, ..)| *wanting == action).map(|(_, purpose, what)| (purpose, what))
}

/// Why an action cannot be done now.
fn why_not(model: &Model, row: &ActionRow) -> Option<String> {
    let action = row.action;
    // These need nothing that a tab has selected.
    let anywhere = [Action::AddFolder, Action::AddAddress, Action::Rescan].contains(&action);
    if !anywhere && !row.screens.contains(&model.screen) {
        return Some(format!("Only on {}.", places(row.screens)));
    }
    if action == Action::Remove && model.screen == Screen::Space {
        return model.space.chosen().is_empty().then(|| "Nothing is selected that could go.".to_owned());
    }
    if [Action::Pause, Action::Cancel, Action::Later, Action::Sooner].contains(&action) {
        games::transfers(model).err()
    } else if [Action::Install, Action::Uninstall, Action::Verify, Action::Remove].contains(&action) {
        games::games_here(model).err()
    } else if action == Action::Move {
        libraries::offered(model).err()
    } else if action == Action::Update {
        builds::offered(model).err()
    } else if [Action::Trust, Action::Block].contains(&action) {
        peers::chosen(model).err()
    } else if action == Action::Background {
        leaving::no_background(model)
    } else if action == Action::Theme {
        complete::no_themes(model).map(str::to_owned)
    } else if action == Action::Into {
        pane::missing(model).map(str::to_owned)
    } else if action == Action::Next {
        match next_step(model) {
            Step::None(why) => Some(why),
            Step::Get { .. }
            | Step::Install { .. }
            | Step::Play { .. }
            | Step::Resume { .. }
            | Step::ShowTransfer(_)
            | Step::OpenMap
            | Step::ShowGame(_)
            | Step::ShowGamesOf(_)
            | Step::ShowPeer(_)
            | Step::Follow => None,
        }
    } else {
        None
    }
}
