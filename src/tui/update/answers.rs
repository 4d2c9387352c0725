//! What the runtime answered, in the message line; and the question that follows from some answers.

use super::super::{
    keymap::Key,
    model::{
        Model,
        overlay::{Answer, Deed, Overlay, Question},
    },
    words,
};
use crate::api::{
    Added, Candidate, Command, CommandError, ConfirmView, Diagnosis, Level, PlayingView, Reply, VerifyReport,
};

/// Names listed in an answer; the rest is counted.
const NAMES_MAX: usize = 3;

pub(super) fn on_answer(model: &mut Model, command: &Command, subject: &str, result: Result<Reply, CommandError>) {
    let (level, text) = match result {
        Ok(reply) => of_reply(model, command, subject, reply),
        Err(error) => (Level::Error, of_error(&error, subject)),
    };
    if !text.is_empty() {
        model.notice.say(level, text, model.now);
    }
}

fn of_reply(model: &mut Model, command: &Command, subject: &str, reply: Reply) -> (Level, String) {
    match reply {
        Reply::Done { message } | Reply::Installed { message, .. } => (Level::Done, message),
        Reply::Queued { version, size, .. } => {
            (Level::Done, format!("Getting {subject} {version}, {}.", words::size(size)))
        }
        Reply::AlreadyHere { version, .. } => (Level::Info, format!("{subject} {version} is here already.")),
        Reply::Added(added) => (Level::Done, of_added(&added)),
        Reply::Verified(report) => of_verified(model, command, subject, &report),
        Reply::Manifest { files, .. } => (Level::Info, words::count(files.len() as u64, "file")),
        Reply::Confirm(ask) => confirm(model, &ask),
        Reply::Playing(playing) => {
            let PlayingView { title, log, place, .. } = playing;
            (
                Level::Done,
                format!(
                    "{title} runs; others get only a trickle meanwhile. It runs {place}; its output goes to {log}."
                ),
            )
        }
        // The panes take their own answers.
        Reply::Map(_)
        | Reply::Without(_)
        | Reply::Compared(_)
        | Reply::Space(_)
        | Reply::Figures(_)
        | Reply::Config { .. } => (Level::Info, String::new()),
        Reply::Doctor(diagnosis) => of_doctor(model, diagnosis),
    }
}

/// Over a question or a line that is being typed it would take their keys; the sentence alone is said then.
fn of_doctor(model: &mut Model, diagnosis: Diagnosis) -> (Level, String) {
    let said = diagnosis.sum();
    if model.overlay.is_none() {
        model.overlay = Some(Overlay::Doctor { findings: diagnosis.findings, from: 0 });
    }
    said
}

fn of_added(added: &Added) -> String {
    let Added { game, version, content: _, files, size, before, changed } = added;
    match before {
        None => {
            let files = words::count(u64::from(*files), "file");
            format!("{game} {version} is in the library: {files}, {}.", words::size(*size))
        }
        Some(_) if added.is_as_before() => format!("{game} {version} is here already, as it is there."),
        Some(before) => {
            let [new, other, gone] = changed.map(|count| words::thousands(u64::from(count)));
            format!("{game} is {version} now, it was {before}: {new} new files, {other} changed, {gone} gone.")
        }
    }
}

/// Shows what would run, word for word.
fn confirm(model: &mut Model, ask: &ConfirmView) -> (Level, String) {
    let what = format!("{} is not started yet: somebody has to agree to its programs.", ask.title);
    // A question over another one would take its keys; asked again, it comes again.
    if model.overlay.is_some() {
        return (Level::Warning, what);
    }
    let mut lines = vec![format!("For the first time this runs {}, as your catalog says:", ask.place)];
    for program in &ask.programs {
        let purpose = if program.setup { "to set it up, once:" } else { "to play:" };
        lines.push(format!("{purpose} {}", program.shown));
    }
    let confirm = ask.programs.iter().map(|program| program.mark.clone()).collect();
    let command = Command::Play { game: ask.game.clone(), confirm };
    let answer = Answer {
        key: Key::named("y").expect("y is a key"),
        label: "Run it".to_owned(),
        does: Deed::Commands(vec![(command, ask.title.clone())]),
    };
    let title = format!("Play {}", ask.title);
    model.overlay = Some(Overlay::Question(Question { title, lines, answers: vec![answer], esc: "Do not" }));
    (Level::Info, String::new())
}

fn of_verified(model: &mut Model, command: &Command, subject: &str, report: &VerifyReport) -> (Level, String) {
    let files = words::count(u64::from(report.files), "file");
    if report.bad.is_empty() {
        return (Level::Done, format!("{subject} is as it should be: {files}, {}.", words::size(report.size)));
    }
    let named: Vec<&str> = report.bad.iter().take(NAMES_MAX).map(String::as_str).collect();
    let more = report.bad.len().saturating_sub(NAMES_MAX);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    let what = format!("{subject}: {} of {files} differ: {}{rest}.", report.bad.len(), named.join(", "));
    if report.repairing {
        return (Level::Warning, format!("{what} They are being fetched."));
    }
    // A question over another one would take its keys; the sentence alone says what to do then.
    if let (None, Command::Verify { game, .. }) = (&model.overlay, command) {
        let repair = Command::Verify { game: game.clone(), repair: true };
        let answer = Answer {
            key: Key::named("y").expect("y is a key"),
            label: format!("Fetch {}", words::count(u64::from(report.bad_chunks), "chunk")),
            does: Deed::Commands(vec![(repair, subject.to_owned())]),
        };
        let lines = vec![what.clone(), "Only what differs is fetched from those who have it.".to_owned()];
        let question = Question { title: "Repair".to_owned(), lines, answers: vec![answer], esc: "Leave it" };
        model.overlay = Some(Overlay::Question(question));
    }
    (Level::Warning, what)
}

fn of_error(error: &CommandError, subject: &str) -> String {
    let named = |candidate: &Candidate| match candidate.version.as_str() {
        "" => candidate.title.clone(),
        version => format!("{} {version}", candidate.title),
    };
    let mut text = error.message.clone();
    if !error.candidates.is_empty() {
        let names: Vec<String> = error.candidates.iter().take(NAMES_MAX).map(named).collect();
        text = format!("{text} Meant could be: {}.", names.join(", "));
    }
    // Several answers arrive together when several games were marked: each says whose it is.
    if subject.is_empty() || text.contains(subject) { text } else { format!("{subject}: {text}") }
}
