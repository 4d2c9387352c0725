//! `service`: potluck under systemd. Writes and removes a unit made from the settings in effect, and
//! says how it is; the commands that need systemd are named and left to the user, who sees what they do.

mod unit;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use serde_json::json;

use self::unit::{Scope, Unit};
use super::{Console, Exit, args::ServiceOrder, exit::Failure, status::NOBODY};
use crate::{
    config::{Origin, Settings},
    control::client::{self},
};

/// Where units of the machine lie.
const SYSTEM_UNITS: &str = "/etc/systemd/system";
/// Where packages and administrators put units for every user.
const PACKAGED_UNITS: [&str; 3] = ["/etc/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user"];
/// Users whose services run without a login have a file here.
const LINGERING: &str = "/var/lib/systemd/linger";

pub(super) async fn run(
    order: &ServiceOrder,
    flags: &[String],
    settings: &Settings,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let scope = if order.is_system() { Scope::System } else { Scope::User };
    let place = Place::of(scope)?;
    match order {
        ServiceOrder::Install { print, .. } => install(&place, flags, settings, *print, console),
        ServiceOrder::Uninstall { .. } => uninstall(&place, console),
        ServiceOrder::Status { .. } => status(&place, flags, settings, console).await,
    }
}

/// Where the unit of this user goes.
struct Place {
    scope: Scope,
    user: String,
    folder: PathBuf,
    /// File name.
    name: String,
}

impl Place {
    fn of(scope: Scope) -> Result<Self, Failure> {
        let user = user()?;
        let (folder, name) = match scope {
            Scope::System => (PathBuf::from(SYSTEM_UNITS), format!("potluck@{user}.service")),
            Scope::User => (user_units()?, "potluck.service".to_owned()),
        };
        Ok(Self { scope, user, folder, name })
    }

    fn file(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// The unit that a package has put here for every user; one that is written goes before it.
    fn packaged(&self) -> Option<PathBuf> {
        let files = PACKAGED_UNITS.iter().map(|folder| Path::new(folder).join(&self.name));
        files.filter(|_| self.scope == Scope::User).find(|file| file.exists())
    }

    /// Made by `systemctl enable`, and removed with the unit.
    fn wanted_by(&self) -> PathBuf {
        self.folder.join(format!("{}.wants", self.scope.target())).join(&self.name)
    }

    /// What writes the unit, as the user types it.
    fn install(&self) -> &'static str {
        match self.scope {
            Scope::User => "potluck service install",
            Scope::System => "potluck service install --system",
        }
    }

    fn systemctl(&self) -> &'static str {
        match self.scope {
            Scope::User => "systemctl --user",
            Scope::System => "sudo systemctl",
        }
    }
}

fn install(
    place: &Place,
    flags: &[String],
    settings: &Settings,
    print: bool,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let text = text(place, flags, settings)?;
    if place.scope == Scope::System && place.user == "root" && env::var_os("SUDO_USER").is_some() {
        let message = "under sudo this would be root's potluck; run it as the user whose games they are, with --print, and \
                       give the text to sudo tee";
        return Err(Failure::new(Exit::Refused, message));
    }
    make_folders(settings)?;
    if print {
        console.text(&text)?;
        return Ok(Exit::Done);
    }
    let file = place.file();
    let written = fs::create_dir_all(&place.folder).and_then(|()| fs::write(&file, &text));
    written.map_err(|error| {
        if error.kind() != io::ErrorKind::PermissionDenied {
            return failed("write", &file, &error);
        }
        let (name, file, install) = (&place.name, file.display(), place.install());
        let message = format!(
            "only the administrator may write {file}: {install} --print | sudo tee {file} >/dev/null && sudo \
             systemctl daemon-reload && sudo systemctl enable --now {name}"
        );
        Failure::new(Exit::Refused, message)
    })?;
    let (systemctl, name) = (place.systemctl(), &place.name);
    let mut next = vec![format!("{systemctl} daemon-reload"), format!("{systemctl} enable --now {name}")];
    if place.scope == Scope::User && !lingers(&place.user) {
        next.push(format!("sudo loginctl enable-linger {}", place.user));
    }
    if console.json {
        console.document(&json!({ "unit": file, "next": next }))?;
        return Ok(Exit::Done);
    }
    console.say(&format!(
        "{} is written. It starts potluck now and at every start of the machine after:",
        file.display()
    ))?;
    for line in next {
        let hint = if line.contains("linger") { "    # also while nobody is logged in" } else { "" };
        console.say(&format!("  {line}{hint}"))?;
    }
    Ok(Exit::Done)
}

/// Inside of the unit nothing above these can be written, so that they could not be made there, and one that is missing
/// keeps the unit from starting. A library that was named may be a disk that is not plugged in, and is not made.
fn make_folders(settings: &Settings) -> Result<(), Failure> {
    let default = (*settings.origin("library") == Origin::Default).then(|| settings.library());
    let own = [&settings.places.state, &settings.places.config, &settings.places.log];
    for folder in default.into_iter().chain(own.into_iter().map(PathBuf::as_path)) {
        fs::create_dir_all(folder).map_err(|error| failed("make the folder", folder, &error))?;
    }
    Ok(())
}

fn uninstall(place: &Place, console: &mut Console) -> Result<Exit, Failure> {
    let file = place.file();
    match fs::remove_file(&file) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Failure::new(
                Exit::NotFound,
                format!("no service is installed ({} does not exist)", file.display()),
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let (name, file) = (&place.name, file.display());
            let message = format!(
                "only the administrator may remove {file}: sudo systemctl disable --now {name} && sudo rm {file} && sudo \
                 systemctl daemon-reload"
            );
            return Err(Failure::new(Exit::Refused, message));
        }
        Err(error) => return Err(failed("remove", &file, &error)),
    }
    // Where it was never enabled there is none.
    let _ = fs::remove_file(place.wanted_by());
    let (systemctl, name) = (place.systemctl(), &place.name);
    let next = [format!("{systemctl} stop {name}"), format!("{systemctl} daemon-reload")];
    if console.json {
        console.document(&json!({ "unit": file, "next": next }))?;
    } else {
        console
            .say(&format!("{} is removed; games, key and settings stay. One that runs is ended by:", file.display()))?;
        for line in next {
            console.say(&format!("  {line}"))?;
        }
    }
    Ok(Exit::Done)
}

/// What is there of a service.
struct Found {
    /// Its unit, or where one would be.
    file: PathBuf,
    is_installed: bool,
    is_enabled: bool,
    /// Whether it is what would be written now.
    is_current: bool,
    /// The process of the potluck that runs here, as this service or not.
    running: Option<u32>,
    is_under_unit: bool,
    is_lingering: bool,
}

async fn status(place: &Place, flags: &[String], settings: &Settings, console: &mut Console) -> Result<Exit, Failure> {
    let written = match fs::read_to_string(place.file()) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed("read", &place.file(), &error)),
    };
    let packaged = if written.is_none() { place.packaged() } else { None };
    let running = match client::snapshot(&settings.places.socket).await {
        Ok(snapshot) => Some(snapshot.me.pid),
        Err(error) if error.is_nobody() => None,
        Err(error) => return Err(error.into()),
    };
    let found = Found {
        is_installed: written.is_some() || packaged.is_some(),
        is_enabled: place.wanted_by().symlink_metadata().is_ok(),
        is_current: written.map_or(Ok(true), |written| text(place, flags, settings).map(|text| text == written))?,
        is_under_unit: running.is_some_and(|pid| runs_under(pid, &place.name)),
        is_lingering: place.scope == Scope::System || lingers(&place.user),
        file: packaged.unwrap_or_else(|| place.file()),
        running,
    };
    if console.json {
        let Found { file, is_installed, is_enabled, is_current, running, is_under_unit, is_lingering } = &found;
        let document = json!({
            "unit": file, "installed": is_installed, "enabled": is_enabled, "current": is_current,
            "running": running, "under_unit": is_under_unit, "lingering": is_lingering,
        });
        console.document(&document)?;
    } else {
        for line in told(place, &found) {
            console.say(&line)?;
        }
    }
    Ok(if found.is_installed { Exit::Done } else { Exit::NotFound })
}

fn told(place: &Place, found: &Found) -> Vec<String> {
    let (file, systemctl, name, install) = (found.file.display(), place.systemctl(), &place.name, place.install());
    let mut lines = vec![match (found.is_installed, found.is_enabled) {
        (false, _) => format!("No service is installed; `{install}` does it."),
        (true, true) => format!("{file} is installed and starts with the machine."),
        (true, false) => format!("{file} is installed, but not enabled: {systemctl} enable --now {name}"),
    }];
    if !found.is_current {
        lines.push(format!("It is not what the settings of now would make; `{install}` writes it anew."));
    }
    if found.is_installed && !found.is_lingering {
        lines.push(format!("It ends when {0} logs out: sudo loginctl enable-linger {0}", place.user));
    }
    lines.push(match (found.running, found.is_under_unit) {
        (None, _) => format!("It does not run: {NOBODY}."),
        (Some(pid), true) => format!("It runs as process {pid}."),
        (Some(pid), false) => format!("potluck runs as process {pid}, but not as this service."),
    });
    lines
}

fn text(place: &Place, flags: &[String], settings: &Settings) -> Result<String, Failure> {
    let program = env::current_exe().map_err(|error| failed("find the program", Path::new("itself"), &error))?;
    let libraries: Vec<PathBuf> = settings.libraries.iter().map(|library| library.path.clone()).collect();
    let mut writable: Vec<PathBuf> = Vec::new();
    for folder in [&settings.places.state, &settings.places.config, &settings.places.log] {
        if !writable.iter().any(|above| folder.starts_with(above)) {
            writable.push(folder.clone());
        }
    }
    let unit = Unit {
        scope: place.scope,
        user: &place.user,
        program: &program,
        flags,
        libraries: &libraries,
        writable: &writable,
    };
    unit.text().map_err(|error| Failure::new(Exit::Refused, error.to_string()))
}

/// The kernel knows by which unit a process was started.
fn runs_under(pid: u32, unit: &str) -> bool {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    groups.lines().any(|line| line.split('/').any(|part| part == unit))
}

fn lingers(user: &str) -> bool {
    Path::new(LINGERING).join(user).exists()
}

fn user_units() -> Result<PathBuf, Failure> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
    let config =
        config.ok_or_else(|| Failure::usage("there is no home folder (HOME); a service of the user needs one"))?;
    Ok(config.join("systemd/user"))
}

/// The name of the user, for a file name and systemd; letters that are nothing else to either.
fn user() -> Result<String, Failure> {
    let named = ["USER", "LOGNAME"].into_iter().find_map(|name| env::var(name).ok().filter(|user| !user.is_empty()));
    let user = named.unwrap_or_else(|| match rustix::process::getuid().as_raw() {
        0 => "root".to_owned(),
        number => number.to_string(),
    });
    let is_plain =
        user.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) && !user.starts_with(['.', '-']);
    if is_plain { Ok(user) } else { Err(Failure::usage(format!("systemd takes no user called `{user}`"))) }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("cannot {what} {}: {error}", path.display()))
}
