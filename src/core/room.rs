//! Which library a new game goes to: the first in the order of the settings that has room for it. Asked by the queue
//! for downloads and by the library for folders that are added; knows bytes, and no disk.

use crate::types::{LibraryNo, Space};

/// Left free in each library whatever is put there, so that a journal, an index or a log can still be written.
pub const SPACE_KEPT: u64 = 64 << 20;

/// Where a game goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// There is room for it here.
    Fits(LibraryNo),
    /// There is room nowhere; here it lacks least.
    Short {
        /// The library.
        library: LibraryNo,
        /// Bytes it lacks.
        short: u64,
    },
}

impl Choice {
    /// The library in any case.
    #[must_use]
    pub fn library(self) -> LibraryNo {
        match self {
            Self::Fits(library) | Self::Short { library, .. } => library,
        }
    }
}

/// The library for a game that will take `needs` bytes; `reserved` says what is promised to others in each. `None`
/// when no library can be written to.
#[must_use]
pub fn choose(spaces: &[Space], needs: u64, reserved: impl Fn(LibraryNo) -> u64) -> Option<Choice> {
    let lacks = |(number, space): (usize, &Space)| {
        let library = LibraryNo(number as u8);
        space.is_writable.then(|| (short(*space, needs, reserved(library)), library))
    };
    let all: Vec<(u64, LibraryNo)> = spaces.iter().enumerate().filter_map(lacks).collect();
    // Of equals the first.
    let (short, library) = all.iter().min_by_key(|(short, _)| *short).copied()?;
    Some(if short == 0 { Choice::Fits(library) } else { Choice::Short { library, short } })
}

/// Bytes that are lacking in a library to write `needs` more beside what is `reserved` there; 0 when it fits.
#[must_use]
pub fn short(space: Space, needs: u64, reserved: u64) -> u64 {
    needs.saturating_add(reserved).saturating_add(SPACE_KEPT).saturating_sub(space.usable())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    /// Each library as (free, to stay free, reserved) in GB; a negative reserve cannot be written to.
    fn check(libraries: &[(u64, u64, i64)], needs: u64, expect: Option<Choice>) {
        let space = |(free, min, reserved): &(u64, u64, i64)| Space {
            free: free * GB,
            min_free: min * GB,
            is_writable: *reserved >= 0,
        };
        let spaces: Vec<Space> = libraries.iter().map(space).collect();
        let reserved = |number: LibraryNo| libraries[usize::from(number.0)].2.unsigned_abs() * GB;
        assert_eq!(choose(&spaces, needs * GB, reserved), expect, "{libraries:?} {needs}");
    }

    #[test]
    fn a_game_goes_to_the_first_library_with_room() {
        let fits = |number| Some(Choice::Fits(LibraryNo(number)));
        let short = |number, short| Some(Choice::Short { library: LibraryNo(number), short: short * GB + SPACE_KEPT });
        check(&[(100, 0, 0), (500, 0, 0)], 50, fits(0));
        check(&[(100, 0, 0), (500, 0, 0)], 100, fits(1));
        check(&[(100, 60, 0), (500, 0, 0)], 50, fits(1));
        check(&[(100, 0, 60), (500, 0, 0)], 50, fits(1));
        check(&[(100, 0, -1), (500, 0, 0)], 50, fits(1));
        check(&[(100, 60, 0), (50, 0, 0)], 60, short(1, 10));
        check(&[(50, 0, 0), (50, 0, 0)], 60, short(0, 10));
        check(&[(10, 60, 0)], 60, short(0, 60));
        check(&[(100, 0, -1)], 1, None);
        check(&[], 1, None);
    }
}
