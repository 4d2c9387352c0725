//! `doctor`: what keeps a party from working here. Asks the potluck that runs, which knows most; where
//! none runs it looks itself, and starts none.

use super::{Console, Exit, Launcher, exit::Failure};
use crate::{
    api::{Command, Diagnosis, Finding, Reply, Verdict},
    config::Settings,
    control::client,
};

pub(super) async fn run(settings: &Settings, launcher: &impl Launcher, console: &mut Console) -> Result<Exit, Failure> {
    if console.out_is_terminal && !console.json {
        console.note("Looking at this machine and its network …");
    }
    let diagnosis = match client::ask(&settings.places.socket, Command::Doctor).await {
        Ok(Ok(Reply::Doctor(diagnosis))) => diagnosis,
        Ok(Ok(_another)) => return Err(Failure::other_answer()),
        Ok(Err(error)) => return Err(error.into()),
        Err(error) if error.is_nobody() => launcher.examine(settings),
        // One that does not answer is what a doctor is called for.
        Err(error) => {
            console.note(&format!("potluck: {error}"));
            launcher.examine(settings)
        }
    };
    say(&diagnosis, console)?;
    let is_bad = diagnosis.findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    Ok(if is_bad { Exit::Failed } else { Exit::Done })
}

/// The findings, for people or as the document they are.
pub(super) fn say(diagnosis: &Diagnosis, console: &mut Console) -> Result<(), Failure> {
    if console.json {
        return console.document(diagnosis);
    }
    for finding in &diagnosis.findings {
        for line in lines(finding) {
            console.say(&line)?;
        }
    }
    console.say(&diagnosis.sum().1)
}

fn lines(finding: &Finding) -> Vec<String> {
    let word = match finding.verdict {
        Verdict::Ok => "ok",
        Verdict::Unknown => "?",
        Verdict::Warn => "warn",
        Verdict::Bad => "BAD",
    };
    let mut lines = vec![format!("{word:<5} {:<12} {}", finding.check, finding.what)];
    for (mark, text) in [("", &finding.why), ("→ ", &finding.fix)] {
        if !text.is_empty() {
            lines.push(format!("{:<18} {mark}{text}", ""));
        }
    }
    lines
}
