//! Tells the service manager that started this process how it is (`sd_notify`): a datagram to the
//! socket it named, no answer. Where none is named nothing is told. Knows how often the manager wants to
//! hear that all is well; whether it is, others know.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    os::unix::{ffi::OsStrExt as _, net::UnixDatagram},
    path::Path,
    time::Duration,
};

/// The variable by which systemd names its socket.
const VARIABLE: &str = "NOTIFY_SOCKET";
/// How long it waits for a sign of life, in microseconds, and whose.
const PATIENCE_VARIABLES: [&str; 2] = ["WATCHDOG_USEC", "WATCHDOG_PID"];

/// The service manager, if there is one that listens.
#[derive(Debug, Default)]
pub struct Readiness {
    socket: Option<UnixDatagram>,
    patience: Option<Duration>,
}

impl Readiness {
    /// As the environment names it.
    #[must_use]
    pub fn from_environment() -> Self {
        let Some(name) = env::var_os(VARIABLE).filter(|name| !name.is_empty()) else { return Self::default() };
        let [patience, whose] = PATIENCE_VARIABLES.map(|name| env::var(name).ok()); // Unset: it does not watch.
        match connect(&name) {
            Ok(socket) => Self { socket: Some(socket), patience: patience_of(patience.as_deref(), whose.as_deref()) },
            Err(error) => {
                tracing::warn!(%error, "the service manager cannot be told of anything");
                Self::default()
            }
        }
    }

    /// How long the manager waits for `WATCHDOG=1` before it takes this process for hung.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        self.patience
    }

    /// Tells lines like `READY=1`. A manager that does not read loses them.
    pub fn tell(&self, lines: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(lines.as_bytes())
        {
            tracing::debug!(%error, "the service manager was not told");
        }
    }
}

/// Whether the manager of a user started this process, and not that of the machine: its socket lies in the user's
/// runtime folder.
#[must_use]
pub fn is_users_service() -> bool {
    let (socket, folder) = (env::var_os(VARIABLE), env::var_os("XDG_RUNTIME_DIR"));
    socket.zip(folder).is_some_and(|(socket, folder)| !folder.is_empty() && Path::new(&socket).starts_with(&folder))
}

/// What is meant for this very process only: others inherit the variables from it.
fn patience_of(microseconds: Option<&str>, whose: Option<&str>) -> Option<Duration> {
    let is_ours = whose.is_none_or(|pid| pid.parse() == Ok(std::process::id()));
    let microseconds = microseconds?.parse().ok().filter(|us| *us > 0 && is_ours)?; // Nothing we understand.
    Some(Duration::from_micros(microseconds))
}

/// A path, or behind `@` a name that is in no file system.
fn connect(name: &OsString) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // A manager that is busy must not hold up what it manages.
    socket.set_nonblocking(true)?;
    match name.as_bytes() {
        [b'@', rest @ ..] => connect_abstract(&socket, rest)?,
        path => socket.connect(OsStr::from_bytes(path))?,
    }
    Ok(socket)
}

#[cfg(target_os = "linux")]
fn connect_abstract(socket: &UnixDatagram, name: &[u8]) -> io::Result<()> {
    use std::os::{linux::net::SocketAddrExt as _, unix::net::SocketAddr};
    socket.connect_addr(&SocketAddr::from_abstract_name(name)?)
}

#[cfg(not(target_os = "linux"))]
fn connect_abstract(_socket: &UnixDatagram, _name: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listener: &UnixDatagram, name: &str) {
        let readiness = Readiness { socket: Some(connect(&name.into()).unwrap()), patience: None };
        readiness.tell("READY=1\nSTATUS=5 games");
        let mut bytes = [0; 100];
        let len = listener.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..len], b"READY=1\nSTATUS=5 games");
    }

    #[test]
    fn lines_arrive_by_path_and_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        check(&UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap());
        #[cfg(target_os = "linux")]
        {
            use std::os::{linux::net::SocketAddrExt as _, unix::net::SocketAddr};
            let name = format!("potluck-test-{}", std::process::id());
            let listener = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
            check(&listener, &format!("@{name}"));
        }
    }

    #[test]
    fn a_sign_of_life_is_wanted_of_the_process_that_is_named() {
        let (ours, other) = (std::process::id().to_string(), (std::process::id() + 1).to_string());
        let minute = Some(Duration::from_secs(60));
        assert_eq!(patience_of(Some("60000000"), Some(&ours)), minute);
        assert_eq!(patience_of(Some("60000000"), None), minute);
        assert_eq!(patience_of(Some("60000000"), Some(&other)), None);
        for odd in [None, Some(""), Some("0"), Some("soon"), Some("-1")] {
            assert_eq!(patience_of(odd, Some(&ours)), None, "{odd:?}");
        }
    }

    #[test]
    fn nobody_who_listens_is_no_trouble() {
        Readiness::default().tell("READY=1");
        assert!(connect(&"/no/such/socket".into()).is_err());
    }
}
