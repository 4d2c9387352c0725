//! The paths an extraction has used. No two members may go to one place, on whatever file system the
//! folder is, and none below something that is no folder: so no member is ever written through a link.

use std::collections::BTreeMap;

use crate::{
    types::{CollisionKey, MemberPath},
    wire::extraction::Why,
};

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    /// A folder, listed or implied by what is in it.
    Folder,
    /// A file.
    File,
    /// A symbolic link.
    Link,
}

/// The book of paths.
///
/// Invariant: every folder above a path that is in it is in it as a folder, in one spelling.
#[derive(Debug)]
pub(super) struct Names {
    max: u64,
    seen: BTreeMap<CollisionKey, (Box<str>, Is)>,
}

impl Names {
    /// Of at most `max` paths.
    pub(super) fn new(max: u64) -> Self {
        Self { max, seen: BTreeMap::new() }
    }

    /// Claims a path and the folders above it. A folder may be claimed again.
    pub(super) fn claim(&mut self, path: &MemberPath, is: Is) -> Result<(), Why> {
        let text = path.as_str();
        for (end, _) in text.match_indices('/') {
            self.put(&text[..end], Is::Folder)?;
        }
        self.put(text, is)
    }

    /// Whether a file has exactly this path.
    pub(super) fn is_file(&self, path: &MemberPath) -> bool {
        let found = self.seen.get(&CollisionKey::of(path.as_str()));
        found.is_some_and(|(spelling, is)| &**spelling == path.as_str() && *is == Is::File)
    }

    fn put(&mut self, text: &str, is: Is) -> Result<(), Why> {
        let key = CollisionKey::of(text);
        match self.seen.get(&key) {
            Some((spelling, Is::Folder)) if is == Is::Folder && &**spelling == text => Ok(()),
            Some((spelling, _)) => Err(Why::Twin { other: spelling.to_string() }),
            None if self.seen.len() as u64 >= self.max => Err(Why::Entries { max: self.max }),
            None => {
                self.seen.insert(key, (text.into(), is));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(claims: &[(&str, Is)], last_is_fine: bool) {
        let mut names = Names::new(8);
        for (number, (path, is)) in claims.iter().enumerate() {
            let claimed = names.claim(&MemberPath::new(path).unwrap(), *is);
            let expect_ok = number + 1 < claims.len() || last_is_fine;
            assert_eq!(claimed.is_ok(), expect_ok, "{path} in {claims:?}: {claimed:?}");
        }
    }

    #[test]
    fn no_two_members_share_a_place_on_any_file_system() {
        check(&[("a/b", Is::File), ("a/c", Is::File), ("a", Is::Folder), ("a", Is::Folder)], true);
        check(&[("a", Is::File), ("a", Is::File)], false);
        check(&[("a", Is::File), ("A", Is::File)], false);
        check(&[("é", Is::File), ("e\u{301}", Is::File)], false);
        check(&[("Maps/a", Is::File), ("maps/b", Is::File)], false);
        check(&[("a", Is::Link), ("a/b", Is::File)], false);
        check(&[("a/b", Is::File), ("a", Is::Link)], false);
        check(&[("a", Is::File), ("a", Is::Folder)], false);
    }

    #[test]
    fn folders_that_are_only_implied_count() {
        check(&[("a/b/c/d/e/f/g", Is::File), ("h", Is::File)], true);
        check(&[("a/b/c/d/e/f/g/h", Is::File), ("i", Is::File)], false);
    }

    #[test]
    fn only_a_file_of_that_spelling_is_one() {
        let mut names = Names::new(8);
        names.claim(&MemberPath::new("a/b").unwrap(), Is::File).unwrap();
        let is_file = |path: &str| names.is_file(&MemberPath::new(path).unwrap());
        assert!(is_file("a/b") && !is_file("a") && !is_file("A/b") && !is_file("c"));
    }
}
