//! Tab in a line that is typed: completes paths, words of a filter and names of themes. Folders are looked into by the
//! loop, which answers with [`super::Msg::Listed`].

use super::{
    super::{
        action::Screen,
        model::{
            Model,
            completion::{Choices, complete, last_word},
            filter,
            overlay::{Overlay, Prompt, Purpose, whole_path},
        },
    },
    Effect, open, refuse,
};
use crate::api::Level;

/// Completes what is before the cursor.
pub(super) fn on_tab(model: &mut Model, mut prompt: Prompt) -> Vec<Effect> {
    if !prompt.choices.words().is_empty() {
        return choose(model, prompt, 1);
    }
    match prompt.purpose {
        Purpose::AddFolder => {
            if prompt.line.text().is_empty() {
                prompt.line.insert("~/");
            }
            let folder = folder_of(model, &prompt);
            let mut effects = open(model, Overlay::Prompt(prompt));
            effects.extend(folder.map(Effect::List));
            effects
        }
        Purpose::Filter => {
            let word = last_word(&prompt.line.before(), ' ').to_owned();
            let all = filter_words(model, &word);
            extend(&mut prompt, &word, &all);
            model.set_filter(&prompt.line.text());
            open(model, Overlay::Prompt(prompt))
        }
        Purpose::Theme => {
            let word = prompt.line.before();
            extend(&mut prompt, &word, &model.setting.themes);
            open(model, Overlay::Prompt(prompt))
        }
        Purpose::AddAddress | Purpose::LimitUp | Purpose::LimitDown | Purpose::Action | Purpose::Library => {
            open(model, Overlay::Prompt(prompt))
        }
    }
}

/// What is in a folder, folders ending in a slash: completes the line that asked, if it is still there.
pub(super) fn on_listed(model: &mut Model, folder: &str, names: &[String]) -> Vec<Effect> {
    let Some(Overlay::Prompt(mut prompt)) = model.overlay.take() else { return Vec::new() };
    if prompt.purpose == Purpose::AddFolder && folder_of(model, &prompt).as_deref() == Some(folder) {
        let word = last_word(&prompt.line.before(), '/').to_owned();
        // What is hidden is for those who ask for it.
        let shown: Vec<String> =
            names.iter().filter(|name| word.starts_with('.') || !name.starts_with('.')).cloned().collect();
        extend(&mut prompt, &word, &shown);
    }
    open(model, Overlay::Prompt(prompt))
}

/// The next of what is offered, or the one before.
pub(super) fn choose(model: &mut Model, mut prompt: Prompt, by: isize) -> Vec<Effect> {
    let chosen = prompt.choices.step(by).map(|(chars, word)| (chars, word.to_owned()));
    if let Some((chars, word)) = &chosen {
        prompt.line.replace(*chars, word);
    }
    let text = prompt.line.text();
    if prompt.purpose == Purpose::Filter {
        model.set_filter(&text);
    }
    let is_theme = prompt.purpose == Purpose::Theme;
    let mut effects = open(model, Overlay::Prompt(prompt));
    if is_theme && chosen.is_some() {
        effects.extend(themed(model, &text));
    }
    effects
}

/// The themes to choose from, the one in force first chosen.
pub(super) fn open_themes(model: &mut Model) -> Vec<Effect> {
    if let Some(why) = no_themes(model) {
        return refuse(model, why);
    }
    let mut prompt = Prompt::new(Purpose::Theme, &model.setting.theme);
    prompt.choices = Choices::of(model.setting.themes.clone(), &model.setting.theme);
    open(model, Overlay::Prompt(prompt))
}

/// Why there is no theme to choose.
pub(super) fn no_themes(model: &Model) -> Option<&'static str> {
    model.setting.themes.is_empty().then_some("This terminal shows no colours, so every theme looks the same.")
}

/// Shows a theme.
pub(super) fn themed(model: &Model, name: &str) -> Vec<Effect> {
    let changes = model.setting.theme != name && !name.is_empty();
    let mut effects = vec![Effect::DrawNow];
    effects.extend(changes.then(|| Effect::Theme(name.to_owned())));
    effects
}

/// Stays with a theme while the screen is up, and says how to keep it for good.
pub(super) fn keep_theme(model: &mut Model, name: &str) -> Vec<Effect> {
    if let Some(why) = no_themes(model) {
        return refuse(model, why);
    }
    let text = format!("{name} until you leave. In config.toml, [ui] theme = \"{name}\" keeps it.");
    model.notice.say(Level::Info, text, model.now);
    themed(model, name)
}

/// Puts in what `word`, which is before the cursor, has in common with all that begin with it.
fn extend(prompt: &mut Prompt, word: &str, all: &[String]) {
    if let Some((becomes, choices)) = complete(word, all) {
        prompt.line.replace(word.chars().count(), &becomes);
        prompt.choices = choices;
    }
}

/// The folder whose names the line may end in.
fn folder_of(model: &Model, prompt: &Prompt) -> Option<String> {
    let before = prompt.line.before();
    let (folder, _) = before.rsplit_once('/')?;
    whole_path(&format!("{folder}/"), model.setting.user_home.as_deref()).ok()
}

/// What a word of the filter may become on this tab.
fn filter_words(model: &Model, word: &str) -> Vec<String> {
    let qualities = filter::qualities(model.screen);
    let names_peers = match model.screen {
        Screen::Library | Screen::Transfers | Screen::Peers | Screen::Links => true,
        Screen::Log | Screen::Space => false,
    };
    if word.is_empty() {
        let kinds = [(names_peers, "@"), (!qualities.is_empty(), "is:")];
        return kinds.into_iter().filter(|(is_here, _)| *is_here).map(|(_, kind)| kind.to_owned()).collect();
    }
    // A filter is words: a name with blanks is looked for by its first one.
    let first = |name: &str| name.split_whitespace().next().map(|first| format!("@{first}"));
    let peers = model.snapshot.peers.iter().filter(|_| names_peers);
    let mut words: Vec<String> = peers.filter_map(|peer| first(&peer.name)).collect();
    words.sort_unstable();
    words.dedup();
    words.extend(qualities.iter().map(|quality| format!("is:{quality}")));
    words
}
