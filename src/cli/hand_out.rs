//! `hand-out`: this very program for seats that do not have it yet. Prints what is to be typed there.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::{Console, Exit, Launcher, exit::Failure, session::Interrupt, words};
use crate::config::Settings;

/// The next one after that of peers, which is a UDP port.
pub(super) const PORT: u16 = 47_801;

/// Longer is a server, and that is not what this is for.
const TIME_MAX: Duration = Duration::from_secs(24 * 3_600);

pub(super) async fn run(
    time: Duration,
    port: u16,
    settings: &Settings,
    launcher: &impl Launcher,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let mut interrupt = Interrupt::new()?;
    let only = settings.listen.map(|listen| listen.ip()).filter(|ip| !ip.is_unspecified());
    let mut offer = launcher.hand_out(port, only).await.map_err(|message| Failure::new(Exit::Failed, message))?;
    if console.json {
        let (size, blake3, sha256) = (offer.size, &offer.blake3, &offer.sha256);
        console.json_line(
            &json!({ "urls": offer.urls, "size": size, "blake3": blake3, "sha256": sha256, "needs": offer.needs }),
        )?;
    } else {
        say(&offer, time, console)?;
    }
    let deadline = Instant::now() + time;
    let mut copies = 0;
    loop {
        let copied = tokio::select! {
            biased;
            () = interrupt.wait() => break,
            copied = timeout_at(deadline, offer.copies.next()) => copied,
        };
        let Ok(Some(ip)) = copied else { break };
        copies += 1;
        if console.json {
            console.json_line(&json!({ "given_to": ip }))?;
        } else {
            console.say(&format!("{ip} has it."))?;
        }
    }
    if !console.json {
        let many = if copies == 1 { "y" } else { "ies" };
        console.say(&format!("No longer handed out; {} cop{many} went out.", words::thousands(copies)))?;
    }
    Ok(Exit::Done)
}

fn say(offer: &super::HandOut, time: Duration, console: &mut Console) -> Result<(), Failure> {
    let seconds = time.as_secs();
    let lasting =
        if seconds < 60 { words::count(seconds, "second") } else { words::count(seconds.div_ceil(60), "minute") };
    let size = words::size(offer.size);
    console.say(&format!("This potluck ({size}) is handed out for {lasting} or until Ctrl-C."))?;
    match &offer.needs {
        Some(needs) => console.say(&format!("It runs on: {needs}."))?,
        None => console
            .say("What it needs to run cannot be read from it; the other seat should be a machine like this one.")?,
    }
    console.say("On the other seat, whichever address it reaches:")?;
    for url in &offer.urls {
        console.say(&format!("  curl -fo potluck {url} && chmod +x potluck"))?;
    }
    console.say("There, to see that it is the same (either):")?;
    console.say(&format!("  echo '{}  potluck' | sha256sum -c", offer.sha256))?;
    console.say(&format!("  echo '{}  potluck' | b3sum -c", offer.blake3))
}

/// `90s`, `30m`, `2h`; at most a day.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some(_) | None => 0,
    };
    let number: Option<u64> = text.get(..text.len().saturating_sub(1)).and_then(|number| number.parse().ok());
    let time = number.and_then(|number| number.checked_mul(unit)).map(Duration::from_secs);
    match time {
        Some(time) if !time.is_zero() && time <= TIME_MAX => Ok(time),
        Some(_) | None => Err(format!("`{text}` is no time up to a day; write it like 90s, 30m or 2h")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_an_end() {
        for (text, seconds) in [("90s", 90), ("30m", 1_800), ("24h", 86_400)] {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "h", "0s", "1", "25h", "-1h", "1d", "99999999999999999999h", "1 h", "é"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
