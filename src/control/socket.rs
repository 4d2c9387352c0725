//! Where the control socket lies and who may use it: a folder of ours with mode 0700, a socket with
//! mode 0600, and the kernel's word on the user at the other end, asked from both ends. Knows
//! nothing of what is said over it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::{
            fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
            net::{UnixListener as StdListener, UnixStream as StdStream},
        },
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, Mode, OFlags},
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};
use tokio::net::{UnixListener, UnixStream};

/// What fits into `sun_path` with the byte that ends it.
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// Connections the kernel keeps until we accept them.
const BACKLOG: i32 = 64;

/// A listening control socket; the file goes away when this is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// The socket file's inode, so that only our own is deleted.
    inode: u64,
    /// Says that a live process owns the socket; released by the kernel when that dies.
    _lock: File,
}

/// Who is at the other end, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// The user who runs potluck.
    Ours,
    /// Somebody else.
    Foreign,
    /// The kernel does not say.
    Unknown,
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another runtime answers there.
    #[error("another potluck already listens on {path}")]
    Held {
        /// The socket.
        path: PathBuf,
    },
    /// Nobody answers there.
    #[error("no potluck is running here (nobody listens on {path})")]
    NobodyThere {
        /// The socket.
        path: PathBuf,
    },
    /// The folder belongs to somebody else.
    #[error("{folder} belongs to another user; say --home DIR with a folder of your own")]
    ForeignFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// Anybody could replace the socket.
    #[error("everybody may write to {folder}; say --home DIR with a folder of your own, or `chmod o-w` it")]
    OpenFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// Something that is no socket lies there.
    #[error("{path} is no socket; move it away")]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// The other end is another user's.
    #[error("the process at {path} belongs to another user (uid {uid})")]
    ForeignPeer {
        /// The socket.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// Anything the system refuses.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl ControlSocket {
    /// Makes the folder and the socket. What a runtime that died left there is removed, but only
    /// under the lock and after nobody answered. Must be called on a tokio runtime.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        own_folder(folder)?;
        let lock = lock(path)?;
        clear_the_way(path)?;
        let short = ShortPath::of(path)?;
        let listener = listen(&short).map_err(failed("listen on", path))?;
        let inode = fs::symlink_metadata(path).map_err(failed("look at", path))?.ino();
        Ok(Self { listener, path: path.to_owned(), inode, _lock: lock })
    }

    /// The next connection, and whether it is this very user's.
    pub async fn accept(&self) -> Result<(UnixStream, Caller), SocketError> {
        let (stream, _) = self.listener.accept().await.map_err(failed("accept on", &self.path))?;
        let caller = match check_peer(&stream, &self.path) {
            Ok(()) => Caller::Ours,
            Err(error) => {
                tracing::warn!("refused a connection to the control socket: {error}");
                if matches!(error, SocketError::ForeignPeer { .. }) { Caller::Foreign } else { Caller::Unknown }
            }
        };
        Ok((stream, caller))
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!("could not remove {}: {error}", self.path.display());
        }
    }
}

/// Connects to the runtime that listens on `path`, if it is ours.
pub async fn connect(path: &Path) -> Result<UnixStream, SocketError> {
    let short = match ShortPath::of(path) {
        Err(SocketError::Io { source, .. }) if is_nobody(&source) => {
            return Err(SocketError::NobodyThere { path: path.to_owned() });
        }
        other => other?,
    };
    let stream = UnixStream::connect(&short.path).await.map_err(|source| {
        if is_nobody(&source) {
            SocketError::NobodyThere { path: path.to_owned() }
        } else {
            SocketError::Io { action: "connect to", path: path.to_owned(), source }
        }
    })?;
    check_peer(&stream, path)?;
    Ok(stream)
}

/// A folder nobody else can put anything into: made with mode 0700, or ours and tightened to that.
fn own_folder(folder: &Path) -> Result<(), SocketError> {
    if let Some(above) = folder.parent() {
        fs::create_dir_all(above).map_err(failed("make the folder", above))?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            return Err(SocketError::Io { action: "make the folder", path: folder.to_owned(), source });
        }
        Ok(()) | Err(_) => {}
    }
    let metadata = fs::metadata(folder).map_err(failed("look at", folder))?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(SocketError::ForeignFolder { folder: folder.to_owned() });
    }
    let mode = metadata.mode() & 0o7777;
    // Tightening a folder like /tmp would break the machine for everybody else.
    if mode & 0o002 != 0 {
        return Err(SocketError::OpenFolder { folder: folder.to_owned() });
    }
    if mode & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(failed("protect", folder))?;
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, SocketError> {
    let lock_path = path.with_extension("lock");
    let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock_path);
    let file = opened.map_err(failed("open", &lock_path))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(SocketError::Held { path: path.to_owned() }),
        Err(errno) => Err(SocketError::Io { action: "lock", path: lock_path, source: errno.into() }),
    }
}

/// Removes a socket nobody answers on.
fn clear_the_way(path: &Path) -> Result<(), SocketError> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(failed("look at", path))?,
    };
    if !metadata.file_type().is_socket() {
        return Err(SocketError::NoSocket { path: path.to_owned() });
    }
    let short = ShortPath::of(path)?;
    match StdStream::connect(&short.path) {
        Ok(_) => Err(SocketError::Held { path: path.to_owned() }),
        Err(error) if is_nobody(&error) => fs::remove_file(path).map_err(failed("remove the old", path)),
        Err(source) => Err(SocketError::Io { action: "try", path: path.to_owned(), source }),
    }
}

/// Mode 0600 from the first moment: on Linux the mode of the unbound socket, less the umask, is
/// that of its file.
fn listen(short: &ShortPath) -> io::Result<UnixListener> {
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(&short.path)?)?;
    fs::set_permissions(&short.path, fs::Permissions::from_mode(0o600))?;
    rustix::net::listen(&socket, BACKLOG)?;
    let listener = StdListener::from(socket);
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

fn check_peer(stream: &UnixStream, path: &Path) -> Result<(), SocketError> {
    let uid = stream.peer_cred().map_err(failed("ask who is at", path))?.uid();
    if uid == rustix::process::geteuid().as_raw() {
        Ok(())
    } else {
        Err(SocketError::ForeignPeer { path: path.to_owned(), uid })
    }
}

/// A path to a socket that fits into a socket address: the path itself, or its name below the
/// descriptor of its folder, which stays open with this.
struct ShortPath {
    path: PathBuf,
    _folder: Option<OwnedFd>,
}

impl ShortPath {
    fn of(path: &Path) -> Result<Self, SocketError> {
        if path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
            return Ok(Self { path: path.to_owned(), _folder: None });
        }
        let folder = path.parent().unwrap_or(Path::new("/"));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(folder, flags, Mode::empty());
        let descriptor = opened.map_err(|errno| failed("open", folder)(errno.into()))?;
        let name = path.file_name().unwrap_or_default();
        let short = Path::new("/proc/self/fd").join(descriptor.as_raw_fd().to_string()).join(name);
        Ok(Self { path: short, _folder: Some(descriptor) })
    }
}

fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SocketError {
    let path = path.to_owned();
    move |source| SocketError::Io { action, path, source }
}
