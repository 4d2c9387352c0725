//! Archives made by the tools people use.

use std::fs;

use crate::bench::{Bench, Thing, Tree, lay_out_game, lay_out_links, tool, tree_of};
use potluck::io::archive::{Job, Limits, Line, Why, work};

/// Makes archives of one game with a tool and compares what comes out of them.
fn check(links: bool, program: &str, args: &[&str], packed: &[&str]) {
    let bench = Bench::new();
    let game = tempfile::tempdir().expect("a folder");
    lay_out_game(game.path());
    if links {
        lay_out_links(game.path());
    }
    let out = bench.payload().to_str().expect("UTF-8").to_owned();
    let args: Vec<String> = args.iter().map(|arg| arg.replace("OUT", &out)).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if !tool(game.path(), program, &args) {
        return;
    }
    let made: Vec<String> = tree_of(&bench.payload()).into_keys().collect();
    assert_eq!(made, packed, "{program} {args:?}");
    let totals = bench.extract().unwrap_or_else(|error| panic!("{program} {args:?}: {error}"));
    let expect = tree_of(game.path());
    assert_eq!(names(&bench.extracted()), names(&expect), "{program} {args:?}");
    assert!(bench.extracted() == expect, "{program} {args:?}: bytes or modes differ");
    let files = expect.values().filter(|thing| matches!(thing, Thing::File { .. })).count() as u64;
    assert_eq!((totals.archives, totals.files), (1, files), "{program} {args:?}");
    assert_eq!(totals.bytes, bytes_of(&expect), "{program} {args:?}");
}

fn names(tree: &Tree) -> Vec<&str> {
    tree.keys().map(String::as_str).collect()
}

fn bytes_of(tree: &Tree) -> u64 {
    let sizes = tree.values().map(|thing| if let Thing::File { bytes, .. } = thing { bytes.len() as u64 } else { 0 });
    sizes.sum()
}

#[test]
fn zip_by_info_zip_and_by_7z() {
    check(true, "zip", &["-qry", "OUT/game.dat", "."], &["game.dat"]);
    check(false, "zip", &["-qr0", "OUT/game.zip", "."], &["game.zip"]);
    // With sizes behind the members, and as zip64.
    check(false, "zip", &["-qr", "-fd", "OUT/game.zip", "."], &["game.zip"]);
    check(false, "zip", &["-qr", "-fz", "OUT/game.zip", "."], &["game.zip"]);
    for method in ["Deflate", "Deflate64", "BZip2", "LZMA"] {
        check(false, "7z", &["a", "-tzip", &format!("-mm={method}"), "OUT/game.eti", "."], &["game.eti"]);
    }
}

#[test]
fn sevenz_in_its_methods_solid_or_not() {
    check(true, "7z", &["a", "-snl", "OUT/game.7z", "."], &["game.7z"]);
    for method in ["LZMA", "LZMA2", "BZip2", "PPMd", "Deflate", "Copy"] {
        check(false, "7z", &["a", "-ms=off", &format!("-m0={method}"), "OUT/game.eti", "."], &["game.eti"]);
    }
    check(false, "7z", &["a", "-m0=BCJ", "-m1=LZMA2", "OUT/game.7z", "."], &["game.7z"]);
}

#[test]
fn tar_plain_and_in_every_compression() {
    check(true, "tar", &["-cf", "OUT/game", "."], &["game"]);
    for format in ["gnu", "pax", "ustar"] {
        check(true, "tar", &[&format!("--format={format}"), "-cf", "OUT/game.tar", "."], &["game.tar"]);
    }
    for flag in ["z", "j", "J", "-zstd"] {
        check(true, "tar", &[&format!("-{flag}"), "-cf", "OUT/game.eti", "."], &["game.eti"]);
    }
    check(true, "tar", &["--use-compress-program=zstd --long=30 -19", "-cf", "OUT/long", "."], &["long"]);
}

#[test]
fn volumes_are_one_archive_and_a_missing_one_is_named() {
    let volumes = ["game.7z.001", "game.7z.002", "game.7z.003"];
    check(false, "7z", &["a", "-v150k", "OUT/game.7z", "."], &volumes);
    check(
        false,
        "7z",
        &["a", "-tzip", "-v150k", "OUT/game.zip", "."],
        &["game.zip.001", "game.zip.002", "game.zip.003"],
    );
    let bench = Bench::new();
    let game = tempfile::tempdir().expect("a folder");
    lay_out_game(game.path());
    let out = bench.payload().join("game.7z");
    if tool(game.path(), "7z", &["a", "-v150k", out.to_str().expect("UTF-8"), "."]) {
        fs::remove_file(bench.payload().join("game.7z.002")).expect("a volume");
        let error = bench.extract().expect_err("a volume is missing");
        assert_eq!(error.why, Why::NoVolume { volume: "game.7z.002".into() });
        assert_eq!(error.archive, "game.7z.001");
        fs::remove_file(bench.payload().join("game.7z.003")).expect("a volume");
        let error = bench.extract().expect_err("the rest is missing");
        assert_eq!((error.archive.as_str(), error.why), ("game.7z.001", Why::Truncated));
    }
}

#[test]
fn several_archives_are_one_game_and_other_files_are_none() {
    let bench = Bench::new();
    let game = tempfile::tempdir().expect("a folder");
    lay_out_game(game.path());
    let out = |name: &str| bench.payload().join(name).to_str().expect("UTF-8").to_owned();
    bench.put("readme.zip", b"This is only called so.");
    bench.put("sub/notes.txt", b"notes");
    let made = tool(game.path(), "tar", &["-cf", &out("a"), "bin", "data"])
        && tool(game.path(), "zip", &["-qr", &out("sub/b"), "Ünï", "empty folder", "readme.txt", "version.ini"])
        && tool(&bench.payload(), "xz", &["-k", "-9", "sub/notes.txt"]);
    if made {
        let totals = bench.extract().expect("both are sound");
        assert_eq!(totals.archives, 2);
        assert!(bench.extracted() == tree_of(game.path()));
    }
}

#[test]
fn a_listing_says_what_would_come_without_writing_it() {
    for (program, args) in
        [("zip", &["-qr", "OUT/a", "."][..]), ("7z", &["a", "OUT/a", "."]), ("tar", &["-czf", "OUT/a", "."])]
    {
        let bench = Bench::new();
        let game = tempfile::tempdir().expect("a folder");
        lay_out_game(game.path());
        let out = bench.payload().to_str().expect("UTF-8").to_owned();
        let args: Vec<String> = args.iter().map(|arg| arg.replace("OUT", &out)).collect();
        if !tool(game.path(), program, &args.iter().map(String::as_str).collect::<Vec<_>>()) {
            continue;
        }
        if program == "7z" {
            fs::rename(bench.payload().join("a.7z"), bench.payload().join("a")).expect("a rename");
        }
        let (totals, members) = bench.list();
        let expect = tree_of(game.path());
        let files = expect.iter().filter_map(|(path, thing)| match thing {
            Thing::File { bytes, .. } => Some((path.clone(), bytes.len() as u64)),
            Thing::Folder | Thing::Link(_) | Thing::Other(_) => None,
        });
        assert_eq!(members, files.collect::<Vec<_>>(), "{program}");
        assert_eq!(totals.expect("sound").bytes, bytes_of(&expect), "{program}");
    }
}

#[test]
fn a_password_is_named_as_what_is_missing() {
    for args in [
        &["a", "-psecret", "OUT/game", "."][..],
        &["a", "-psecret", "-mhe=on", "OUT/game", "."],
        &["a", "-tzip", "-psecret", "OUT/game", "."],
        &["a", "-tzip", "-psecret", "-mem=AES256", "OUT/game", "."],
    ] {
        let bench = Bench::new();
        let game = tempfile::tempdir().expect("a folder");
        lay_out_game(game.path());
        let out = bench.payload().to_str().expect("UTF-8").to_owned();
        let words: Vec<String> = args.iter().map(|arg| arg.replace("OUT", &out)).collect();
        if tool(game.path(), "7z", &words.iter().map(String::as_str).collect::<Vec<_>>()) {
            let error = bench.extract().expect_err("nobody knows the password");
            assert_eq!(error.why, Why::Password, "{args:?}: {error}");
        }
    }
}

#[test]
fn one_cut_off_anywhere_is_refused() {
    for (program, args, name) in [
        ("zip", &["-qr", "OUT/game.zip", "."][..], "game.zip"),
        ("7z", &["a", "OUT/game.7z", "."], "game.7z"),
        ("tar", &["-cf", "OUT/game.tar", "."], "game.tar"),
        ("tar", &["-czf", "OUT/game.tgz", "."], "game.tgz"),
        ("tar", &["-cjf", "OUT/game.tbz", "."], "game.tbz"),
        ("tar", &["-cJf", "OUT/game.txz", "."], "game.txz"),
        ("tar", &["--zstd", "-cf", "OUT/game.tzst", "."], "game.tzst"),
    ] {
        let bench = Bench::new();
        let game = tempfile::tempdir().expect("a folder");
        lay_out_game(game.path());
        let out = bench.payload().to_str().expect("UTF-8").to_owned();
        let words: Vec<String> = args.iter().map(|arg| arg.replace("OUT", &out)).collect();
        if !tool(game.path(), program, &words.iter().map(String::as_str).collect::<Vec<_>>()) {
            continue;
        }
        let whole = fs::read(bench.payload().join(name)).expect("the archive");
        for part in [3, 50, 90] {
            let bench = Bench::new();
            bench.put(name, &whole[..whole.len() * part / 100]);
            let error = bench.extract().expect_err(name);
            let named = matches!(error.why, Why::Truncated | Why::Damaged { .. });
            assert!(named && error.archive == name, "{name} at {part} %: {error}");
        }
        // And one with a byte changed in the middle of what does not compress.
        let mut rotten = whole.clone();
        rotten[whole.len() / 2] ^= 0x10;
        let bench = Bench::new();
        bench.put(name, &rotten);
        match bench.extract() {
            Err(error) => assert!(matches!(error.why, Why::Damaged { .. } | Why::Truncated), "{name}: {error}"),
            // A tar has no sums of what is in it; the manifest has.
            Ok(_) => assert_eq!(name, "game.tar"),
        }
    }
}

#[test]
fn progress_is_told_and_ends_at_the_end() {
    let bench = Bench::new();
    let game = tempfile::tempdir().expect("a folder");
    lay_out_game(game.path());
    let out = bench.payload().join("game.zip");
    if tool(game.path(), "zip", &["-qr", out.to_str().expect("UTF-8"), "."]) {
        let packed = out.metadata().expect("the archive").len();
        let mut lines = Vec::new();
        work(&bench.job(Limits::default()), &mut |line| lines.push(line)).expect("sound");
        let mut progress = lines.iter().filter_map(|line| if let Line::Progress(it) = line { Some(it) } else { None });
        assert!(progress.clone().all(|it| it.packed_total == packed && it.packed_done <= packed));
        assert!(progress.clone().is_sorted_by_key(|it| it.bytes), "{lines:?}");
        assert!(progress.next_back().is_some_and(|last| last.archive == "game.zip"));
        assert!(lines.iter().any(|line| matches!(line, Line::Archive(set) if set.format == "zip")));
    }
}

#[test]
fn without_archives_nothing_is_found() {
    let bench = Bench::new();
    bench.put("game.exe", b"MZ").put("empty", b"").put("short.tar", &[b'x'; 511]);
    let job = Job { staging: None, ..bench.job(Limits::default()) };
    assert_eq!(work(&job, &mut |_| {}).expect("nothing to do").archives, 0);
}
