//! The manifest file: compact JSON with fixed key order, so that equal folders give equal bytes
//! and equal bytes one ContentId. Bytes that are not exactly what [`encode`] writes are refused:
//! one build has one name.

use std::io;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::text;
use crate::types::{
    ContentId, DirEntry, FileEntry, FileHash, GameId, LinkEntry, MANIFEST_ENTRIES_MAX, Manifest, ManifestError,
    PayloadPath, Sentinel, SentinelError, Version, clean,
};

/// Bytes of a manifest file.
pub const MANIFEST_BYTES_MAX: usize = 16 << 20;
/// The one version of the format.
const FORMAT: u32 = 1;

/// The manifest's bytes and the ContentId they hash to.
pub fn encode(manifest: &Manifest) -> Result<(Vec<u8>, ContentId), ManifestReadError> {
    let bytes = serde_json::to_vec(&RawManifest::of(manifest))
        .map_err(|error| ManifestReadError::Malformed { detail: error.to_string() })?;
    if bytes.len() > MANIFEST_BYTES_MAX {
        return Err(ManifestReadError::TooLong { max: MANIFEST_BYTES_MAX });
    }
    let id = content_id(&bytes);
    Ok((bytes, id))
}

/// The ContentId of a manifest's bytes.
#[must_use]
pub fn content_id(bytes: &[u8]) -> ContentId {
    ContentId::from_bytes(*blake3::hash(bytes).as_bytes())
}

/// A manifest from its bytes, which must hash to `expect`.
pub fn decode(bytes: &[u8], expect: ContentId) -> Result<Manifest, ManifestReadError> {
    if bytes.len() > MANIFEST_BYTES_MAX {
        return Err(ManifestReadError::TooLong { max: MANIFEST_BYTES_MAX });
    }
    if content_id(bytes) != expect {
        return Err(ManifestReadError::WrongHash { expect });
    }
    let raw: RawManifest = serde_json::from_slice(bytes)
        .map_err(|error| ManifestReadError::Malformed { detail: clean(&error.to_string(), 200) })?;
    if raw.v != FORMAT {
        return Err(ManifestReadError::Format { found: raw.v });
    }
    let sentinel = Sentinel::from_bytes(raw.sentinel.as_bytes())?;
    if *sentinel.version() != raw.version {
        return Err(ManifestReadError::VersionDiffers);
    }
    let files =
        raw.files.into_iter().map(|file| FileEntry { path: file.p, size: file.s, hash: file.h, executable: file.x });
    let mut dirs = Vec::with_capacity(raw.dirs.len());
    for dir in raw.dirs {
        let path = PayloadPath::new(&dir)
            .map_err(|error| ManifestReadError::Malformed { detail: format!("dirs: {error}") })?;
        dirs.push(DirEntry { path });
    }
    let links = raw.links.into_iter().map(|link| LinkEntry { path: link.p, target: link.to });
    let manifest = Manifest::new(raw.game, sentinel, files.collect(), dirs, links.collect())?;
    // Written against the bytes, not beside them: a large manifest is in memory often enough.
    let mut same = Same(bytes);
    let written = serde_json::to_writer(&mut same, &RawManifest::of(&manifest));
    if written.is_err() || !same.0.is_empty() {
        return Err(ManifestReadError::NotCanonical);
    }
    Ok(manifest)
}

/// Takes only the bytes it was made from, and has those that did not come yet.
struct Same<'b>(&'b [u8]);

impl io::Write for Same<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManifest {
    v: u32,
    #[serde(with = "text")]
    game: GameId,
    #[serde(with = "text")]
    version: Version,
    sentinel: String,
    #[serde(deserialize_with = "entries")]
    files: Vec<RawFile>,
    #[serde(deserialize_with = "entries")]
    dirs: Vec<String>,
    #[serde(deserialize_with = "entries")]
    links: Vec<RawLink>,
}

impl RawManifest {
    fn of(manifest: &Manifest) -> Self {
        let file = |file: &FileEntry| RawFile { p: file.path.clone(), s: file.size, h: file.hash, x: file.executable };
        let link = |link: &LinkEntry| RawLink { p: link.path.clone(), to: link.target.clone() };
        Self {
            v: FORMAT,
            game: manifest.game().clone(),
            version: manifest.version().clone(),
            sentinel: manifest.sentinel().as_str().to_owned(),
            files: manifest.files().iter().map(file).collect(),
            dirs: manifest.dirs().iter().map(|dir| dir.path.as_str().to_owned()).collect(),
            links: manifest.links().iter().map(link).collect(),
        }
    }
}

/// A list that stops being read when it has more entries than any manifest: 16 MiB of `"",` would
/// become hundreds.
fn entries<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct Entries<T>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Entries<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "at most {MANIFEST_ENTRIES_MAX} entries")
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = list.next_element()? {
                if entries.len() == MANIFEST_ENTRIES_MAX {
                    return Err(de::Error::invalid_length(entries.len() + 1, &self));
                }
                entries.push(entry);
            }
            Ok(entries)
        }
    }
    deserializer.deserialize_seq(Entries(std::marker::PhantomData))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(with = "text")]
    p: PayloadPath,
    s: u64,
    #[serde(with = "text")]
    h: FileHash,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    x: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLink {
    #[serde(with = "text")]
    p: PayloadPath,
    to: String,
}

/// Why bytes are no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestReadError {
    /// Larger than a manifest may be.
    #[error("the manifest has more than {max} bytes")]
    TooLong {
        /// Bytes allowed.
        max: usize,
    },
    /// The bytes hash to something else.
    #[error("the manifest does not hash to {expect}")]
    WrongHash {
        /// The ContentId asked for.
        expect: ContentId,
    },
    /// Not JSON of this form, or a path that may not travel.
    #[error("the manifest is malformed: {detail}")]
    Malformed {
        /// What the parser found, cleaned.
        detail: String,
    },
    /// A format of a later version.
    #[error("the manifest has format {found}, this potluck reads format 1")]
    Format {
        /// Format found.
        found: u32,
    },
    /// `version` is not the sentinel's.
    #[error("the manifest's version is not its version.ini's")]
    VersionDiffers,
    /// Not the bytes this manifest encodes to.
    #[error("the manifest is not in canonical form")]
    NotCanonical,
    /// The sentinel is unusable.
    #[error(transparent)]
    Sentinel(#[from] SentinelError),
    /// The entries break a rule together.
    #[error(transparent)]
    Entries(#[from] ManifestError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Manifest {
        let file = |path: &str, size, executable| FileEntry {
            path: PayloadPath::new(path).unwrap(),
            size,
            hash: FileHash::from_bytes([size as u8; 32]),
            executable,
        };
        Manifest::new(
            GameId::new("xonotic").unwrap(),
            Sentinel::from_bytes(b"0.8.6\n").unwrap(),
            vec![file("data/a.pk3", 5, false), file("bin/run", 7, true)],
            vec![DirEntry { path: PayloadPath::new("saves").unwrap() }],
            vec![LinkEntry { path: PayloadPath::new("run").unwrap(), target: "bin/run".into() }],
        )
        .unwrap()
    }

    #[test]
    fn a_manifest_has_one_spelling() {
        let (bytes, id) = encode(&sample()).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"v":1,"game":"xonotic","version":"0.8.6","sentinel":"0.8.6\n","files":["#,
                r#"{"p":"bin/run","s":7,"h":"0707070707070707070707070707070707070707070707070707070707070707","x":true},"#,
                r#"{"p":"data/a.pk3","s":5,"h":"0505050505050505050505050505050505050505050505050505050505050505"}],"#,
                r#""dirs":["saves"],"links":[{"p":"run","to":"bin/run"}]}"#
            )
        );
        assert_eq!(decode(&bytes, id), Ok(sample()));
    }

    fn check_refused(from: &str, to: &str, expect: fn(&ManifestReadError) -> bool) {
        let text = String::from_utf8(encode(&sample()).unwrap().0).unwrap();
        assert!(text.contains(from), "{from} is in the sample");
        let bytes = text.replacen(from, to, 1).into_bytes();
        let error = decode(&bytes, content_id(&bytes)).unwrap_err();
        assert!(expect(&error), "{to}: {error:?}");
    }

    #[test]
    fn hostile_manifests_are_refused() {
        use ManifestReadError as E;
        check_refused("bin/run", "../run", |e| matches!(e, E::Malformed { .. }));
        check_refused("\"v\":1", "\"v\":2", |e| matches!(e, E::Format { found: 2 }));
        check_refused("\"v\":1,", "\"v\":1, ", |e| matches!(e, E::NotCanonical));
        check_refused("bin/run\"}]}", "bin/run\"}]}\n", |e| matches!(e, E::NotCanonical));
        check_refused("\"x\":true", "\"x\":false", |e| matches!(e, E::NotCanonical));
        check_refused("\"s\":7", "\"s\":18446744073709551615", |e| {
            matches!(e, E::Entries(ManifestError::TooLarge { .. }))
        });
        check_refused("\"s\":7", "\"s\":99999999999999999999999", |e| matches!(e, E::Malformed { .. }));
        check_refused("bin/run\"}", "../../etc/passwd\"}", |e| {
            matches!(e, E::Entries(ManifestError::LinkLeaves { .. }))
        });
        check_refused("\"version\":\"0.8.6\"", "\"version\":\"0.8.7\"", |e| matches!(e, E::VersionDiffers));
        check_refused("\"data/a.pk3\"", "\"BIN/RUN\"", |e| matches!(e, E::Entries(ManifestError::Collision { .. })));
        let (bytes, _) = encode(&sample()).unwrap();
        assert!(matches!(decode(&bytes, ContentId::from_bytes([0; 32])), Err(E::WrongHash { .. })));
    }

    #[test]
    fn a_flood_of_entries_is_not_kept() {
        let many = format!(r#""dirs":[{}"a"]"#, r#""a","#.repeat(3_000_000));
        check_refused(
            r#""dirs":["saves"]"#,
            &many,
            |e| matches!(e, ManifestReadError::Malformed { detail } if detail.contains("at most 150000 entries")),
        );
    }

    #[test]
    fn sorting_is_part_of_the_canonical_form() {
        let text = String::from_utf8(encode(&sample()).unwrap().0).unwrap();
        let start = text.find("[{").unwrap() + 1;
        let middle = text.find("},{").unwrap() + 1;
        let end = text.find("],").unwrap();
        let swapped = format!("{}{},{}{}", &text[..start], &text[middle + 1..end], &text[start..middle], &text[end..]);
        let bytes = swapped.into_bytes();
        assert_eq!(decode(&bytes, content_id(&bytes)), Err(ManifestReadError::NotCanonical));
    }
}
