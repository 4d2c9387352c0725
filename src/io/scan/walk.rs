//! Walks a game root into the entries a manifest would have.

use std::fmt;

use crate::{
    io::disk::{DiskError, GameRoot, Kind, Reason, Stamp},
    types::{MANIFEST_ENTRIES_MAX, PayloadPath, clean, is_reserved_root_name},
};

/// Reasons that are told; a tree full of devices need not be listed whole.
const REASONS_MAX: usize = 10;
/// The longest target the system would follow.
const TARGET_CHARS_MAX: usize = 1_024;

/// What a game root has: payload, and what keeps it from being shared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Payload files, sorted by path bytes.
    pub files: Vec<Found>,
    /// Empty folders, sorted by path bytes.
    pub dirs: Vec<PayloadPath>,
    /// Links, sorted by path bytes; whether they stay inside is the manifest's to check.
    pub links: Vec<FoundLink>,
    /// Why the game cannot be shared; the first few reasons.
    pub private: Vec<Private>,
    /// Bytes of all files.
    pub bytes: u64,
}

/// A payload file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it lies.
    pub path: PayloadPath,
    /// The state it is in.
    pub stamp: Stamp,
    /// Whether its owner may run it.
    pub executable: bool,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundLink {
    /// Where it lies.
    pub path: PayloadPath,
    /// The state it is in.
    pub stamp: Stamp,
    /// What it points to.
    pub target: String,
}

/// A reason why a game is not shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Private {
    /// The path, safe to print; empty when it is about the game as a whole.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Private {
    /// A reason that concerns the game as a whole.
    pub(super) fn of_game(reason: String) -> Self {
        Self { path: String::new(), reason }
    }
}

impl fmt::Display for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.reason) } else { write!(f, "`{}`: {}", self.path, self.reason) }
    }
}

/// Walks a root. At most as many entries as a manifest may have are looked at.
pub fn walk(root: &GameRoot) -> Result<Tree, DiskError> {
    let mut walk = Walk { root, tree: Tree::default(), entries: 0 };
    // Folders still to look at: the one added last comes first, so that what waits is never more than
    // one level's worth a folder of the path.
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        walk.folder(&folder, &mut folders)?;
        if walk.entries > MANIFEST_ENTRIES_MAX {
            walk.private("", format!("more than {MANIFEST_ENTRIES_MAX} files and folders"));
            break;
        }
    }
    let mut tree = walk.tree;
    tree.files.sort_by(|a, b| a.path.cmp(&b.path));
    tree.dirs.sort();
    tree.links.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(tree)
}

struct Walk<'r> {
    root: &'r GameRoot,
    tree: Tree,
    entries: usize,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &str, folders: &mut Vec<String>) -> Result<(), DiskError> {
        let entries = match self.root.list(folder, MANIFEST_ENTRIES_MAX + 1) {
            Ok(entries) => entries,
            // It went away since its parent was listed.
            Err(error) if !folder.is_empty() && super::is_gone(error.reason()) => return Ok(()),
            Err(error) if matches!(error.reason(), Reason::TooMany { .. }) => {
                self.entries = MANIFEST_ENTRIES_MAX + 1;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if entries.is_empty() && !folder.is_empty() {
            self.entries += 1;
            if let Some(path) = self.path(folder) {
                self.tree.dirs.push(path);
            }
        }
        for entry in entries {
            let Some(name) = entry.name.to_str() else {
                self.private(&join(folder, &entry.name.to_string_lossy()), "its name is not UTF-8".to_owned());
                continue;
            };
            if folder.is_empty() && is_reserved_root_name(name) {
                continue;
            }
            let text = join(folder, name);
            if entry.stat.kind == Kind::Folder {
                // A bad name shows once here, not once for each file below; that also bounds the depth.
                if self.path(&text).is_some() {
                    folders.push(text);
                }
                continue;
            }
            self.entries += 1;
            match entry.stat.kind {
                Kind::Folder => {}
                Kind::File => {
                    if let Some(path) = self.path(&text) {
                        self.tree.bytes = self.tree.bytes.saturating_add(entry.stat.stamp.size);
                        let (stamp, executable) = (entry.stat.stamp, entry.stat.executable);
                        self.tree.files.push(Found { path, stamp, executable });
                    }
                }
                Kind::Link => self.link(&text, entry.stat.stamp)?,
                Kind::Fifo => self.private(&text, "it is a named pipe".to_owned()),
                Kind::Socket => self.private(&text, "it is a socket".to_owned()),
                Kind::Device => self.private(&text, "it is a device".to_owned()),
                Kind::Unknown => self.private(&text, "it is neither a file, a folder nor a link".to_owned()),
            }
        }
        Ok(())
    }

    fn link(&mut self, text: &str, stamp: Stamp) -> Result<(), DiskError> {
        let Some(path) = self.path(text) else { return Ok(()) };
        let target = match self.root.read_link(text) {
            Ok(target) => target,
            Err(error) if error.is_missing() => return Ok(()),
            Err(error) => return Err(error),
        };
        match target.to_str() {
            Some(target) if target.len() <= TARGET_CHARS_MAX => {
                self.tree.links.push(FoundLink { path, stamp, target: target.to_owned() });
            }
            Some(_) => self.private(text, "its target is too long".to_owned()),
            None => self.private(text, "its target is not UTF-8".to_owned()),
        }
        Ok(())
    }

    fn path(&mut self, text: &str) -> Option<PayloadPath> {
        match PayloadPath::new(text) {
            Ok(path) => Some(path),
            Err(error) => {
                self.private(text, error.to_string());
                None
            }
        }
    }

    fn private(&mut self, path: &str, reason: String) {
        if self.tree.private.len() < REASONS_MAX {
            self.tree.private.push(Private { path: clean(path, 1_024), reason: clean(&reason, 400) });
        }
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
