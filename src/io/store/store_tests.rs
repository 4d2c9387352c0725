//! Downloads that are cut off, damaged and resumed, and roots that change under their reader.

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::io::Errno;

use super::*;
use crate::{
    io::{
        disk::{DiskOp, Fault, Faults, GameRoot},
        hash::Watcher,
        scan::{self, Memory, Scanned, walk},
    },
    types::{CHUNK_BYTES, ChunkNo, ChunkSet, FileNo, GameId, Sentinel},
};

const MIB: usize = CHUNK_BYTES as usize;

fn write(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// No chunk of it is equal to another.
fn bytes(seed: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

fn scan(path: &Path) -> Scanned {
    let root = GameRoot::open(path).unwrap();
    let tree = walk(&root).unwrap();
    let sentinel = Sentinel::from_bytes(b"1").unwrap();
    let watcher: &mut Watcher<'_> = &mut |_| ControlFlow::Continue(());
    scan::build(&root, &GameId::new("game").unwrap(), sentinel, &tree, &mut Memory::none(), watcher).unwrap()
}

/// A source with a build, and a root to bring it to.
struct Pair {
    dir: tempfile::TempDir,
    scanned: Scanned,
    files: OpenFiles,
}

impl Pair {
    fn new(files: &[(&str, Vec<u8>)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("root")).unwrap();
        for (path, bytes) in files {
            write(&dir.path().join("source"), path, bytes);
        }
        let scanned = scan(&dir.path().join("source"));
        Self { dir, scanned, files: OpenFiles::default() }
    }

    fn usual() -> Self {
        Self::new(&[("big", bytes(1, 3 * MIB + 9)), ("empty", Vec::new()), ("small", bytes(2, 77))])
    }

    fn root(&self) -> GameRoot {
        GameRoot::open(&self.dir.path().join("root")).unwrap()
    }

    fn source(&self) -> RootReader {
        let root = GameRoot::open(&self.dir.path().join("source")).unwrap();
        RootReader::new(root, &self.scanned.held, &self.files)
    }

    fn chunk(&self, chunk: u32) -> Vec<u8> {
        let mut buffer = vec![0; MIB];
        let len = self.source().read_chunk(ChunkNo(chunk), &mut buffer).unwrap();
        buffer.truncate(len);
        buffer
    }

    /// Opens the download; gives the bytes that had to be hashed for it too.
    fn open(&self, held: Option<&Held>) -> (Incoming, u64) {
        self.open_in(self.root(), held).unwrap()
    }

    fn open_in(&self, root: GameRoot, held: Option<&Held>) -> Result<(Incoming, u64), IncomingError> {
        let Held { content, manifest, .. } = &self.scanned.held;
        let mut hashed = 0;
        let watcher: &mut Watcher<'_> = &mut |bytes| {
            hashed += bytes;
            ControlFlow::Continue(())
        };
        let incoming =
            Incoming::open(root, *content, Arc::clone(manifest), &self.scanned.bytes, held, &self.files, watcher)?;
        Ok((incoming, hashed))
    }

    fn teach(&self, incoming: &Incoming) {
        let held = &self.scanned.held;
        for file in incoming.files_without_hashes() {
            incoming.set_hashes(file, &held.hashes.of_file(&held.manifest, file).unwrap()).unwrap().unwrap();
        }
    }

    fn kept(&self, name: &str) -> PathBuf {
        self.dir.path().join("root").join(incoming_folder(self.scanned.held.content)).join(name)
    }
}

fn numbers(set: &ChunkSet) -> Vec<u32> {
    set.iter().map(|chunk| chunk.0).collect()
}

#[test]
fn only_right_chunks_are_taken_and_they_are_served_at_once() {
    let pair = Pair::usual();
    let (incoming, _) = pair.open(None);
    let mut buffer = vec![0; MIB];
    assert!(matches!(incoming.write_chunk(ChunkNo(0), &pair.chunk(0)), Err(WriteError::NoHash { .. })));
    assert_eq!(incoming.files_without_hashes(), [FileNo(0)]);
    let wrong = vec![pair.scanned.held.hashes.get(ChunkNo(0)).unwrap(); 4];
    assert!(incoming.set_hashes(FileNo(0), &wrong).unwrap().is_err());
    pair.teach(&incoming);
    for bad in [pair.chunk(1), pair.chunk(0)[1..].to_vec(), Vec::new()] {
        assert!(matches!(incoming.write_chunk(ChunkNo(0), &bad), Err(WriteError::WrongHash { .. })));
    }
    assert!(matches!(incoming.write_chunk(ChunkNo(99), &[]), Err(WriteError::NoSuchChunk { .. })));
    assert!(matches!(incoming.read_chunk(ChunkNo(3), &mut buffer), Err(ReadError::NotHere { .. })));
    assert!(incoming.write_chunk(ChunkNo(3), &pair.chunk(3)).unwrap());
    assert!(!incoming.write_chunk(ChunkNo(3), &pair.chunk(3)).unwrap());
    assert_eq!(incoming.read_chunk(ChunkNo(3), &mut buffer).unwrap(), 9);
    assert_eq!(buffer[..9], pair.chunk(3)[..]);
    assert!(matches!(incoming.read_chunk(ChunkNo(2), &mut buffer), Err(ReadError::NotHere { .. })));
    assert!(incoming.write_chunk(ChunkNo(4), &pair.chunk(4)).unwrap());
    assert_eq!(numbers(&incoming.verified()), [3, 4]);
    assert_eq!(incoming.missing_bytes(), 3 * MIB as u64);
    assert!(incoming.verify_chunk(ChunkNo(3)).unwrap());
}

/// Writes three chunks, does something to what is on disk, and opens the download again: these
/// chunks are here, and so many bytes were hashed for it.
fn check_resume(spoil: impl FnOnce(&Pair), expect: &[u32], expect_hashed: usize) {
    let pair = Pair::usual();
    {
        let (incoming, _) = pair.open(None);
        pair.teach(&incoming);
        for chunk in [1, 3, 4] {
            incoming.write_chunk(ChunkNo(chunk), &pair.chunk(chunk)).unwrap();
        }
    }
    spoil(&pair);
    let (incoming, hashed) = pair.open(None);
    assert_eq!(numbers(&incoming.verified()), expect);
    assert_eq!(hashed as usize, expect_hashed);
    // Whatever happened, the download can be finished.
    pair.teach(&incoming);
    for chunk in 0..5 {
        incoming.write_chunk(ChunkNo(chunk), &pair.chunk(chunk)).unwrap();
    }
    incoming.prepare().unwrap();
    assert!(fs::read(pair.kept("data/big")).unwrap() == bytes(1, 3 * MIB + 9));
    assert!(fs::read(pair.kept("data/empty")).unwrap().is_empty());
}

#[test]
fn a_kill_loses_nothing_and_a_power_loss_only_what_is_wrong() {
    let power_loss = |pair: &Pair| fs::write(pair.kept("boot"), "another").unwrap();
    let tear = |pair: &Pair| {
        let mut data = fs::read(pair.kept("data/big")).unwrap();
        data[MIB + 5] ^= 1;
        fs::write(pair.kept("data/big"), data).unwrap();
    };
    check_resume(|_| {}, &[1, 3, 4], 0);
    check_resume(power_loss, &[1, 3, 4], MIB + 9 + 77);
    check_resume(
        |pair| {
            power_loss(pair);
            tear(pair);
        },
        &[3, 4],
        MIB + 9 + 77,
    );
    check_resume(
        |pair| {
            pair.open(None).0.sync().unwrap();
            power_loss(pair);
        },
        &[1, 3, 4],
        0,
    );
}

#[test]
fn damage_costs_time_only() {
    let all = 3 * MIB + 9 + 77;
    // A bitmap that is cut off, too long or has stray bits says nothing: all there is is hashed.
    check_resume(|pair| fs::write(pair.kept("have"), b"").unwrap(), &[1, 3, 4], all);
    check_resume(|pair| fs::write(pair.kept("have"), [0xff; 9]).unwrap(), &[1, 3, 4], all);
    check_resume(|pair| fs::write(pair.kept("have"), [0xff]).unwrap(), &[1, 3, 4], all);
    check_resume(|pair| fs::remove_file(pair.kept("have")).unwrap(), &[1, 3, 4], all);
    check_resume(|pair| fs::remove_file(pair.kept("data/big")).unwrap(), &[4], 0);
    check_resume(
        |pair| fs::File::options().write(true).open(pair.kept("data/big")).unwrap().set_len(2 * MIB as u64).unwrap(),
        &[1, 4],
        MIB,
    );
    check_resume(|pair| fs::write(pair.kept("manifest.json"), b"{").unwrap(), &[1, 3, 4], 0);
    check_resume(|pair| fs::write(pair.kept("hashes"), [7; 100]).unwrap(), &[1, 3, 4], 0);
    check_resume(
        |pair| {
            fs::remove_file(pair.kept("data/small")).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", pair.kept("data/small")).unwrap();
            fs::remove_file(pair.kept("data/small")).unwrap();
        },
        &[1, 3],
        0,
    );
}

#[test]
fn a_chunk_that_went_bad_is_no_longer_here() {
    let pair = Pair::usual();
    let (incoming, _) = pair.open(None);
    pair.teach(&incoming);
    incoming.write_chunk(ChunkNo(4), &pair.chunk(4)).unwrap();
    fs::write(pair.kept("data/small"), bytes(9, 77)).unwrap();
    assert!(!incoming.verify_chunk(ChunkNo(4)).unwrap());
    assert!(incoming.verified().is_empty());
    assert!(pair.open(None).0.verified().is_empty());
}

#[test]
fn an_update_uses_what_is_there() {
    let mut changed = bytes(1, 3 * MIB);
    changed[MIB] ^= 1;
    let pair = Pair::new(&[
        ("changed", changed),
        ("moved/here", bytes(5, 2 * MIB + 3)),
        ("same", bytes(3, 2 * MIB)),
        ("small/moved", bytes(4, 50)),
    ]);
    let root = pair.dir.path().join("root");
    write(&root, "changed", &bytes(1, 3 * MIB));
    write(&root, "here/before", &bytes(5, 2 * MIB + 3));
    write(&root, "same", &bytes(3, 2 * MIB));
    write(&root, "small", &bytes(4, 50));
    let old = scan(&root).held;
    let (incoming, _) = pair.open(Some(&old));
    // changed: 0..3, moved/here: 3..6, same: 6..8, small/moved: 8.
    assert_eq!(numbers(&incoming.verified()), [6, 7]);
    assert_eq!(incoming.files_without_hashes(), [FileNo(0), FileNo(1)]);
    let reader = RootReader::new(pair.root(), &old, &pair.files);
    let mut go_on = |_| ControlFlow::Continue(());
    incoming.reuse(&reader, None, &mut go_on).unwrap();
    assert_eq!(numbers(&incoming.verified()), [3, 4, 5, 6, 7, 8]);
    pair.teach(&incoming);
    let gained = incoming.reuse(&reader, Some(FileNo(0)), &mut go_on).unwrap();
    assert_eq!(gained, [ChunkNo(0), ChunkNo(2)]);
    assert_eq!(incoming.missing_bytes(), MIB as u64);
    // A file that was to stay and changes is fetched after all.
    let mut buffer = vec![0; MIB];
    assert_eq!(incoming.read_chunk(ChunkNo(6), &mut buffer).unwrap(), MIB);
    write(&root, "same", b"edited");
    assert!(matches!(incoming.read_chunk(ChunkNo(6), &mut buffer), Err(ReadError::Changed { .. })));
    assert_eq!(incoming.recheck().unwrap(), [ChunkNo(6), ChunkNo(7)]);
    assert!(incoming.write_chunk(ChunkNo(6), &pair.chunk(6)).unwrap());
    assert_eq!(incoming.read_chunk(ChunkNo(6), &mut buffer).unwrap(), MIB);
}

/// An update of one file that changed in its third chunk, and has `len` bytes now, on a file system that shares blocks.
struct InPlace {
    pair: Pair,
    old: Held,
    new: Vec<u8>,
}

impl InPlace {
    fn of(len: usize) -> Self {
        let mut new = bytes(1, 4 * MIB + 9);
        new.resize(len, 7);
        new[2 * MIB + 5] ^= 1;
        let pair = Pair::new(&[("big", new.clone())]);
        let root = pair.dir.path().join("root");
        write(&root, "big", &bytes(1, 4 * MIB + 9));
        let old = scan(&root).held;
        Self { pair, old, new }
    }

    /// Takes over what is there, and fetches the rest.
    fn update(&self, faults: &Arc<Faults>) -> Result<Incoming, IncomingError> {
        let root = || self.pair.root().with_faults(Arc::clone(faults));
        let (incoming, _) = self.pair.open_in(root(), Some(&self.old))?;
        let held = &self.pair.scanned.held;
        let hashes = held.hashes.of_file(&held.manifest, FileNo(0)).unwrap();
        incoming.set_hashes(FileNo(0), &hashes)?.unwrap();
        let reader = RootReader::new(root(), &self.old, &self.pair.files);
        incoming.reuse(&reader, None, &mut |_| ControlFlow::Continue(()))?;
        for chunk in (0..held.manifest.chunk_count()).map(ChunkNo).filter(|chunk| !incoming.verified().contains(*chunk))
        {
            match incoming.write_chunk(chunk, &self.pair.chunk(chunk.0)) {
                Ok(_) => {}
                Err(WriteError::Disk(error) | WriteError::NoSpace { source: error, .. }) => return Err(error.into()),
                Err(error) => panic!("{error}"),
            }
        }
        incoming.sync()?;
        Ok(incoming)
    }

    /// Each chunk that is said to be here is what it should be.
    fn assert_honest(&self, incoming: &Incoming, what: &str) {
        let mut buffer = vec![0; MIB];
        for chunk in incoming.verified().iter() {
            let len = incoming.read_chunk(chunk, &mut buffer).unwrap();
            assert!(buffer[..len] == self.pair.chunk(chunk.0), "{what}: {chunk} is said to be here");
        }
    }
}

#[test]
fn what_changed_in_place_is_all_that_is_written_where_blocks_can_be_shared() {
    // As long as before, longer, and cut off in its last chunk but one.
    for (len, missing) in [(4 * MIB + 9, vec![2]), (5 * MIB + 3, vec![2, 4, 5]), (3 * MIB + 1, vec![2, 3])] {
        let update = InPlace::of(len);
        let faults = Arc::new(Faults::count_only().sharing().recording());
        let incoming = update.update(&faults).unwrap();
        assert!(incoming.is_complete(), "{len}");
        assert!(fs::read(update.pair.kept("data/big")).unwrap() == update.new, "{len}");
        let written = faults.recorded().into_iter().filter_map(|op| {
            let DiskOp::Write { path, offset, bytes } = op else { return None };
            path.ends_with("data/big").then_some((offset, bytes.len()))
        });
        let mut expect = Vec::new();
        for chunk in missing {
            expect.push((u64::from(chunk) * MIB as u64, update.pair.chunk(chunk).len()));
        }
        assert_eq!(written.collect::<Vec<_>>(), expect, "{len}");
    }
}

#[test]
fn where_blocks_cannot_be_shared_a_changed_file_is_copied() {
    let tries = (1..).map(|point| {
        let faults = Arc::new(Faults::at(point, Fault::Once(Errno::OPNOTSUPP)).sharing());
        let update = InPlace::of(4 * MIB + 9);
        let updated = update.update(&faults);
        (faults.hit().unwrap(), update, updated)
    });
    let (_, update, updated) = tries.into_iter().find(|(hit, ..)| matches!(hit, DiskOp::Copy { .. })).unwrap();
    assert!(updated.unwrap().is_complete());
    assert!(fs::read(update.pair.kept("data/big")).unwrap() == update.new);
    assert!(!update.pair.kept("adopted/0").exists());
}

#[test]
fn what_is_shared_counts_only_when_it_is_right() {
    let mut update = InPlace::of(4 * MIB + 9);
    // Changed behind the back of what is known of it.
    let path = update.pair.dir.path().join("root/big");
    let mut wrong = fs::read(&path).unwrap();
    wrong[MIB] ^= 1;
    fs::write(&path, wrong).unwrap();
    update.old.stamps[0] = Some(update.pair.root().stat("big").unwrap().stamp);
    let faults = Arc::new(Faults::count_only().sharing().recording());
    let incoming = update.update(&faults).unwrap();
    update.assert_honest(&incoming, "at the end");
    let fetched = faults
        .recorded()
        .iter()
        .filter(|op| matches!(op, DiskOp::Write { path, .. } if path.ends_with("/big")))
        .count();
    assert_eq!(fetched, 2, "the chunk that changed, and the one that was wrong");
}

#[test]
fn an_update_in_place_that_is_cut_off_anywhere_claims_nothing_it_has_not_got() {
    let count = {
        let faults = Arc::new(Faults::count_only().sharing());
        InPlace::of(5 * MIB + 3).update(&faults).unwrap();
        faults.count()
    };
    for point in 1..=count {
        for power_lost in [false, true] {
            let what = format!("cut off before {point} of {count}, power lost: {power_lost}");
            let update = InPlace::of(5 * MIB + 3);
            assert!(update.update(&Arc::new(Faults::at(point, Fault::Stop).sharing())).is_err(), "{what}");
            let (boot, growing) = (update.pair.kept("boot"), update.pair.kept("data/big"));
            if power_lost && boot.exists() {
                fs::write(boot, "of an earlier start of the machine").unwrap();
                // What was synced is not lost.
                if growing.exists() && !update.pair.kept("synced").exists() {
                    fs::write(growing, vec![0; 5 * MIB + 3]).unwrap();
                }
            }
            let (incoming, _) = update.pair.open(Some(&update.old));
            update.assert_honest(&incoming, &what);
            drop(incoming);
            let incoming = update.update(&Arc::new(Faults::count_only().sharing())).unwrap();
            assert!(incoming.is_complete() && incoming.prepare().is_ok(), "{what}");
            assert!(fs::read(update.pair.kept("data/big")).unwrap() == update.new, "{what}");
        }
    }
}

#[test]
fn a_reader_notices_every_change() {
    type Change = (&'static str, fn(&Path), bool);
    let change: [Change; 5] = [
        ("rewritten", |path| fs::write(path, bytes(8, 3 * MIB + 9)).unwrap(), false),
        ("shorter", |path| fs::write(path, b"x").unwrap(), false),
        ("gone", |path| fs::remove_file(path).unwrap(), true),
        (
            "replaced",
            |path| {
                fs::write(path.with_extension("new"), bytes(1, 3 * MIB + 9)).unwrap();
                fs::rename(path.with_extension("new"), path).unwrap();
            },
            false,
        ),
        (
            "a link",
            |path| {
                fs::remove_file(path).unwrap();
                std::os::unix::fs::symlink("small", path).unwrap();
            },
            true,
        ),
    ];
    for (name, change, gone) in change {
        for opened_before in [true, false] {
            let pair = Pair::usual();
            let reader = pair.source();
            let mut buffer = vec![0; MIB];
            if opened_before {
                assert_eq!(reader.read_chunk(ChunkNo(0), &mut buffer).unwrap(), MIB);
            }
            change(&pair.dir.path().join("source/big"));
            // The open one is first seen to have changed, then to be what it is now.
            if opened_before {
                let error = reader.read_chunk(ChunkNo(1), &mut buffer).unwrap_err();
                assert!(matches!(error, ReadError::Changed { .. }), "{name}: {error}");
            }
            let error = reader.read_chunk(ChunkNo(1), &mut buffer).unwrap_err();
            assert_eq!(matches!(error, ReadError::Gone { .. }), gone, "{name}: {error}");
            assert_eq!(reader.read_chunk(ChunkNo(4), &mut buffer).unwrap(), 77, "other files are served");
        }
    }
}

#[test]
fn few_files_are_open_at_once() {
    let many: Vec<(String, Vec<u8>)> = (0..600).map(|number| (format!("{number}"), vec![number as u8; 3])).collect();
    let files: Vec<(&str, Vec<u8>)> = many.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    let pair = Pair::new(&files);
    let open_now = || {
        let open = fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| fs::read_link(fd.unwrap().path()).ok());
        open.filter(|path| path.parent() == Some(&pair.dir.path().join("source"))).count()
    };
    let (reader, mut buffer) = (pair.source(), vec![0; MIB]);
    for chunk in 0..600 {
        assert_eq!(reader.read_chunk(ChunkNo(chunk), &mut buffer).unwrap(), 3);
    }
    assert_eq!(open_now(), 0, "a file of one chunk is read once and closed");
    let (owner, root) = (pair.files.owner(), GameRoot::open(&pair.dir.path().join("source")).unwrap());
    for number in 0..600 {
        owner.get(FileNo(number), || root.open_file(&number.to_string())).unwrap();
    }
    assert!((100..=260).contains(&open_now()), "{} files are open", open_now());
    drop(owner);
    assert_eq!(open_now(), 0);
}

#[test]
fn what_is_kept_is_seen_and_freed() {
    let pair = Pair::usual();
    let root = pair.root();
    assert_eq!(kept(&root).unwrap(), []);
    let (incoming, _) = pair.open(None);
    pair.teach(&incoming);
    incoming.write_chunk(ChunkNo(0), &pair.chunk(0)).unwrap();
    drop(incoming);
    write(root.path(), ".potluck/replaced/1/mods/mine.cfg", &[1; 10_000]);
    write(root.path(), ".potluck/incoming/not-a-content/x", b"x");
    let found = kept(&root).unwrap();
    let content = pair.scanned.held.content;
    assert_eq!(
        found.iter().map(|kept| kept.what).collect::<Vec<_>>(),
        [KeptWhat::Download(content), KeptWhat::Replaced]
    );
    assert!(found[0].bytes >= MIB as u64 && found[1].bytes >= 10_000, "{found:?}");
    let stored = load_incoming_manifest(&root, content).unwrap().unwrap().unwrap();
    assert_eq!(stored.manifest, *pair.scanned.held.manifest);
    free_kept(&root, KeptWhat::Download(content)).unwrap();
    pair.open(None).0.discard().unwrap();
    assert!(root.path().join(".potluck/incoming/not-a-content/x").exists());
    assert_eq!(kept(&root).unwrap().len(), 1);
}

#[test]
fn stored_manifests_are_checked() {
    let pair = Pair::usual();
    let root = pair.root();
    let held = &pair.scanned.held;
    assert!(load_manifest(&root).unwrap().is_none());
    save_manifest(&root, &pair.scanned.bytes, &held.hashes).unwrap();
    assert_eq!(load_manifest(&root).unwrap().unwrap().unwrap().content, held.content);
    assert_eq!(load_hashes(&root, &held.manifest).unwrap(), held.hashes);
    for garbage in [&b""[..], b"{}", b"\xff\xfe", br#"{"v":1,"game":"../x"}"#] {
        write(root.path(), MANIFEST, garbage);
        assert!(load_manifest(&root).unwrap().unwrap().is_err());
    }
    fs::File::create(root.path().join(MANIFEST)).unwrap().set_len(1 << 30).unwrap();
    assert!(load_manifest(&root).unwrap().unwrap().is_err());
    write(root.path(), HASHES, &[3; 500]);
    assert_eq!(load_hashes(&root, &held.manifest).unwrap(), ChunkHashes::of(&held.manifest));
}

/// A whole download, spoilt by somebody who tidies up: these chunks are missing before it can be committed.
fn check_tidied(spoil: impl FnOnce(&Pair), expect: &[u32]) {
    let pair = Pair::usual();
    let (incoming, _) = pair.open(None);
    pair.teach(&incoming);
    for chunk in 0..5 {
        incoming.write_chunk(ChunkNo(chunk), &pair.chunk(chunk)).unwrap();
    }
    spoil(&pair);
    match incoming.prepare() {
        Ok(_) => assert!(expect.is_empty()),
        Err(NotReady::Lost { chunks }) => assert_eq!(chunks.iter().map(|chunk| chunk.0).collect::<Vec<_>>(), expect),
        Err(other) => panic!("{other}"),
    }
    for chunk in expect {
        assert!(incoming.write_chunk(ChunkNo(*chunk), &pair.chunk(*chunk)).unwrap());
    }
    incoming.prepare().unwrap();
    assert!(fs::read(pair.kept("data/big")).unwrap() == bytes(1, 3 * MIB + 9));
    assert!(fs::read(pair.kept("data/empty")).unwrap().is_empty());
    assert!(fs::read(pair.kept("data/small")).unwrap() == bytes(2, 77));
    assert!(fs::read(pair.kept("manifest.json")).unwrap() == pair.scanned.bytes);
}

#[test]
fn what_somebody_tidied_up_is_fetched_again_and_never_committed() {
    check_tidied(|_| {}, &[]);
    check_tidied(|pair| fs::remove_file(pair.kept("data/big")).unwrap(), &[0, 1, 2, 3]);
    check_tidied(|pair| fs::remove_file(pair.kept("data/small")).unwrap(), &[4]);
    check_tidied(|pair| fs::write(pair.kept("data/small"), bytes(2, 78)).unwrap(), &[4]);
    check_tidied(|pair| fs::write(pair.kept("data/empty"), b"not empty").unwrap(), &[]);
    check_tidied(|pair| fs::write(pair.kept("manifest.json"), b"{}").unwrap(), &[]);
    check_tidied(|pair| fs::remove_file(pair.kept("manifest.json")).unwrap(), &[]);
}

#[test]
fn a_growing_file_that_is_too_long_is_cut() {
    check_resume(
        |pair| {
            let mut data = fs::read(pair.kept("data/big")).unwrap();
            data.extend([7; 100]);
            fs::write(pair.kept("data/big"), data).unwrap();
        },
        &[1, 3, 4],
        MIB + 9,
    );
}
