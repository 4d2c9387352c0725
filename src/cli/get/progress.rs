//! How transfers are shown while they are waited for: bars where somebody watches, else a line a
//! second.

use std::{collections::BTreeMap, pin::pin, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::time::interval;

use super::want::Want;
use crate::{
    api::{Command, GameView, Reply, Snapshot, StateWord},
    cli::{Console, exit::Failure, session::Session, words},
    types::clean,
};

/// A name before a bar.
const NAME_CHARS_MAX: usize = 24;
/// What stands behind a bar.
const MESSAGE_CHARS_MAX: usize = 120;

/// How transfers are shown.
pub(super) enum Progress {
    /// On the standard error output, so that the standard output stays clean.
    Bars {
        all: MultiProgress,
        bars: BTreeMap<String, ProgressBar>,
    },
    Lines,
}

impl Progress {
    pub(super) fn new(console: &Console) -> Self {
        if console.errors_are_terminal {
            Self::Bars { all: MultiProgress::new(), bars: BTreeMap::new() }
        } else {
            Self::Lines
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
            Self::Lines => {
                for (want, (_, _, text)) in wants.iter().filter_map(|want| Some((want, want.progress()?))) {
                    let line = format!("{}: {text}", want.game);
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
    let reply = loop {
        tokio::select! {
            biased;
            reply = &mut call => break reply,
            _ = tick.tick() => show_work(&session.snapshot(), bar.as_ref(), console),
        }
    };
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    reply
}

/// How often a bar is drawn, and a line printed.
const BAR_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(1);

fn show_work(snapshot: &Snapshot, bar: Option<&ProgressBar>, console: &mut Console) {
    let at_work =
        |game: &&GameView| matches!(game.state, StateWord::Checking | StateWord::Installing | StateWord::Waiting);
    let games: Vec<&GameView> = snapshot.games.iter().filter(at_work).collect();
    let line = |game: &&GameView| format!("{}: {}", game.id, words::state(game.state, game.percent, &game.reason));
    let Some(bar) = bar else {
        return games.iter().for_each(|game| console.note(&line(game)));
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
