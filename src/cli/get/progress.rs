//! How transfers are shown while they are waited for: bars where somebody watches, else a line a second, and none
//! that says what the last one said.

use std::{collections::BTreeMap, pin::pin, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::time::interval;

use super::want::Want;
use crate::{
    api::{Command, GameView, Reply, Snapshot, StateWord},
    cli::{
        Console,
        exit::Failure,
        session::{Session, Work},
        words,
    },
    types::clean,
};

/// A name before a bar.
const NAME_CHARS_MAX: usize = 24;
/// What stands behind a bar.
const MESSAGE_CHARS_MAX: usize = 120;

/// How transfers are shown.
pub(super) enum Progress {
    /// On the standard error output, so that the standard output stays clean.
    Bars { all: MultiProgress, bars: BTreeMap<String, ProgressBar> },
    /// A line for each game, when it says something else than the last one.
    Lines(BTreeMap<String, String>),
}

impl Progress {
    pub(super) fn new(console: &Console) -> Self {
        if console.errors_are_terminal {
            Self::Bars { all: MultiProgress::new(), bars: BTreeMap::new() }
        } else {
            Self::Lines(BTreeMap::new())
        }
    }

    /// Draws what is new; nothing where there are lines.
    pub(super) fn draw(&mut self, wants: &[Want]) {
        let Self::Bars { all, bars } = self else { return };
        for want in wants {
            let Some((all_of_it, done, text)) = want.progress() else {
                if let Some(bar) = bars.get(&want.game).filter(|bar| !bar.is_finished()) {
                    bar.finish_and_clear();
                }
                continue;
            };
            let bar = bars.entry(want.game.clone()).or_insert_with(|| {
                let bar = all.add(ProgressBar::new(all_of_it));
                bar.set_style(style("{prefix:24} [{bar:24}] {msg}"));
                bar.set_prefix(clean(&want.game, NAME_CHARS_MAX));
                bar
            });
            bar.set_length(all_of_it);
            bar.set_position(done);
            bar.set_message(clean(&text, MESSAGE_CHARS_MAX));
        }
    }

    /// Prints a line for each that is under way; nothing where there are bars.
    pub(super) fn second(&mut self, wants: &[Want], console: &mut Console) -> Result<(), Failure> {
        match self {
            Self::Bars { .. } => self.draw(wants),
            Self::Lines(said) => {
                for (want, (_, _, text)) in wants.iter().filter_map(|want| Some((want, want.progress()?))) {
                    let line = format!("{}: {text}", want.game);
                    if said.insert(want.game.clone(), line.clone()).as_ref() == Some(&line) {
                        continue;
                    }
                    if console.json { console.note(&line) } else { console.say(&line)? }
                }
            }
        }
        Ok(())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Self::Bars { bars, .. } = self {
            bars.values().filter(|bar| !bar.is_finished()).for_each(ProgressBar::finish_and_clear);
        }
    }
}

/// Carries out a command that may read or write a whole game, and shows meanwhile how far it is.
pub(in crate::cli) async fn busy(session: &Session, command: Command, console: &mut Console) -> Result<Reply, Failure> {
    let bar = console.errors_are_terminal.then(|| ProgressBar::new(100));
    let mut tick = interval(if bar.is_some() { BAR_EVERY } else { LINE_EVERY });
    // The first tick comes at once, and nothing has happened yet.
    tick.tick().await;
    let mut call = pin!(session.call(command));
    session.is_at(Some(Work::Order));
    let mut said = Vec::new();
    let reply = loop {
        tokio::select! {
            biased;
            reply = &mut call => break reply,
            _ = tick.tick() => show_work(&session.snapshot(), bar.as_ref(), &mut said, console),
        }
    };
    session.is_at(None);
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    reply
}

/// How often a bar is drawn, and a line printed.
const BAR_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(1);

/// `said` are the lines of the last time, which are not said again.
fn show_work(snapshot: &Snapshot, bar: Option<&ProgressBar>, said: &mut Vec<String>, console: &mut Console) {
    let at_work =
        |game: &&GameView| matches!(game.state, StateWord::Checking | StateWord::Installing | StateWord::Waiting);
    let games: Vec<&GameView> = snapshot.games.iter().filter(at_work).collect();
    let line = |game: &&GameView| format!("{}: {}", game.id, words::state(game.state, game.percent, &game.reason));
    let Some(bar) = bar else {
        let lines: Vec<String> = games.iter().map(line).collect();
        lines.iter().filter(|line| !said.contains(line)).for_each(|line| console.note(line));
        *said = lines;
        return;
    };
    let percent = games.first().and_then(|game| game.percent);
    bar.set_style(style(if percent.is_some() { "[{bar:24}] {msg}" } else { "{spinner} {msg}" }));
    bar.set_position(percent.unwrap_or(0).into());
    bar.set_message(clean(&games.iter().map(line).collect::<Vec<_>>().join("  "), MESSAGE_CHARS_MAX));
    bar.tick();
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are constant and valid").progress_chars("█▓▒░.")
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_goes_on_is_said_once() {
        let errors = Kept::default();
        let mut console = Console::buffers(io::sink(), errors.clone(), "");
        let mut said = Vec::new();
        for (state, percent) in [
            (StateWord::Installing, Some(10)),
            (StateWord::Installing, Some(11)),
            (StateWord::Waiting, None),
            (StateWord::Waiting, None),
            (StateWord::Installing, Some(11)),
        ] {
            let reason = if state == StateWord::Waiting { "the game is running" } else { "" };
            let game = GameView { id: "x".into(), state, percent, reason: reason.into(), ..GameView::default() };
            let snapshot = Snapshot { games: Arc::new(vec![game]), ..Snapshot::default() };
            show_work(&snapshot, None, &mut said, &mut console);
        }
        let lines = String::from_utf8(errors.0.lock().unwrap().clone()).unwrap();
        let expect = "x: Installing 10 %\nx: Installing 11 %\nx: Waiting: the game is running\nx: Installing 11 %\n";
        assert_eq!(lines, expect);
    }
}
