//! `events`: what happens, a line each, as it happens.

use serde_json::json;

use super::{Console, Exit, exit::Failure, session::Interrupt};
use crate::{
    api::{Event, Level, Missed},
    config::Settings,
    control::client,
};

pub(super) async fn run(settings: &Settings, follow: bool, console: &mut Console) -> Result<Exit, Failure> {
    let mut interrupt = Interrupt::new()?;
    let socket = &settings.places.socket;
    let attached = if follow { client::attach_for_good(socket).await } else { client::attach(socket).await };
    let attached = match attached {
        Err(error) if error.is_nobody() => {
            return Err(Failure::new(Exit::NotFound, "no potluck is running here; `potluck serve` starts one"));
        }
        attached => attached?,
    };
    let mut events = attached.handle.events();
    let mut run = attached.run;
    let mut running = true;
    loop {
        let event = tokio::select! {
            biased;
            () = interrupt.wait() => return Ok(Exit::Interrupted),
            () = &mut run, if running => {
                running = false;
                continue;
            }
            event = events.next() => event,
        };
        match event {
            Ok(event) => tell(&event, console)?,
            Err(_stopped) => return Ok(Exit::Done),
        }
    }
}

/// A line of text, or a line that is one JSON document.
fn tell(event: &Result<Event, Missed>, console: &mut Console) -> Result<(), Failure> {
    match event {
        Ok(event) if console.json => console.json_line(event),
        Ok(event) => console.say(&format!("{:7} {}", word(event.level), event.text)),
        Err(missed) if console.json => console.json_line(&json!({ "missed": missed.count })),
        Err(missed) => console.say(&format!("{:7} {} events went by too fast", "", missed.count)),
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Done => "done",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}
