//! Tells the service manager that started this process how it is (`sd_notify`): a datagram to the
//! socket it named, no answer. Where none is named nothing is told.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    os::unix::{ffi::OsStrExt as _, net::UnixDatagram},
};

/// The variable by which systemd names its socket.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// The service manager, if there is one that listens.
#[derive(Debug, Default)]
pub struct Readiness {
    socket: Option<UnixDatagram>,
}

impl Readiness {
    /// As the environment names it.
    #[must_use]
    pub fn from_environment() -> Self {
        let Some(name) = env::var_os(VARIABLE).filter(|name| !name.is_empty()) else { return Self::default() };
        match connect(&name) {
            Ok(socket) => Self { socket: Some(socket) },
            Err(error) => {
                tracing::warn!(%error, "the service manager cannot be told of anything");
                Self::default()
            }
        }
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
        let readiness = Readiness { socket: Some(connect(&name.into()).unwrap()) };
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
    fn nobody_who_listens_is_no_trouble() {
        Readiness::default().tell("READY=1");
        assert!(connect(&"/no/such/socket".into()).is_err());
    }
}
