//! Leaving: asks where something would be lost by it, and only there.

use super::{
    super::{
        Exit,
        action::Action,
        keymap::Key,
        layout,
        model::{
            Model, is_moving,
            overlay::{Answer, Deed, Overlay, Question},
        },
        words,
    },
    Effect, open, refuse,
};

pub(super) fn leave(model: &Model) -> Vec<Effect> {
    vec![Effect::Leave(if model.setting.attached.is_some() { Exit::Detached } else { Exit::Quit })]
}

/// Why the runtime cannot go on without this screen; what a screen over another runtime is told is how to leave it.
pub(super) fn no_background(model: &Model) -> Option<String> {
    let quit = model.setting.keymap.way(Action::Quit);
    match &model.setting.attached {
        Some(name) => Some(format!("{name} already runs without this screen; {quit} leaves it.")),
        None if model.snapshot.me.demo => Some("The demo ends with its screen.".to_owned()),
        None if !model.setting.can_stay => {
            Some("No process stands in front of this one, so it ends with its screen.".to_owned())
        }
        None => None,
    }
}

/// Ends the screen and nothing else.
pub(super) fn to_background(model: &mut Model) -> Vec<Effect> {
    match no_background(model) {
        Some(why) => refuse(model, why),
        None => vec![Effect::Leave(Exit::Background)],
    }
}

pub(super) fn ask(model: &mut Model) -> Vec<Effect> {
    // A runtime of its own goes on without us, a demo has nothing to lose, and a question that nobody
    // can see would lock people in.
    let unseen = layout::chrome(model.size).is_none();
    if model.setting.attached.is_some() || model.snapshot.me.demo || unseen {
        return leave(model);
    }
    let running = model.snapshot.transfers.iter().filter(|transfer| is_moving(transfer.state)).count() as u64;
    let served = model.snapshot.peers.iter().filter(|peer| peer.up_bps > 0).count() as u64;
    let s = |count| if count == 1 { "s" } else { "" };
    let mut facts = Vec::new();
    if running > 0 {
        facts.push(format!("{} run{}", words::count(running, "transfer"), s(running)));
    }
    if served > 0 {
        facts.push(format!("{} get{} from you", words::count(served, "peer"), s(served)));
    }
    if model.asked > 0 {
        facts.push("something you asked for is not done yet".to_owned());
    }
    if facts.is_empty() {
        return leave(model);
    }
    let mut lines = vec![format!("{}.", facts.join(", "))];
    if running > 0 {
        lines.push("What is verified is kept; the next start goes on from there.".to_owned());
    }
    let answer = |key: &str, label: &str, does| {
        let key = Key::named(key).expect("a letter is a key");
        Answer { key, label: label.to_owned(), does }
    };
    let mut answers = Vec::new();
    if model.setting.can_stay {
        answers.push(answer("b", "Keep sharing in the background", Deed::Background));
    }
    answers.push(answer("y", "Quit", Deed::Quit));
    open(model, Overlay::Question(Question { title: "Quit".to_owned(), lines, answers, esc: "Stay" }))
}
