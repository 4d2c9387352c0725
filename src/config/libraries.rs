//! The setting `library`: one folder, or several with what is to stay free in each.

use std::path::PathBuf;

use super::{
    Origin,
    table::{Raw, Why, folder, quoted, text},
};
use crate::types::Size;

/// More disks than a machine has; a library's number fits one byte.
const LIBRARIES_MAX: usize = 16;

/// The keys of a `[[library]]` table.
pub(super) const KEYS: [&str; 2] = ["library.path", "library.min_free"];

/// A folder of game roots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryFolder {
    /// Where it is, absolute. May not exist yet.
    pub path: PathBuf,
    /// What is to stay free on its file system.
    pub min_free: Size,
}

impl LibraryFolder {
    /// One in which everything may be used.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, min_free: Size::default() }
    }
}

/// Reads one folder, a list of them, or `[[library]]` tables.
pub(super) fn read(raw: &Raw, origin: &Origin) -> Result<Vec<LibraryFolder>, Why> {
    let plain = |text: &str| folder(&Raw::Text(text.to_owned()), origin).map(LibraryFolder::new);
    let libraries = match raw {
        Raw::List(paths) => paths.iter().map(|path| plain(path)).collect::<Result<_, _>>()?,
        Raw::Tables(tables) => tables.iter().map(|table| of_table(table, origin)).collect::<Result<_, _>>()?,
        Raw::Text(_) | Raw::Bool(_) | Raw::Number(_) => vec![plain(text(raw)?)?],
    };
    check(&libraries)?;
    Ok(libraries)
}

fn of_table(table: &[(String, Raw)], origin: &Origin) -> Result<LibraryFolder, Why> {
    let part = |name: &str| table.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let path = part("path").ok_or_else(|| Why("each [[library]] needs a `path`, like \"~/Games\"".to_owned()))?;
    let min_free = match part("min_free") {
        Some(size) => text(size)?.parse().map_err(|error| Why(format!("of min_free: {error}")))?,
        None => Size::default(),
    };
    Ok(LibraryFolder { path: folder(path, origin)?, min_free })
}

/// Each folder has games of its own.
fn check(libraries: &[LibraryFolder]) -> Result<(), Why> {
    if libraries.is_empty() {
        return Err(Why("it names no folder; leave it out for ~/Games".to_owned()));
    }
    if libraries.len() > LIBRARIES_MAX {
        return Err(Why(format!("more than {LIBRARIES_MAX} libraries are too many")));
    }
    for (number, library) in libraries.iter().enumerate() {
        for other in &libraries[..number] {
            let (one, two) = (library.path.display(), other.path.display());
            if library.path == other.path {
                return Err(Why(format!("{one} is there twice")));
            }
            if library.path.starts_with(&other.path) || other.path.starts_with(&library.path) {
                return Err(Why(format!("{one} and {two} lie in one another; name folders that do not")));
            }
        }
    }
    Ok(())
}

/// As TOML, in the shortest form that says all of it.
pub(super) fn show(libraries: &[LibraryFolder]) -> String {
    let path = |library: &LibraryFolder| quoted(&library.path.to_string_lossy());
    let table = |library: &LibraryFolder| match library.min_free.as_bytes() {
        0 => format!("{{ path = {} }}", path(library)),
        _ => format!("{{ path = {}, min_free = \"{}\" }}", path(library), library.min_free),
    };
    match libraries {
        [only] if only.min_free.as_bytes() == 0 => path(only),
        several => format!("[{}]", several.iter().map(table).collect::<Vec<_>>().join(", ")),
    }
}
