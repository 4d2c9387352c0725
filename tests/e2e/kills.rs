//! Pulled plugs: a getter that is killed at any moment loses nothing it verified, and never calls
//! half a game downloaded.

use std::{fs, time::Duration};

use super::{
    CHUNK, document, host_of,
    process::{Seat, bytes_of, files_below, signal, until, wait_for},
    received, say, seed,
};

/// Bytes of the game that is got.
const SIZE: usize = 48 * CHUNK + 4_321;
const KILLS: usize = 10;

#[test]
fn a_getter_killed_at_ten_moments_resumes_and_ends_right() {
    let seed = seed();
    let host = host_of(&[("quux", &[("a.bin", SIZE), ("b/c.bin", 100_000)])]);
    let guest = Seat::new();
    let addr = host.addr().to_string();
    let words = ["--peer", &addr, "get", "quux", "--json"];
    let size = (SIZE + 100_000) as u64;

    // Moments are amounts of what is there, not times: they mean the same on a slow machine.
    let mut moments: Vec<u64> = bytes_of(seed, KILLS * 8).chunks(8).map(|part| u64::from(part[0]) * 48 / 256).collect();
    moments.sort_unstable();
    let mut kept = 0;
    for (number, moment) in moments.iter().enumerate() {
        let mut child = guest.start(&words);
        // Either that much is there, or it was too quick for us: both are moments.
        let ended = until(super::process::PATIENCE, || {
            let ended = child.try_wait().expect("our own child").is_some();
            (ended || chunks_kept(&guest) >= *moment).then_some(ended)
        });
        assert_eq!(ended, Some(false), "the getter ended, or came to nothing, before {moment} chunks");
        if number % 2 == 1 {
            // A little later, in the middle of something else.
            std::thread::sleep(Duration::from_millis(u64::from(bytes_of(seed ^ number as u64, 1)[0]) / 4));
        }
        child.kill().expect("our own child");
        wait_for(&mut child, super::process::PATIENCE).expect("killed");
        let now = chunks_kept(&guest);
        say(&format!("killed with {now} chunks, aimed at {moment}"));
        let committed = guest.game("quux").join("version.ini").exists();
        assert!(committed || now >= kept, "{kept} chunks were there, now {now}");
        if committed {
            break;
        }
        let placed = guest.game("quux").join("a.bin");
        if placed.exists() {
            // All was here, and it died in the middle of its commit: what is in place is whole.
            let whole = fs::read(host.game("quux").join("a.bin")).unwrap();
            assert!(fs::read(&placed).unwrap() == whole, "half a file in the root");
            break;
        }
        kept = now;
    }
    let last = guest.run(&words);
    assert_eq!(last.code, Some(0), "{last:#?}");
    let fetched = received(&document(&last));
    assert!(
        fetched <= size.saturating_sub(kept.saturating_sub(1) * CHUNK as u64),
        "{kept} chunks were kept, yet {fetched} bytes came"
    );
    assert_eq!(files_below(&guest.game("quux")), files_below(&host.game("quux")));
    let left = fs::read_dir(guest.game("quux").join(".potluck/incoming")).into_iter().flatten().count();
    assert_eq!(left, 0, "what was coming in is cleared away");
}

#[test]
fn ctrl_c_ends_with_130_and_keeps_what_is_verified() {
    let host = host_of(&[("quux", &[("a.bin", SIZE)])]);
    let guest = Seat::new();
    let addr = host.addr().to_string();
    let words = ["--peer", &addr, "get", "quux", "--json"];
    let mut child = guest.start(&words);
    let ready = until(super::process::PATIENCE, || {
        (chunks_kept(&guest) > 3 || child.try_wait().expect("our own child").is_some()).then_some(())
    });
    assert!(ready.is_some(), "nothing arrives");
    signal(&child, "INT");
    let ended = super::process::finish(child, super::process::PATIENCE);
    assert_eq!(ended.code, Some(130), "{ended:#?}");
    let kept = chunks_kept(&guest);
    assert!(kept > 3);
    let last = guest.run(&words);
    assert_eq!(last.code, Some(0), "{last:#?}");
    assert!(received(&document(&last)) <= (SIZE as u64).saturating_sub((kept - 1) * CHUNK as u64), "{}", last.stdout);
}

/// Chunks that the bitmaps of downloads under way say are verified.
pub(super) fn chunks_kept(seat: &Seat) -> u64 {
    let incoming = seat.game("quux").join(".potluck/incoming");
    let folders = fs::read_dir(incoming).into_iter().flatten().filter_map(Result::ok);
    let maps = folders.filter_map(|folder| fs::read(folder.path().join("have")).ok());
    maps.flatten().map(|byte| u64::from(byte.count_ones())).sum()
}
