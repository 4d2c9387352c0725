//! `config`: what is in effect and why, or a file to start from.

use super::{Console, Exit, exit::Failure};
use crate::config::{self, Settings};

pub(super) fn template(console: &mut Console) -> Result<Exit, Failure> {
    console.text(&config::template())?;
    Ok(Exit::Done)
}

pub(super) fn effective(settings: &Settings, console: &mut Console) -> Result<Exit, Failure> {
    if console.json {
        console.document(&config::effective_json(settings))?;
    } else {
        console.text(&config::effective(settings))?;
    }
    Ok(Exit::Done)
}
