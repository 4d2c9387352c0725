//! What happens when something happens: the only place that changes the model. It does nothing
//! itself: what is to be done is returned as effects, which the loop in [`super::screen`] carries out.

mod act;
mod answers;
mod builds;
mod complete;
mod copy;
mod fitting;
mod games;
mod keys;
mod leaving;
mod libraries;
mod map;
mod mouse;
mod palette;
mod pane;
mod peers;
mod room;
mod space;
mod step;

use std::sync::Arc;

use ratatui::layout::{Rect, Size};

pub(crate) use self::{
    fitting::{Installed, to_play},
    palette::{Entry, entries},
    step::{Step, next_step},
};
use super::{
    Exit,
    action::{Action, Screen},
    input::Pointed,
    keymap::Key,
    layout,
    model::{Model, Moment, overlay::Overlay},
};
use crate::api::{Command, CommandError, Event, EventKind, Reply, Snapshot};

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Msg {
    /// It is now so late; comes before every other message.
    Time(Moment),
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// The mouse was used.
    Pointed(Pointed),
    /// What is in a folder that was asked about; names of folders end in a slash.
    Listed {
        /// The folder.
        folder: String,
        /// What is in it.
        names: Vec<String>,
    },
    /// Another theme is in force.
    Themed {
        /// Its name.
        name: String,
        /// Whether it has colours for the chunk map.
        half_blocks: bool,
    },
    /// A theme cannot be used, and why.
    NotThemed(String),
    /// The terminal has this size.
    Resize(Size),
    /// The state of everything.
    Snapshot(Arc<Snapshot>),
    /// A fact.
    Event(Event),
    /// So many facts were missed.
    Missed(u64),
    /// The runtime answered.
    Answer {
        /// What was asked.
        command: Command,
        /// Its subject, as people call it.
        subject: String,
        /// The answer.
        result: Result<Reply, CommandError>,
    },
}

/// Something to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Draw at once.
    DrawNow,
    /// Draw when it is time for a frame.
    DrawSoon,
    /// Draw everything anew, whatever the terminal shows.
    Redraw,
    /// Ask the runtime.
    Call {
        /// What.
        command: Command,
        /// Its subject, as people call it.
        subject: String,
    },
    /// Give the terminal back and stop until the shell says otherwise.
    Suspend,
    /// Put this where the user's other programs paste from.
    Copy(String),
    /// Say what is in this folder.
    List(String),
    /// Show this theme.
    Theme(String),
    /// Ring.
    Bell,
    /// End the screen.
    Leave(Exit),
}

/// Changes the model as the message wants and says what is to be done.
#[must_use]
pub(crate) fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let mut effects = on_msg(model, msg);
    effects.extend(map::look(model));
    effects.extend(room::look(model));
    effects.extend(space::look(model));
    effects
}

fn on_msg(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Time(now) => on_time(model, now),
        Msg::Key(key) => {
            let mut effects = draw_if(model.notice.on_key(model.now));
            effects.extend(keys::on_key(model, key));
            effects
        }
        Msg::Paste(text) => keys::on_paste(model, &text),
        Msg::Pointed(pointed) => mouse::on_pointed(model, pointed),
        Msg::Listed { folder, names } => complete::on_listed(model, &folder, &names),
        Msg::Themed { name, half_blocks } => {
            model.setting.theme = name;
            model.setting.half_blocks = half_blocks;
            vec![Effect::DrawNow]
        }
        Msg::NotThemed(why) => refuse(model, why),
        Msg::Resize(size) => {
            model.size = size;
            vec![Effect::DrawNow]
        }
        Msg::Snapshot(snapshot) => {
            let before = model.snapshot.clone();
            if model.take(&snapshot) {
                let same_room =
                    Arc::ptr_eq(&before.games, &snapshot.games) && Arc::ptr_eq(&before.peers, &snapshot.peers);
                if !same_room {
                    model.room.on_change();
                }
                if before.me.away != snapshot.me.away {
                    // What came and went meanwhile was not heard.
                    model.connections.rebase(if snapshot.me.away { &[] } else { &snapshot.links });
                }
                if !Arc::ptr_eq(&before.transfers, &snapshot.transfers) {
                    model.map.on_change();
                    space::notice_full(model, &before);
                }
                space::notice_news(model, &before);
                vec![Effect::DrawSoon]
            } else {
                Vec::new()
            }
        }
        Msg::Event(event) => on_event(model, &event),
        Msg::Missed(count) => {
            model.log.push_missed(count, model.now);
            model.connections.rebase(&model.snapshot.links);
            draw_if(matches!(model.screen, Screen::Links | Screen::Log))
        }
        Msg::Answer { command: Command::Without { game }, result, .. } => room::on_without(model, &game, result),
        Msg::Answer { command: Command::Compare { peer }, result, .. } => room::on_compared(model, &peer, result),
        Msg::Answer { command: Command::Space, result, .. } => space::on_answer(model, result),
        Msg::Answer { command: Command::Map(request), result, .. } => map::on_answer(model, request, result),
        Msg::Answer { command, subject, result } => {
            model.asked = model.asked.saturating_sub(1);
            if matches!(command, Command::Free { .. }) {
                model.space.on_change();
            }
            answers::on_answer(model, &command, &subject, result);
            vec![Effect::DrawNow]
        }
    }
}

fn on_time(model: &mut Model, now: Moment) -> Vec<Effect> {
    let minute = |at: Moment| at.unix_ms / 60_000;
    let changed = minute(now) != minute(model.now) || now.offset_s != model.now.offset_s;
    model.now = now;
    let sampled = model.histories.sample(&model.snapshot, now.unix_ms);
    draw_if(changed || sampled)
}

fn on_event(model: &mut Model, event: &Event) -> Vec<Effect> {
    model.log.push(event, model.now);
    let at = Moment { unix_ms: event.at_ms, ..model.now };
    let heard = model.notice.hear(event.level, &event.text, at);
    let linked = model.connections.push(event);
    let shown = match model.screen {
        Screen::Log => true,
        Screen::Links => linked,
        Screen::Library | Screen::Transfers | Screen::Peers | Screen::Space => false,
    };
    let mut effects = draw_if(heard || shown);
    if model.setting.bell && matches!(event.kind, EventKind::Downloaded { .. } | EventKind::Installed { .. }) {
        effects.push(Effect::Bell);
    }
    effects
}

fn draw_if(changed: bool) -> Vec<Effect> {
    if changed { vec![Effect::DrawSoon] } else { Vec::new() }
}

/// Asks the runtime for each, or says nothing where there is nothing to ask.
fn calls(model: &mut Model, commands: Vec<(Command, String)>) -> Vec<Effect> {
    model.asked += commands.len();
    let mut effects = vec![Effect::DrawNow];
    effects.extend(commands.into_iter().map(|(command, subject)| Effect::Call { command, subject }));
    effects
}

/// Says why something is not possible.
fn refuse(model: &mut Model, why: impl Into<String>) -> Vec<Effect> {
    model.notice.refuse(why, model.now);
    vec![Effect::DrawNow]
}

/// Lays something over the screen.
fn open(model: &mut Model, overlay: Overlay) -> Vec<Effect> {
    model.overlay = Some(overlay);
    vec![Effect::DrawNow]
}

/// How many rows a moving action moves, where a page is as long as the table of this tab; `None` for other actions.
fn motion(model: &Model, action: Action) -> Option<isize> {
    let page = page(model, model.screen) as isize;
    let half = (page / 2).max(1);
    let motions = [
        (Action::Down, 1),
        (Action::Up, -1),
        (Action::HalfDown, half),
        (Action::HalfUp, -half),
        (Action::PageDown, page),
        (Action::PageUp, -page),
        (Action::Top, isize::MIN / 2),
        (Action::Bottom, isize::MAX / 2),
    ];
    motions.into_iter().find(|(moving, _)| *moving == action).map(|(_, by)| by)
}

/// Rows of the table of a tab that are in view.
fn page(model: &Model, screen: Screen) -> usize {
    let lines = match table_area(model, screen) {
        // The first line has the titles of the columns.
        Some(table) => table.height.saturating_sub(1),
        None => layout::chrome(model.size).map_or(1, |chrome| layout::log(chrome.body).1.height),
    };
    usize::from(lines).max(1)
}

/// Where the table of a tab lies; the log has none.
fn table_area(model: &Model, screen: Screen) -> Option<Rect> {
    let body = layout::chrome(model.size)?.body;
    Some(match screen {
        Screen::Library => layout::library(body).table,
        Screen::Transfers => {
            let sources = model.selected_transfer().map_or(0, |transfer| transfer.sources.len());
            layout::transfers(body, model.transfers.rows().len(), sources).table
        }
        Screen::Peers => layout::peers(body, model.peers.rows().len()).table,
        Screen::Links => layout::links(body, model.links.rows().len()).table,
        Screen::Space => layout::space(body).table,
        Screen::Log => return None,
    })
}
