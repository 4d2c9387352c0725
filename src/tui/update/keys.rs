//! Who gets a key: what lies over the screen, a sequence that is not complete, or the action table.

use super::{
    super::{
        Exit,
        action::Action,
        keymap::{Found, Key},
        model::{
            Model,
            completion::Choices,
            overlay::{Deed, Overlay, Prompt, Purpose},
        },
        view,
    },
    Effect,
    act::{act, move_by},
    calls, complete, fitting, games, leaving, open, palette, peers,
};
use crate::api::{Command, Level};

/// How long a second Ctrl-c counts as the second.
const INTERRUPT_MS: u64 = 2_000;

pub(super) fn on_key(model: &mut Model, key: Key) -> Vec<Effect> {
    // These work whatever lies over the screen: nobody is ever locked in.
    match key.name().as_str() {
        "Ctrl-c" => return interrupt(model),
        "Ctrl-l" => return vec![Effect::Redraw],
        "Ctrl-z" => return vec![Effect::Suspend],
        _ => {}
    }
    if let Some(overlay) = model.overlay.take() {
        return match overlay {
            overlay @ (Overlay::Help { .. } | Overlay::Doctor { .. }) => on_reading_key(model, key, overlay),
            Overlay::Question(mut question) => {
                if let Some(at) = question.answers.iter().position(|answer| answer.key == key) {
                    return answer(model, question.answers.swap_remove(at).does);
                }
                if matches!(key.name().as_str(), "Esc" | "n" | "q") {
                    return vec![Effect::DrawNow];
                }
                // Any other key neither answers nor closes: a question is not dismissed by accident.
                model.overlay = Some(Overlay::Question(question));
                Vec::new()
            }
            Overlay::Prompt(prompt) => on_prompt_key(model, key, prompt),
            Overlay::Palette { prompt, at } => palette::on_key(model, key, prompt, at),
        };
    }
    model.pressed.push(key);
    match model.setting.keymap.find(&model.pressed, model.screen) {
        Found::Action(action) => {
            model.pressed.clear();
            act(model, action)
        }
        Found::Pending => vec![Effect::DrawNow],
        Found::Nothing => {
            let was_pending = model.pressed.len() > 1;
            model.pressed.clear();
            if was_pending { vec![Effect::DrawNow] } else { Vec::new() }
        }
    }
}

pub(super) fn on_paste(model: &mut Model, text: &str) -> Vec<Effect> {
    // Pasted text is never taken for keys: only a line that is being typed wants it.
    let Some(Overlay::Prompt(prompt) | Overlay::Palette { prompt, .. }) = &mut model.overlay else {
        return Vec::new();
    };
    prompt.line.insert(text.trim());
    prompt.choices = Choices::default();
    if prompt.purpose == Purpose::Filter {
        let text = prompt.line.text();
        model.set_filter(&text);
    }
    vec![Effect::DrawNow]
}

fn answer(model: &mut Model, deed: Deed) -> Vec<Effect> {
    match deed {
        Deed::Commands(commands) => calls(model, commands),
        Deed::Get(wishes) => fitting::get(model, wishes),
        Deed::Quit => leaving::leave(model),
        Deed::Background => vec![Effect::Leave(Exit::Background)],
    }
}

pub(super) fn interrupt(model: &mut Model) -> Vec<Effect> {
    if model.now.unix_ms < model.interrupted_until_ms {
        return leaving::leave(model);
    }
    model.interrupted_until_ms = model.now.unix_ms + INTERRUPT_MS;
    model.overlay = None;
    model.pressed.clear();
    let what = if model.setting.attached.is_some() { "detaches" } else { "quits" };
    model.notice.say(Level::Info, format!("Ctrl-c again {what}."), model.now);
    vec![Effect::DrawNow]
}

fn on_reading_key(model: &mut Model, key: Key, mut overlay: Overlay) -> Vec<Effect> {
    if let Some(to) = overlay.scroll().and_then(|from| scrolled(model, key, *from)) {
        model.overlay = Some(overlay);
        scroll_to(model, to);
    }
    vec![Effect::DrawNow]
}

/// Where a key takes what is read; `None` when it closes it.
fn scrolled(model: &Model, key: Key, from: usize) -> Option<usize> {
    let page = usize::from(model.size.height.saturating_sub(6)).max(1);
    Some(match model.setting.keymap.find(&[key], model.screen) {
        Found::Action(Action::Down) => from + 1,
        Found::Action(Action::Up) => from.saturating_sub(1),
        Found::Action(Action::HalfDown) => from + page / 2,
        Found::Action(Action::HalfUp) => from.saturating_sub(page / 2),
        Found::Action(Action::PageDown) => from + page,
        Found::Action(Action::PageUp) => from.saturating_sub(page),
        Found::Action(Action::Bottom) => usize::MAX / 2,
        Found::Action(Action::Top) | Found::Pending => 0,
        Found::Action(Action::Back | Action::Help | Action::Doctor | Action::Quit | Action::Next) => return None,
        Found::Action(_) | Found::Nothing => from,
    })
}

/// Scrolls what is read, if something is, as keys would.
pub(super) fn scroll_by(model: &mut Model, rows: isize) -> Vec<Effect> {
    let Some(from) = model.overlay.as_mut().and_then(Overlay::scroll) else { return Vec::new() };
    let to = from.saturating_add_signed(rows);
    scroll_to(model, to);
    vec![Effect::DrawNow]
}

fn scroll_to(model: &mut Model, to: usize) {
    let to = to.min(view::reading_scroll_max(model));
    if let Some(from) = model.overlay.as_mut().and_then(Overlay::scroll) {
        *from = to;
    }
}

fn on_prompt_key(model: &mut Model, key: Key, mut prompt: Prompt) -> Vec<Effect> {
    match (key.name().as_str(), prompt.purpose) {
        ("Esc", Purpose::Filter) => {
            model.set_filter(&prompt.before);
            return vec![Effect::DrawNow];
        }
        ("Esc", Purpose::Theme) => return complete::themed(model, &prompt.before),
        ("Esc", _) => return vec![Effect::DrawNow],
        ("Enter", purpose) => return submit(model, purpose, &prompt.line.text()),
        ("Tab", _) => return complete::on_tab(model, prompt),
        ("Down", Purpose::AddFolder | Purpose::Theme) => return complete::choose(model, prompt, 1),
        ("Up", Purpose::AddFolder | Purpose::Theme) => return complete::choose(model, prompt, -1),
        // One looks through what is left while typing.
        ("Down", Purpose::Filter) => move_by(model, 1),
        ("Up", Purpose::Filter) => move_by(model, -1),
        (_, purpose) => {
            if prompt.line.edit(key) {
                prompt.choices = Choices::default();
                if purpose == Purpose::Filter {
                    model.set_filter(&prompt.line.text());
                }
            }
        }
    }
    open(model, Overlay::Prompt(prompt))
}

/// Takes a typed line as what it was typed for.
pub(super) fn submit(model: &mut Model, purpose: Purpose, text: &str) -> Vec<Effect> {
    let text = text.trim();
    match purpose {
        Purpose::Filter => {
            model.set_filter(text);
            vec![Effect::DrawNow]
        }
        Purpose::Library | Purpose::Action => vec![Effect::DrawNow],
        _ if text.is_empty() => vec![Effect::DrawNow],
        Purpose::AddFolder => games::add_folder(model, text),
        Purpose::AddAddress => {
            model.notice.say(Level::Info, format!("Connecting to {text} …"), model.now);
            calls(model, vec![(Command::Connect { addr: text.to_owned() }, text.to_owned())])
        }
        Purpose::Theme => complete::keep_theme(model, text),
        Purpose::LimitUp => peers::limit(model, text, true),
        Purpose::LimitDown => peers::limit(model, text, false),
    }
}
