//! How transfers are shown while they are waited for: bars where somebody watches, else a line a
//! second.

use std::{collections::BTreeMap, pin::pin, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::time::interval;

use super::want::Want;
use crate::{
    api::{Command, Reply, StateWord},
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

/// Carries out a command that may read a whole game, and shows meanwhile what is being read.
pub(in crate::cli) async fn busy(session: &Session, command: Command, console: &Console) -> Result<Reply, Failure> {
    if !console.errors_are_terminal {
        return session.call(command).await;
    }
    let spinner = ProgressBar::new_spinner();
    spinner.set_style(style("{spinner} {msg}"));
    let mut call = pin!(session.call(command));
    let mut tick = interval(Duration::from_millis(100));
    let reply = loop {
        tokio::select! {
            biased;
            reply = &mut call => break reply,
            _ = tick.tick() => {
                spinner.set_message(clean(&being_read(session), MESSAGE_CHARS_MAX));
                spinner.tick();
            }
        }
    };
    spinner.finish_and_clear();
    reply
}

fn being_read(session: &Session) -> String {
    let snapshot = session.snapshot();
    let reading = snapshot.games.iter().filter(|game| game.state == StateWord::Checking);
    let words: Vec<String> =
        reading.map(|game| format!("{} {}", game.id, words::state(game.state, game.percent, ""))).collect();
    words.join("  ")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are constant and valid").progress_chars("█▓▒░.")
}
