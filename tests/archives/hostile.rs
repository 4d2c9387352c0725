//! Archives made to harm: every one is refused, by name and with the reason, or contained.

use std::{fs, io::Write as _, path::Path, time::Instant};

use potluck::io::archive::{Limits, Line, Progress, Why, work};

use crate::{
    bench::{Bench, Thing},
    build::{Zipped, gzip, tar, tar_header, zip, zip_of},
};

/// Names that lead elsewhere, or that not every file system stores as they are.
const BAD_NAMES: &[&str] = &[
    "../victim",
    "a/../../victim",
    "a/..",
    "..",
    "/tmp/potluck-hostile",
    "//tmp/potluck-hostile",
    "..\\victim",
    "a\\..\\..\\victim",
    "\\potluck-hostile",
    "C:/victim",
    "C:victim",
    "C:\\victim",
    "\\\\?\\C:\\victim",
    "victim:stream",
    "con",
    "a/NUL.txt",
    "a./b",
    "a /b",
    "a\nb",
    "a\x1b[2Jb",
    "a\u{202e}gpj.exe",
    "a//b",
    ".potluck_owned",
    ".POTLUCK/journal.json",
    "a/./b",
    "",
];

fn refuses(what: &str, bytes: &[u8], expect: impl Fn(&Why) -> bool) {
    refuses_within(Limits::default(), what, bytes, expect);
}

fn refuses_within(limits: Limits, what: &str, bytes: &[u8], expect: impl Fn(&Why) -> bool) {
    let bench = Bench::new();
    bench.put("game.eti", bytes);
    match bench.extract_within(limits) {
        Err(error) => {
            assert!(expect(&error.why), "{what}: {error}");
            assert_eq!(error.archive, "game.eti", "{what}");
            assert!(!error.to_string().contains(|c: char| c.is_control()), "{what}: {error:?}");
        }
        Ok(totals) => panic!("{what} was taken: {totals:?}, {:?}", bench.extracted().keys()),
    }
}

/// What comes of an archive that is harmless, or made so.
fn takes(what: &str, bytes: &[u8]) -> Bench {
    let bench = Bench::new();
    bench.put("game.eti", bytes);
    bench.extract().unwrap_or_else(|error| panic!("{what}: {error}"));
    bench
}

#[test]
fn names_that_lead_elsewhere() {
    let is_path = |why: &Why| matches!(why, Why::Path { .. });
    for name in BAD_NAMES {
        refuses(&format!("zip {name:?}"), &zip(&[Zipped::new(name, b"x")]), is_path);
        if !name.is_empty() {
            refuses(&format!("tar {name:?}"), &tar(&[(name, b'0', "", 0o644, b"x")]), is_path);
        }
    }
    let deep = vec!["d"; 33].join("/");
    refuses("deep", &zip(&[Zipped::new(&deep, b"x")]), is_path);
    refuses("long", &zip(&[Zipped::new(&"n".repeat(256), b"x")]), is_path);
    // Said to be UTF-8, and is not.
    refuses("no UTF-8", &zip(&[Zipped { name: b"a\xff".to_vec(), ..Zipped::new("", b"x") }]), is_path);
}

#[test]
fn a_folder_or_a_link_of_a_bad_name() {
    let is_path = |why: &Why| matches!(why, Why::Path { .. });
    refuses("folder", &zip(&[Zipped::new("../victim/", b"")]), is_path);
    refuses("folder", &tar(&[("../new", b'5', "", 0o755, b"")]), is_path);
    refuses("link", &tar(&[("../new", b'2', "staging", 0o777, b"")]), is_path);
}

#[test]
fn symbolic_links_that_lead_outside() {
    let is_link = |why: &Why| matches!(why, Why::Link { .. });
    for target in ["../secret", "/etc", "a/../../secret", "..", "C:\\x", "../staging/../secret/key", ""] {
        if !target.is_empty() {
            refuses(&format!("tar {target}"), &tar(&[("d", b'2', target, 0o777, b"")]), is_link);
        }
        let link = Zipped { mode: 0o120_777, ..Zipped::new("d", target.as_bytes()) };
        refuses(&format!("zip {target:?}"), &zip(&[link]), is_link);
    }
    let long = Zipped { mode: 0o120_777, ..Zipped::new("d", &[b'x'; 5_000]) };
    refuses("a link of 5,000 bytes", &zip(&[long]), is_link);
}

#[test]
fn nothing_is_written_through_a_link() {
    let is_twin = |why: &Why| matches!(why, Why::Twin { .. });
    let through: &[(&str, u8, &str, u32, &[u8])] = &[("d", b'2', "sub", 0o777, b""), ("d/x", b'0', "", 0o644, b"x")];
    refuses("link, then a file through it", &tar(through), is_twin);
    let over: &[(&str, u8, &str, u32, &[u8])] = &[("d", b'2', "sub", 0o777, b""), ("d", b'0', "", 0o644, b"x")];
    refuses("link, then a file in its place", &tar(over), is_twin);
    let link = Zipped { mode: 0o120_777, ..Zipped::new("d", b"sub") };
    refuses("zip", &zip(&[link.clone(), Zipped::new("d/x", b"x")]), is_twin);
    refuses("zip, case", &zip(&[link, Zipped::new("D/x", b"x")]), is_twin);
    // Two links that are each inside stay inside together.
    let bench = takes(
        "links in a row",
        &tar(&[
            ("a/b/c", b'0', "", 0o644, b"x"),
            ("up", b'2', "a/b", 0o777, b""),
            ("a/back", b'2', "../up", 0o777, b""),
        ]),
    );
    assert_eq!(bench.extracted()["up"], Thing::Link("a/b".into()));
}

#[test]
fn hard_links_reach_only_what_came_before() {
    let is_hard = |why: &Why| matches!(why, Why::HardLink { .. } | Why::Path { .. });
    for target in ["../secret/key", "/etc/passwd", "later", "link", "folder", "OK"] {
        let members: &[(&str, u8, &str, u32, &[u8])] = &[
            ("ok", b'0', "", 0o755, b"fine"),
            ("folder", b'5', "", 0o755, b""),
            ("link", b'2', "ok", 0o777, b""),
            ("hard", b'1', target, 0o644, b""),
            ("later", b'0', "", 0o644, b"x"),
        ];
        refuses(target, &tar(members), is_hard);
    }
    let bench = takes("inside", &tar(&[("ok", b'0', "", 0o755, b"fine"), ("hard", b'1', "./ok", 0o644, b"")]));
    let same = Thing::File { bytes: b"fine".to_vec(), executable: true, mode_high: 0 };
    assert_eq!((&bench.extracted()["ok"], &bench.extracted()["hard"]), (&same, &same));
    let inode =
        |name: &str| std::os::unix::fs::MetadataExt::ino(&bench.staging().join(name).metadata().expect("a file"));
    assert_ne!(inode("ok"), inode("hard"), "a copy, not a link: a game may write into one of them");
}

#[test]
fn devices_are_dropped_and_modes_are_plain() {
    let bench = takes(
        "specials",
        &tar(&[
            ("null", b'3', "", 0o666, b""),
            ("disk", b'4', "", 0o666, b""),
            ("pipe", b'6', "", 0o666, b""),
            ("odd", b'X', "", 0o644, b"xx"),
            ("root-shell", b'0', "", 0o6755, b"#!"),
            ("data", b'0', "", 0o1644, b"x"),
        ]),
    );
    let extracted = bench.extracted();
    assert_eq!(extracted.keys().collect::<Vec<_>>(), ["data", "root-shell"]);
    assert_eq!(extracted["root-shell"], Thing::File { bytes: b"#!".to_vec(), executable: true, mode_high: 0 });
    assert_eq!(extracted["data"], Thing::File { bytes: b"x".to_vec(), executable: false, mode_high: 0 });
    bench.put("game.eti", &zip(&[Zipped { mode: 0o20_666, ..Zipped::new("zipped", b"") }]));
    assert_eq!(bench.extract_within(Limits::default()).expect("dropped").dropped, ["zipped: a device"]);
    let setuid = takes("zip", &zip(&[Zipped { mode: 0o104_755, ..Zipped::new("x", b"#!") }]));
    assert_eq!(setuid.extracted()["x"], Thing::File { bytes: b"#!".to_vec(), executable: true, mode_high: 0 });
}

#[test]
fn twins_are_refused_whatever_makes_them() {
    let is_twin = |why: &Why| matches!(why, Why::Twin { .. });
    for (first, second) in [("a", "a"), ("a", "A"), ("é", "e\u{301}"), ("d/a", "D/b"), ("a", "a/b"), ("a/b", "a")] {
        refuses("zip", &zip(&[Zipped::new(first, b"1"), Zipped::new(second, b"2")]), is_twin);
        refuses("tar", &tar(&[(first, b'0', "", 0o644, b"1"), (second, b'0', "", 0o644, b"2")]), is_twin);
    }
    // Also of two archives of one game: which of them is right is not for us to say.
    let bench = Bench::new();
    bench.put("a.zip", &zip(&[Zipped::new("x", b"1")])).put("b.tar", &tar(&[("x", b'0', "", 0o644, b"2")]));
    let error = bench.extract().expect_err("twins");
    assert_eq!((error.archive.as_str(), error.why), ("b.tar", Why::Twin { other: "x".into() }));
}

#[test]
fn members_that_share_bytes() {
    let is_overlap = |why: &Why| matches!(why, Why::Overlap { .. });
    let member = Zipped::new("a", &[b'x'; 1_000]);
    let twice = [member.central(0), Zipped { name: b"b".to_vec(), ..member.clone() }.central(0)];
    let bytes = zip(std::slice::from_ref(&member));
    let body = bytes[..30 + 1 + 1_000].to_vec();
    refuses("one body for two", &zip_of(body.clone(), &twice), is_overlap);
    // The first one's bytes are the second one with its header.
    let inner = Zipped::new("b", &[b'y'; 100]);
    let inner_bytes = zip(std::slice::from_ref(&inner))[..30 + 1 + 100].to_vec();
    let outer = Zipped::new("a", &inner_bytes);
    let outer_bytes = zip(std::slice::from_ref(&outer))[..30 + 1 + inner_bytes.len()].to_vec();
    refuses("one inside the other", &zip_of(outer_bytes, &[outer.central(0), inner.central(31)]), is_overlap);
    refuses("beyond the end", &zip_of(body, &[Zipped { packed: vec![0; 9_000], ..member }.central(0)]), |why| {
        matches!(why, Why::Truncated)
    });
}

#[test]
fn bombs() {
    let limits = Limits { free_bytes: 1 << 20, ratio: 100, ..Limits::default() };
    let is_ratio = |why: &Why| matches!(why, Why::Ratio { max: 100 });
    let zeros = vec![0; 8 << 20];
    refuses_within(limits, "zip", &zip(&[Zipped::deflated("zeros", &zeros)]), is_ratio);
    refuses_within(limits, "tar.gz", &gzip(&tar(&[("zeros", b'0', "", 0o644, &zeros)])), is_ratio);
    // Many small ones amount to one large one.
    let many: Vec<Zipped> = (0..64).map(|n| Zipped::deflated(&format!("{n}"), &zeros[..256 << 10])).collect();
    refuses_within(limits, "many", &zip(&many), is_ratio);
    // A size that is declared falls before a byte is written, one that is not when it is too much.
    refuses_within(Limits { bytes: 1 << 20, ..Limits::default() }, "bytes", &zip(&[Zipped::new("z", &zeros)]), |why| {
        matches!(why, Why::Bytes { max: 1_048_576 })
    });
    let endless = gzip(&[tar(&[("a", b'0', "", 0o644, b"x")]), vec![0; 40 << 20]].concat());
    refuses("endless padding", &endless, |why| matches!(why, Why::Damaged { .. }));
    // Nothing of it is packed, so nothing of it is a bomb.
    let bench = Bench::new();
    bench.put("game.eti", &zip(&[Zipped::new("zeros", &zeros)]));
    bench.extract_within(limits).expect("no bomb");
}

#[test]
fn sizes_that_lie() {
    let long = [b'x'; 50];
    let caught = |why: &Why| matches!(why, Why::Size { .. } | Why::Damaged { .. } | Why::Truncated);
    for honest in [Zipped::new("a", &long), Zipped::deflated("a", &long)] {
        for size in [0, 5, 49, 51, 5_000] {
            refuses(&format!("zip says {size}"), &zip(&[Zipped { size, ..honest.clone() }]), caught);
        }
        refuses("a wrong sum", &zip(&[Zipped { sum: 1, ..honest.clone() }]), caught);
    }
    let beyond = [tar_header("a", b'0', "", 0o644, 9_000), vec![b'x'; 512]].concat();
    refuses("tar says 9,000", &beyond, caught);
    let far = [tar_header("a", b'0', "", 0o644, (1 << 33) - 1), vec![b'x'; 512]].concat();
    refuses_within(Limits { free_bytes: 0, ..Limits::default() }, "tar says 8 GiB", &far, |why| {
        matches!(why, Why::Ratio { .. })
    });
}

#[test]
fn more_members_than_there_may_be_cost_little() {
    let limit = Limits::default().entries;
    let member = |number: u64| Zipped::new(&format!("empty/{number}"), b"");
    let many: Vec<Zipped> = (0..300_000).map(member).collect();
    let bytes = zip(&many);
    let started = Instant::now();
    refuses("300,000 empty files", &bytes, |why| *why == Why::Entries { max: limit });
    let took = started.elapsed();
    assert!(took.as_secs() < 20, "refused only after {took:?}");
    let tarred: Vec<u8> = (0..300).flat_map(|n| tar_header(&format!("{n}"), b'0', "", 0o644, 0)).collect();
    let tarred = [tarred, vec![0; 1_024]].concat();
    refuses_within(Limits { entries: 200, ..Limits::default() }, "tar", &gzip(&tarred), |why| {
        *why == Why::Entries { max: 200 }
    });
    // Folders that are only implied are counted as well.
    let deep: Vec<Zipped> = (0..20).map(|n| Zipped::new(&format!("{n}/{}", ["a"; 20].join("/")), b"")).collect();
    refuses_within(Limits { entries: 200, ..Limits::default() }, "implied folders", &zip(&deep), |why| {
        *why == Why::Entries { max: 200 }
    });
}

/// A stream says nowhere how many members it has: it is read to the limit, and not beyond.
#[test]
fn of_ten_million_empty_files_no_more_are_read_than_there_may_be() {
    let limits = Limits::default();
    let bench = Bench::new();
    put_ten_million_empty_files(&bench.payload().join("game.eti"));
    let job = bench.job(limits);
    let mut last = Progress::default();
    let done = work(&job, &mut |line| {
        if let Line::Progress(progress) = line {
            last = progress;
        }
    });
    assert_eq!(done.expect_err("it is refused").why, Why::Entries { max: limits.entries });
    assert!(last.entries <= limits.entries && last.packed_total > 0, "{last:?}");
    assert!(last.packed_done < last.packed_total / 10, "it was read on: {last:?}");
    bench.assert_untouched();
}

/// As a tar of zstd, written as it is made: there are 5 GB of headers.
fn put_ten_million_empty_files(path: &Path) {
    const IN_A_FOLDER: u64 = 1_000;
    let header = |number| tar_header(&format!("00000-99999/{number:03}-{:03}", 999 - number), b'0', "", 0o644, 0);
    let mut headers: Vec<u8> = (0..IN_A_FOLDER).flat_map(header).collect();
    let file = fs::File::create(path).expect("a file");
    let mut out = zstd::Encoder::new(file, 1).expect("an encoder");
    for folder in 0..10_000_000 / IN_A_FOLDER {
        // With what each digit lacks to nine the headers of all folders have the same sum.
        let name = format!("{folder:05}-{:05}", 99_999 - folder);
        headers.chunks_exact_mut(512).for_each(|header| header[..name.len()].copy_from_slice(name.as_bytes()));
        out.write_all(&headers).expect("onto the disk");
    }
    out.write_all(&[0; 1_024]).expect("onto the disk");
    out.finish().expect("onto the disk");
}

#[test]
fn what_cannot_be_read_says_so() {
    let odd = Zipped { method: 6, ..Zipped::new("a", b"x") };
    refuses("method", &zip(&[odd]), |why| matches!(why, Why::Unsupported { what } if what.contains("zip method")));
    let locked = Zipped { flags: 0x801, ..Zipped::new("a", b"x") };
    refuses("encrypted", &zip(&[locked]), |why| *why == Why::Password);
    refuses("spanned", &[b"PK\x07\x08".to_vec(), zip(&[Zipped::new("a", b"x")])].concat(), |why| {
        matches!(why, Why::Unsupported { .. })
    });
    refuses("half a mark", b"PK\x03\x04", |why| *why == Why::Truncated);
    refuses("only a mark", b"7z\xbc\xaf\x27\x1c", |why| matches!(why, Why::Truncated | Why::Damaged { .. }));
    refuses("an xz of nothing", b"\xfd7zXZ\0", |why| matches!(why, Why::Truncated | Why::Damaged { .. }));
    let out_of_time = Limits { seconds: 0, ..Limits::default() };
    let many: Vec<Zipped> = (0..2_000).map(|n| Zipped::new(&format!("{n}"), &[b'x'; 9_000])).collect();
    refuses_within(out_of_time, "time", &zip(&many), |why| *why == Why::Seconds { max: 0 });
}

#[test]
fn names_come_out_in_the_letters_they_went_in() {
    let old = Zipped { name: b"\x9afl\x81ge/stra\xe1e.txt".to_vec(), flags: 0, system: 0, ..Zipped::new("", b"x") };
    assert!(takes("code page 437", &zip(std::slice::from_ref(&old))).extracted().contains_key("Üflüge/straße.txt"));
    // Info-ZIP adds the name in UTF-8, with the sum of the other one.
    let better = [&[1][..], &rawzip::crc32(&old.name).to_le_bytes(), "Größe".as_bytes()].concat();
    let extra = [&[0x75, 0x70][..], &(better.len() as u16).to_le_bytes(), &better].concat();
    assert!(
        takes("a better name", &zip(&[Zipped { extra: extra.clone(), ..old.clone() }]))
            .extracted()
            .contains_key("Größe")
    );
    // One whose first name was changed since has the wrong sum.
    let renamed = Zipped { name: b"renamed".to_vec(), extra, ..old };
    assert!(takes("renamed", &zip(&[renamed])).extracted().contains_key("renamed"));
    let unix = Zipped { flags: 0, ..Zipped::new("größe", b"x") };
    assert!(takes("unix without the flag", &zip(&[unix])).extracted().contains_key("größe"));
}

#[cfg(not(feature = "rar"))]
#[test]
fn without_the_feature_a_rar_says_so() {
    refuses("rar", b"Rar!\x1a\x07\x01\x00", |why| *why == Why::NoRar);
}

#[cfg(feature = "rar")]
mod rars {
    use potluck::io::archive::{Line, Progress, Spool, work};

    use super::{BAD_NAMES, Bench, Limits, Thing, Why, refuses, takes};
    use crate::{
        bench::noise,
        build_rar::{Rarred, rar},
    };

    #[test]
    fn rar_comes_out_as_it_went_in() {
        let bytes = noise(300_000);
        let bench = takes(
            "rar",
            &rar(
                &[
                    Rarred::new("Ünï/cödé.bin", &bytes),
                    Rarred { mode: 0o104_755, ..Rarred::new("bin/run", b"#!") },
                    Rarred::new("empty", b""),
                ],
                None,
                false,
            ),
        );
        let extracted = bench.extracted();
        assert_eq!(extracted.keys().collect::<Vec<_>>(), ["bin", "bin/run", "empty", "Ünï", "Ünï/cödé.bin"]);
        assert_eq!(extracted["bin/run"], Thing::File { bytes: b"#!".to_vec(), executable: true, mode_high: 0 });
        assert_eq!(extracted["Ünï/cödé.bin"], Thing::File { bytes, executable: false, mode_high: 0 });
    }

    #[test]
    fn how_far_a_rar_is_can_be_told_also_within_a_member() {
        let bench = Bench::new();
        let archive = rar(&[Rarred::new("small", &noise(100_000)), Rarred::new("large", &noise(300_000))], None, false);
        bench.put("game.rar", &archive);
        let mut lines = Vec::new();
        work(&bench.job(Limits::default()), &mut |line| lines.push(line)).unwrap();
        let begun: Vec<(String, u64, Spool)> = lines
            .into_iter()
            .filter_map(|line| {
                let Line::Progress(Progress { member, packed_done, spool, .. }) = line else { return None };
                Some((member, packed_done, spool?))
            })
            .collect();
        let packed = archive.len() as u64;
        let spools =
            [(100_000, packed / 4), (300_000, packed - packed / 4)].map(|(bytes, packed)| Spool { bytes, packed });
        let [small, large] = spools;
        assert_eq!(large.reached(150_000), large.packed / 2);
        assert_eq!(begun, [("small".to_owned(), 0, small), ("large".to_owned(), packed / 4, large)]);
    }

    #[test]
    fn rar_in_volumes_is_one_and_a_missing_one_is_named() {
        let bytes = noise(300_000);
        let part = |range: std::ops::Range<usize>, split: u64, whole: bool| {
            let sum = rawzip::crc32(if whole { &bytes } else { &bytes[range.clone()] });
            Rarred { split, sum: Some(sum), size: Some(300_000), ..Rarred::new("data.bin", &bytes[range]) }
        };
        let volumes = [
            rar(&[Rarred::new("first", b"1"), part(0..100_000, 0x10, false)], Some(0), true),
            rar(&[part(100_000..200_000, 0x18, false)], Some(1), true),
            rar(&[part(200_000..300_000, 0x08, true), Rarred::new("last", b"2")], Some(2), false),
        ];
        let names = ["game.part1.eti", "game.part2.eti", "game.part3.eti"];
        let lay = |which: &[usize]| {
            let bench = Bench::new();
            for index in which {
                bench.put(names[*index], &volumes[*index]);
            }
            bench
        };
        let bench = lay(&[0, 1, 2]);
        let totals = bench.extract().expect("sound");
        assert_eq!((totals.archives, totals.files), (1, 3));
        assert_eq!(
            bench.extracted()["data.bin"],
            Thing::File { bytes: bytes.clone(), executable: false, mode_high: 0 }
        );
        let missing = |which: &[usize], archive: &str, volume: &str| {
            let error = lay(which).extract().expect_err(volume);
            assert_eq!((error.archive.as_str(), error.why), (archive, Why::NoVolume { volume: volume.into() }));
        };
        missing(&[0, 1], names[0], names[2]);
        missing(&[0, 2], names[0], names[1]);
        missing(&[1, 2], names[1], "with the beginning");
    }

    #[test]
    fn rar_made_to_harm() {
        for name in BAD_NAMES.iter().filter(|name| !name.is_empty()) {
            let bench = Bench::new();
            bench.put("game.rar", &rar(&[Rarred::new(name, b"x")], None, false));
            // Its library cleans some names itself; what is left of them is inside.
            if bench.extract().is_ok() {
                assert!(bench.extracted().keys().all(|path| !path.contains("..")), "{:?}", bench.extracted().keys());
            }
        }
        for (kind, target) in
            [(1, "../secret"), (1, "/etc"), (4, "../secret/key"), (4, "/etc/passwd"), (5, "../victim")]
        {
            let mode = if kind == 1 { 0o120_777 } else { 0o100_644 };
            let member = Rarred { redirect: Some((kind, target.into())), mode, ..Rarred::new("d", b"") };
            let through = Rarred::new("d/x", b"x");
            refuses(&format!("{kind} {target}"), &rar(&[member, through], None, false), |_| true);
        }
        let twins = [Rarred::new("a", b"1"), Rarred::new("A", b"2")];
        refuses("twins", &rar(&twins, None, false), |why| matches!(why, Why::Twin { .. }));
        let wrong = Rarred { sum: Some(1), ..Rarred::new("a", b"x") };
        refuses("a wrong sum", &rar(&[wrong], None, false), |why| matches!(why, Why::Damaged { .. }));
        let bomb = Rarred { size: Some(1 << 50), ..Rarred::new("a", b"x") };
        refuses(
            "a size that lies",
            &rar(&[bomb], None, false),
            |why| matches!(why, Why::Bytes { max } if *max == Limits::default().bytes),
        );
        let whole = rar(&[Rarred::new("a", &[b'x'; 9_000])], None, false);
        refuses("cut off", &whole[..5_000], |why| matches!(why, Why::Truncated | Why::Damaged { .. }));
    }

    /// What the crate that reads them carries for its own tests.
    #[test]
    fn rars_made_by_rar() {
        let Some(data) = super::fixtures() else { return };
        let extract = |name: &str| {
            let bench = Bench::new();
            bench.put(name, &std::fs::read(data.join(name)).expect("a fixture"));
            bench.extract().map(|totals| (totals.files, bench.extracted()))
        };
        let (files, version) = extract("version.rar").expect("sound");
        assert_eq!(
            (files, &version["VERSION"]),
            (1, &Thing::File { bytes: b"unrar-0.4.0".to_vec(), executable: false, mode_high: 0 })
        );
        assert!(extract("solid.rar").expect("sound").0 > 0);
        assert!(extract("unicode.rar").expect("sound").1.keys().any(|name| !name.is_ascii()));
        for name in ["crypted.rar", "comment-hpw-password.rar"] {
            assert_eq!(extract(name).expect_err(name).why, Why::Password, "{name}");
        }
        // One volume of several.
        let error = extract("archive.part1.rar").expect_err("the second is missing");
        assert_eq!(error.why, Why::NoVolume { volume: "archive.part2.rar".into() });
    }
}

/// The folder of fixtures in the sources of the crate `unrar`; `None`, with a word, without them.
#[cfg(feature = "rar")]
#[expect(clippy::print_stderr, reason = "a test that tests nothing must say so")]
fn fixtures() -> Option<std::path::PathBuf> {
    let args = ["metadata", "--format-version=1", "--offline", "--locked"];
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = std::process::Command::new(cargo).args(args).output().ok()?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    let packages = metadata["packages"].as_array()?;
    let unrar = packages.iter().find(|package| package["name"] == "unrar");
    let manifest = unrar.and_then(|package| package["manifest_path"].as_str());
    let data = manifest.map(|path| Path::new(path).with_file_name("data")).filter(|data| data.is_dir());
    if data.is_none() {
        eprintln!("the sources of the crate `unrar` have no fixtures: no rar made by rar was read");
    }
    data
}
