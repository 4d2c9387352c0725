//! This machine's Ed25519 key: made on the first start, kept in one file that only its owner may
//! read, and handed to `quic` as a raw public key (RFC 7250). The key is the identity: there is no
//! certificate, nothing expires, and losing the file means being another peer.

use std::{
    fmt, fs,
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use rustls::{
    crypto::aws_lc_rs::sign::any_eddsa_type,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
    sign::CertifiedKey,
};

use crate::types::PeerId;

/// An Ed25519 key in PKCS#8 has less than 100 bytes: what is longer is another file.
const KEY_FILE_BYTES_MAX: u64 = 512;
/// The DER head of a SubjectPublicKeyInfo with an Ed25519 key; the 32 bytes of the key follow.
const SPKI_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why there is no usable key. Each names the file and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file is there but cannot be read.
    #[error("cannot read the key file {}: {source}. Make it readable for the user who runs potluck.", path.display())]
    Read {
        /// The key file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Others may read or change it.
    #[error(
        "the key file {} may be used by others (mode {mode:03o}). \
         If nobody else has read it, run `chmod 600` on it; otherwise delete it and start again as a new peer.",
        path.display()
    )]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It holds no Ed25519 key.
    #[error(
        "the key file {} holds no Ed25519 key. Restore it from a backup, or delete it and start again as a new peer.",
        path.display()
    )]
    Corrupt {
        /// The key file.
        path: PathBuf,
    },
    /// A new key could not be stored.
    #[error("cannot write the key file {}: {source}. Make its folder writable, or choose another with --home.", path.display())]
    Write {
        /// The key file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The cryptographic library made no key.
    #[error("cannot make a new key for {}: the system's random number generator failed", path.display())]
    Generate {
        /// The key file.
        path: PathBuf,
    },
}

/// A loaded key.
#[derive(Clone)]
pub struct Identity {
    peer_id: PeerId,
    key: Arc<CertifiedKey>,
}

impl Identity {
    /// The key in the file at `path`; a new one, stored there with mode 0600, when there is no such
    /// file. Missing folders above it are made with mode 0700.
    pub fn load_or_create(path: &Path) -> Result<Self, IdentityError> {
        match read_private(path) {
            Ok(pkcs8) => Self::from_pkcs8(&pkcs8).ok_or_else(|| IdentityError::Corrupt { path: path.to_owned() }),
            Err(IdentityError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Self::create(path),
            Err(error) => Err(error),
        }
    }

    /// A key that is stored nowhere: for demonstrations and tests.
    ///
    /// # Panics
    /// When the system has no random number generator.
    #[must_use]
    pub fn ephemeral() -> Self {
        let pkcs8 = generate().expect("the operating system has a random number generator");
        Self::from_pkcs8(&pkcs8).expect("a fresh key is valid")
    }

    /// The public half.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// What rustls shows and signs with: the raw public key in its 44 bytes of DER.
    pub(in crate::io) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
    }

    fn create(path: &Path) -> Result<Self, IdentityError> {
        let pkcs8 = generate().ok_or_else(|| IdentityError::Generate { path: path.to_owned() })?;
        let identity = Self::from_pkcs8(&pkcs8).ok_or_else(|| IdentityError::Generate { path: path.to_owned() })?;
        match write_private(path, &pkcs8) {
            Ok(()) => Ok(identity),
            Err(source) => Err(IdentityError::Write { path: path.to_owned(), source }),
        }
    }

    fn from_pkcs8(pkcs8: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
        let peer_id = PeerId::from_bytes(pair.public_key().as_ref().try_into().ok()?);
        let signing = any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8.to_vec())).ok()?;
        let key = CertifiedKey::new(vec![CertificateDer::from(spki_of(peer_id))], signing);
        Some(Self { peer_id, key: Arc::new(key) })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("peer_id", &self.peer_id).finish_non_exhaustive()
    }
}

/// The raw public key of `peer` as TLS carries it.
pub(in crate::io) fn spki_of(peer: PeerId) -> Vec<u8> {
    [&SPKI_HEAD[..], peer.as_bytes()].concat()
}

/// The peer whose raw public key `spki` is; `None` for every other kind of key.
pub(in crate::io) fn peer_of_spki(spki: &[u8]) -> Option<PeerId> {
    let key = spki.strip_prefix(&SPKI_HEAD)?;
    key.try_into().ok().map(PeerId::from_bytes)
}

fn generate() -> Option<Vec<u8>> {
    Some(Ed25519KeyPair::generate().ok()?.to_pkcs8v1().ok()?.as_ref().to_vec())
}

fn read_private(path: &Path) -> Result<Vec<u8>, IdentityError> {
    let failed = |source| IdentityError::Read { path: path.to_owned(), source };
    // Without O_NONBLOCK a pipe in the key's place would hang the start.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(IdentityError::Corrupt { path: path.to_owned() });
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(IdentityError::Exposed { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    file.take(KEY_FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Temp, fsync, rename, fsync of the folder: a crash leaves a whole key or none.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let temporary = path.with_extension("new");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/deeper/identity.key");
        let first = Identity::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(folder.path().join("state")).unwrap().mode() & 0o777, 0o700);
        assert_eq!(Identity::load_or_create(&path).unwrap().peer_id(), first.peer_id());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_leftover_of_a_crash_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("identity.new"), b"half").unwrap();
        assert!(Identity::load_or_create(&folder.path().join("identity.key")).is_ok());
    }

    #[test]
    fn the_raw_public_key_goes_through_der() {
        let identity = Identity::ephemeral();
        let der = identity.certified_key().cert[0].to_vec();
        assert_eq!(der.len(), 44);
        assert_eq!(peer_of_spki(&der), Some(identity.peer_id()));
        assert_eq!(rustls::sign::SigningKey::public_key(&*identity.certified_key().key).unwrap().as_ref(), der);
        assert_eq!(peer_of_spki(&der[..43]), None);
        assert_eq!(peer_of_spki(&[0; 44]), None);
    }

    fn check(break_it: impl Fn(&Path), expect: fn(&IdentityError) -> bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.key");
        Identity::load_or_create(&path).unwrap();
        break_it(&path);
        let error = Identity::load_or_create(&path).expect_err("broken");
        assert!(expect(&error), "{error:?}");
        assert!(error.to_string().contains("identity.key"), "{error}");
    }

    #[test]
    fn a_bad_key_file_says_why() {
        let mode = |mode| move |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        check(mode(0o644), |error| matches!(error, IdentityError::Exposed { mode: 0o644, .. }));
        check(mode(0o660), |error| matches!(error, IdentityError::Exposed { .. }));
        let content = |bytes: &'static [u8]| move |path: &Path| fs::write(path, bytes).unwrap();
        check(content(b""), |error| matches!(error, IdentityError::Corrupt { .. }));
        check(content(&[7; 9000]), |error| matches!(error, IdentityError::Corrupt { .. }));
        let folder = |path: &Path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        };
        check(folder, |error| matches!(error, IdentityError::Corrupt { .. }));
    }

    #[test]
    fn an_unwritable_place_says_so() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), b"").unwrap();
        let error = Identity::load_or_create(&folder.path().join("file/identity.key")).expect_err("a file above");
        assert!(error.to_string().contains("file/identity.key"), "{error}");
    }
}
