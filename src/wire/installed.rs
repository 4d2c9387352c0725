//! What potluck writes into a `local/` it made: whose it is, of which build, and which files were unpacked. The
//! two are apart because every start asks the first of every game, and only an update the second.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::text;
use crate::types::{ContentId, clean};

/// The name of the first, in the folder it speaks of.
pub const OWNED_NAME: &str = ".potluck_owned";
/// The name of the second.
pub const FILES_NAME: &str = ".potluck_files";
/// The name of a file there that is made when the game was set up.
pub const SETUP_NAME: &str = ".potluck_setup";
/// Bytes of the first.
pub const OWNED_BYTES_MAX: usize = 1_024;
/// Bytes of the second: half a million files with names of a hundred bytes.
pub const FILES_BYTES_MAX: usize = 64 << 20;
const FORMAT: u32 = 1;

/// Says that potluck made a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owned {
    /// The build it was made from.
    pub content: ContentId,
}

/// The state in which a file was unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unpacked {
    /// Bytes.
    pub size: u64,
    /// Time of its last change, in nanoseconds since 1970.
    pub mtime_ns: i64,
}

/// The files and links that were unpacked, by their path below the folder.
pub type UnpackedFiles = BTreeMap<String, Unpacked>;

/// Why a record cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record of an installation cannot be understood: {detail}")]
pub struct InstalledError {
    /// What is wrong with it.
    pub detail: String,
}

#[derive(Serialize, Deserialize)]
struct RawOwned {
    v: u32,
    #[serde(with = "text")]
    content: ContentId,
}

#[derive(Serialize, Deserialize)]
struct RawFiles {
    v: u32,
    files: Vec<(String, u64, i64)>,
}

impl Owned {
    /// The file's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, InstalledError> {
        to_json(&RawOwned { v: FORMAT, content: self.content })
    }

    /// Reads at most [`OWNED_BYTES_MAX`].
    pub fn decode(bytes: &[u8]) -> Result<Self, InstalledError> {
        let raw: RawOwned = from_json(bytes, OWNED_BYTES_MAX)?;
        check_format(raw.v)?;
        Ok(Self { content: raw.content })
    }
}

/// The bytes of the list.
pub fn encode_files(files: &UnpackedFiles) -> Result<Vec<u8>, InstalledError> {
    let files = files.iter().map(|(path, file)| (path.clone(), file.size, file.mtime_ns)).collect();
    let bytes = to_json(&RawFiles { v: FORMAT, files })?;
    if bytes.len() > FILES_BYTES_MAX { Err(too_long(FILES_BYTES_MAX)) } else { Ok(bytes) }
}

/// Reads a list of at most [`FILES_BYTES_MAX`].
pub fn decode_files(bytes: &[u8]) -> Result<UnpackedFiles, InstalledError> {
    let raw: RawFiles = from_json(bytes, FILES_BYTES_MAX)?;
    check_format(raw.v)?;
    Ok(raw.files.into_iter().map(|(path, size, mtime_ns)| (path, Unpacked { size, mtime_ns })).collect())
}

fn to_json(raw: &impl Serialize) -> Result<Vec<u8>, InstalledError> {
    serde_json::to_vec(raw).map_err(|error| InstalledError { detail: error.to_string() })
}

fn from_json<'b, T: Deserialize<'b>>(bytes: &'b [u8], max: usize) -> Result<T, InstalledError> {
    if bytes.len() > max {
        return Err(too_long(max));
    }
    serde_json::from_slice(bytes).map_err(|error| InstalledError { detail: clean(&error.to_string(), 200) })
}

fn check_format(found: u32) -> Result<(), InstalledError> {
    if found == FORMAT {
        Ok(())
    } else {
        Err(InstalledError { detail: format!("format {found}, this potluck reads {FORMAT}") })
    }
}

fn too_long(max: usize) -> InstalledError {
    InstalledError { detail: format!("more than {max} bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_read_what_they_write() {
        let owned = Owned { content: ContentId::from_bytes([7; 32]) };
        assert_eq!(Owned::decode(&owned.encode().unwrap()), Ok(owned));
        let file = Unpacked { size: u64::MAX, mtime_ns: -1 };
        let files =
            UnpackedFiles::from([("a/b c".to_owned(), file), ("ü".to_owned(), Unpacked { size: 0, mtime_ns: 7 })]);
        assert_eq!(decode_files(&encode_files(&files).unwrap()), Ok(files));
        for bad in [&b""[..], b"{}", b"\0", br#"{"v":2,"content":"00","files":[]}"#, &[b' '; 2_000]] {
            assert!(Owned::decode(bad).is_err());
            assert!(decode_files(bad).is_err());
        }
    }
}
