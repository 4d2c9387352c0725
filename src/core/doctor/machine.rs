//! Folders, buffers and open files.

use super::{Finding, Folder, FolderState, Kernel, Verdict, good};
use crate::types::decimal::size;

/// Below this the next game is likely not to fit.
const FREE_LITTLE: u64 = 20 << 30;
/// Below this not even an update fits.
const FREE_NONE: u64 = 1 << 30;
/// Links, served files, watches of a large party.
const FILES_ENOUGH: u64 = 4_096;
/// Oddities named; the rest is counted.
const ODDITIES_NAMED: usize = 5;

pub(super) fn of_folder(folder: &Folder) -> Vec<Finding> {
    let path = &folder.path;
    let state = match &folder.state {
        Ok(state) => state,
        Err(why) => {
            let what = format!("The library {path} cannot be used: {why}.");
            let why = "Nothing in it is shared, and nothing can be put there.";
            return vec![Finding::of("library", Verdict::Bad, what, why, format!("mkdir -p '{path}'"))];
        }
    };
    let mut findings = vec![of_access(folder, state), of_space(path, state)];
    findings.extend(of_system(path, state));
    if !folder.oddities.is_empty() {
        let named: Vec<&str> = folder.oddities.iter().take(ODDITIES_NAMED).map(String::as_str).collect();
        let more = folder.oddities.len() - named.len();
        let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
        findings.push(Finding::of(
            "library",
            Verdict::Warn,
            format!("Not taken for games in {path}: {}{rest}.", named.join("; ")),
            "They are not shared.",
            format!("ls -la '{path}'"),
        ));
    }
    findings
}

fn of_access(folder: &Folder, state: &FolderState) -> Finding {
    let path = &folder.path;
    if let Some(why) = &folder.trouble {
        let what = format!("The running potluck cannot use {path}: {why}");
        return Finding::of("library", Verdict::Bad, what, "See its log.", "potluck logs --lines 20");
    }
    match &state.read_only {
        Some(why) => Finding::of(
            "library",
            Verdict::Bad,
            format!("Nothing can be written into {path}: {why}."),
            "What is there is shared, but no game can be got, added or installed.",
            format!("ls -ld '{path}'"),
        ),
        None => good("library", format!("The library {path} can be read and written.")),
    }
}

fn of_space(path: &str, state: &FolderState) -> Finding {
    let free = size(state.free);
    let fix = "potluck remove GAME";
    if state.free < FREE_NONE {
        let why = "Transfers wait until there is space; what is verified is kept.";
        return Finding::of("space", Verdict::Bad, format!("Only {free} are free for {path}."), why, fix);
    }
    if state.free < FREE_LITTLE {
        let why = "A large game needs more, and installing it needs its size once more.";
        return Finding::of("space", Verdict::Warn, format!("{free} are free for {path}."), why, fix);
    }
    good("space", format!("{free} are free for {path}."))
}

fn of_system(path: &str, state: &FolderState) -> Vec<Finding> {
    let system = state.system;
    let mut findings = Vec::new();
    if let Some(max) = state.file_max {
        findings.push(Finding::of(
            "file-system",
            Verdict::Warn,
            format!("{path} is on {system}, which stores at most {} in a file.", size(max)),
            "Games with larger files are refused before they are got.",
            format!("findmnt --target '{path}'"),
        ));
    }
    if state.case_sensitive == Some(false) {
        findings.push(Finding::of(
            "file-system",
            Verdict::Warn,
            format!("{path} is on {system}, which takes `a` and `A` for one name."),
            "A game with two files whose names differ only in that cannot be kept here.",
            format!("findmnt --target '{path}'"),
        ));
    }
    if findings.is_empty() && state.read_only.is_none() {
        let copies = match state.reflink {
            Some(true) => "; copies share their blocks, so adding and installing a game there costs no space",
            Some(false) => "; copies take space of their own",
            None => "",
        };
        findings.push(good("file-system", format!("{path} is on {system}{copies}.")));
    }
    findings
}

pub(super) fn of_kernel(kernel: &Kernel) -> Vec<Finding> {
    let Kernel { wanted, receive, send, files } = kernel;
    let clipped: Vec<&str> = [("rmem_max", receive), ("wmem_max", send)]
        .into_iter()
        .filter(|(_, got)| *got < wanted)
        .map(|(n, _)| n)
        .collect();
    let buffers = if clipped.is_empty() {
        good("buffers", format!("Sockets get the buffers they ask for ({}).", size(*wanted as u64)))
    } else {
        let settings: Vec<String> = clipped.iter().map(|name| format!("net.core.{name}={wanted}")).collect();
        Finding::of(
            "buffers",
            Verdict::Warn,
            format!(
                "The kernel gives a socket {} to receive and {} to send, of {} asked for.",
                size(*receive as u64),
                size(*send as u64),
                size(*wanted as u64)
            ),
            "At a full gigabit packets are lost and sent again whenever this machine is busy for a moment.",
            format!(
                "printf '%s\\n' {} | sudo tee /etc/sysctl.d/60-potluck.conf && sudo sysctl --system",
                settings.join(" ")
            ),
        )
    };
    let open_files = if *files < FILES_ENOUGH {
        Finding::of(
            "open-files",
            Verdict::Warn,
            format!("A process may have {files} files open."),
            "With many peers and games some of them have to wait.",
            "ulimit -Hn 65536",
        )
    } else {
        good("open-files", format!("A process may have {files} files open."))
    };
    vec![buffers, open_files]
}
