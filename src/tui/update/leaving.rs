//! Leaving: asks where something would be lost by it, and only there.

use super::{
    super::{
        Exit,
        keymap::Key,
        layout,
        model::{
            Model, is_moving,
            overlay::{Answer, Deed, Overlay, Question},
        },
        words,
    },
    Effect, open,
};

pub(super) fn leave(model: &Model) -> Vec<Effect> {
    vec![Effect::Leave(if model.setting.attached.is_some() { Exit::Detached } else { Exit::Quit })]
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
