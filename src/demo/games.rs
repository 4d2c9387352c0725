//! The demo's games: made-up payloads under the names of free games, the same bytes at every seat
//! that has one, so that the seats recognise each other's builds. All but a few bytes of each chunk
//! are holes, so that they are made in an instant and take next to no disk.

use std::{fs, io, os::unix::fs::FileExt as _, path::Path};

const NAMES: [&str; 12] = [
    "nas-01", "seat-04", "seat-09", "seat-17", "seat-22", "alice", "bob", "tv-1", "seat-31", "seat-40", "seat-63",
    "attic",
];
const MIB: u64 = 1 << 20;

/// Id, version, MiB of its large file, small files, and which seats have it as a bit mask (bit 0 is
/// the guest on the screen, bit 1 the first seat). One is so large that a cell of its map is several
/// chunks; its name is late in the order, so that the others are hashed before it.
const GAMES: [(&str, &str, u64, u32, u16); 12] = [
    ("0ad", "0.27.1", 34, 40, 0b0000_0000_0010),
    ("Armagetron", "0.2.9", 2, 60, 0b1111_1111_1111),
    ("AssaultCube", "1.3.0.2", 12, 30, 0b0101_0101_0110),
    ("BZFlag", "2.4.26", 7, 24, 0b0000_0000_1010),
    ("Hedgewars", "1.0.2", 18, 80, 0b0011_0011_0110),
    ("Luanti", "5.13.0", 6, 200, 0b0000_1111_0010),
    ("OpenRA", "20250330", 15, 50, 0b0110_0110_0100),
    ("OpenTTD", "15.0", 9, 40, 0b1111_1111_0011),
    ("SuperTuxKart", "1.5", 48, 120, 0b0001_0001_0110),
    ("Teeworlds", "0.7.5", 3, 20, 0b1111_1111_1111),
    ("Veloren", "0.17.0", 3_072, 60, 0b0000_0000_0110),
    ("Xonotic", "0.8.6", 64, 90, 0b0000_0111_1110),
];

/// The name of the n-th guest, from 1; 0 is the one on the screen.
pub(super) fn seat_name(seat: u8) -> String {
    let name = seat.checked_sub(1).map_or("you", |guest| NAMES[usize::from(guest) % NAMES.len()]);
    name.to_owned()
}

/// Fills the library of a seat of a party of `peers` beside the guest on the screen. A game that none of
/// them would have goes to the first.
pub(super) fn make(library: &Path, seat: u8, peers: u8) -> io::Result<()> {
    fs::create_dir_all(library)?;
    for (number, (id, version, mib, small, mask)) in GAMES.into_iter().enumerate() {
        let mask = if mask >> 1 & ((1 << peers) - 1) == 0 { mask | 0b10 } else { mask };
        if mask >> seat & 1 == 1 {
            write_game(&library.join(id), version, mib, small, number as u64)?;
        }
    }
    Ok(())
}

fn write_game(root: &Path, version: &str, mib: u64, small: u32, seed: u64) -> io::Result<()> {
    fs::create_dir_all(root.join("data/maps"))?;
    let mut noise = Noise(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    noise.write(&root.join("data/assets.pak"), mib * MIB + 4_097)?;
    for file in 0..small {
        noise.write(&root.join(format!("data/maps/map{file:03}.bsp")), 2_000 + u64::from(file) * 977 % 60_000)?;
    }
    fs::write(root.join("version.ini"), format!("{version}\n"))
}

/// Numbers that come out the same everywhere (xorshift64).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A file of which no two chunks are equal: each begins with a number, and the rest is a hole.
    fn write(&mut self, path: &Path, bytes: u64) -> io::Result<()> {
        let file = fs::File::create(path)?;
        for at in (0..bytes).step_by(MIB as usize) {
            file.write_all_at(&self.next().to_le_bytes(), at)?;
        }
        file.set_len(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_game_is_somewhere_and_equal_everywhere() {
        let folder = tempfile::tempdir().unwrap();
        write_game(&folder.path().join("a"), "1", 1, 3, 7).unwrap();
        write_game(&folder.path().join("b"), "1", 1, 3, 7).unwrap();
        let read = |game: &str| fs::read(folder.path().join(game).join("data/assets.pak")).unwrap();
        assert_eq!(read("a").len() as u64, MIB + 4_097);
        assert_eq!(read("a"), read("b"));
        assert_ne!(read("a")[..64], read("a")[MIB as usize..][..64], "two chunks are equal");
        for peers in 1..=4 {
            for (id, .., mask) in GAMES {
                let mask = if mask >> 1 & ((1 << peers) - 1) == 0 { mask | 0b10 } else { mask };
                assert!(mask >> 1 & ((1u16 << peers) - 1) != 0, "{id} with {peers}");
            }
        }
    }
}
