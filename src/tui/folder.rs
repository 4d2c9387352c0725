//! What is in a folder, for completing a path that is typed. Driven by [`super::screen`].

use std::fs;

/// Names read of one folder: nobody chooses among more.
const NAMES_MAX: usize = 4_096;

/// The names in a folder in order, those of folders ending in a slash; none where it cannot be read. It is read on the
/// spot, as a shell does: what is typed next is about what this answers.
pub(super) fn names_in(folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let name = |entry: fs::DirEntry| {
        // A name that is no text cannot be typed either.
        let name = entry.file_name().into_string().ok()?;
        let is_folder = fs::metadata(entry.path()).is_ok_and(|about| about.is_dir());
        Some(if is_folder { format!("{name}/") } else { name })
    };
    let mut names: Vec<String> = entries.take(NAMES_MAX).flatten().filter_map(name).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_told_from_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        fs::write(folder.path().join("a.zip"), "").unwrap();
        assert_eq!(names_in(folder.path().to_str().unwrap()), ["a.zip", "b/"]);
        assert_eq!(names_in("/nowhere/at/all"), Vec::<String>::new());
    }
}
