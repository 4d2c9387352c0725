//! Fuzzing of every parser that is ours, on stable Rust and in bounded time: inputs grow out of those in
//! `tests/fuzz/corpus`, and one that gets an answer not seen before is bred from. `FUZZ_SECONDS=60`
//! gives each target a minute instead of two seconds, `FUZZ_SEED=n` another course, `FUZZ_KEEP=1`
//! writes what was bred into the corpus. An input that makes a target fail is written there too,
//! and so is tried first ever after.

#![allow(clippy::disallowed_methods, reason = "fuzzing is bounded by time")]

#[path = "fuzz/breeder.rs"]
mod breeder;

use breeder::{fuzz, kind_of};
use potluck::{
    api::Command,
    io::catalog::Catalog,
    types::{CollisionKey, GameId, MemberPath, PayloadPath, Sentinel},
    wire::{
        extraction::{Job, Line},
        frame,
        have::HaveChange,
        installed::{Owned, decode_files, encode_files},
        journal::Journal,
        library::LibrarySnapshot,
        manifest,
        message::{Control, Request},
    },
};
use serde::{Serialize, de::DeserializeOwned};

#[test]
fn manifests() {
    let words = [
        r#"{"v":1,"game":"#,
        r#""files":["#,
        r#"{"p":"a","s":1,"h":""#,
        r#""x":true"#,
        r#""dirs":["#,
        r#""links":["#,
        r#""to":"#,
        "..",
        "/",
        "\\u0000",
        "\\n",
        "1e99",
        "18446744073709551615",
        "-1",
        "null",
        "é",
        "e\\u0301",
    ];
    fuzz("manifest", &words, |bytes| match manifest::decode(bytes, manifest::content_id(bytes)) {
        Ok(manifest) => {
            let (again, id) = manifest::encode(&manifest).expect("what was read can be written");
            assert_eq!((again.as_slice(), id), (bytes, manifest::content_id(bytes)), "two spellings of one build");
            let chunks: u64 = manifest.chunk_lens().iter().map(|len| u64::from(*len)).sum();
            assert_eq!(chunks, manifest.size());
            "read".into()
        }
        Err(error) => error.to_string(),
    });
}

#[test]
fn journals() {
    let words = [r#""op":"commit""#, r#""op":"remove""#, r#""from":"#, r#""to":"#, r#""v":1"#, "null", "00"];
    fuzz("journal", &words, |bytes| match Journal::decode(bytes) {
        Ok(journal) => {
            assert_eq!(Journal::decode(&journal.encode().expect("what was read can be written")), Ok(journal));
            "read".into()
        }
        Err(error) => error.to_string(),
    });
}

#[test]
fn records_of_what_was_installed() {
    let words =
        [r#""v":1"#, r#""content":"#, r#""files":[["#, r#"["a/b",1,-1]"#, "18446744073709551616", "null", "../"];
    fuzz("installed", &words, |bytes| {
        let owned = match Owned::decode(bytes) {
            Ok(owned) => {
                assert_eq!(Owned::decode(&owned.encode().expect("what was read can be written")), Ok(owned));
                "owned".to_owned()
            }
            Err(error) => error.to_string(),
        };
        let files = match decode_files(bytes) {
            Ok(files) => {
                assert_eq!(decode_files(&encode_files(&files).expect("it is no longer than it was")), Ok(files));
                "files".to_owned()
            }
            Err(error) => error.to_string(),
        };
        owned + &files
    });
}

#[test]
fn catalogs() {
    let words = [
        "[games.",
        "gate = true",
        "title = ",
        "pin = \"",
        "keep = [\"",
        "launch = [\"",
        "{local}",
        "\"../\"",
        "0x7fffffffffffffff",
        "1979-05-27",
        "\"\"\"",
        "]]",
    ];
    let dir = tempfile::tempdir().expect("a scratch folder");
    let path = dir.path().join("catalog.toml");
    fuzz("catalog", &words, |bytes| {
        std::fs::write(&path, bytes).expect("a scratch file");
        match Catalog::read(&path) {
            Ok(_) => "read".into(),
            Err(error) => {
                assert!(!error.to_string().contains(char::is_control), "{error:?}");
                error.to_string()
            }
        }
    });
}

#[test]
fn commands_over_the_control_socket() {
    let words = [
        r#""command":"get""#,
        r#""command":"limit""#,
        r#""command":"install""#,
        r#""game":"#,
        r#""content":"#,
        r#""rate":"#,
        r#""version":"#,
        "null",
        "true",
        "-1",
        "18446744073709551615",
    ];
    fuzz("commands", &words, |bytes| match serde_json::from_slice::<Command>(bytes) {
        Ok(command) => {
            let written = serde_json::to_vec(&command).expect("what was read can be written");
            assert_eq!(serde_json::from_slice::<Command>(&written).expect("what was written can be read"), command);
            "read".into()
        }
        Err(error) => error.to_string(),
    });
}

#[test]
fn sentinels() {
    fuzz("sentinel", &["\u{feff}", "\r\n", "1.0", "version", " ", "\0", "\u{202e}", "99999999999999999999"], |bytes| {
        match Sentinel::from_bytes(bytes) {
            Ok(sentinel) => {
                assert_eq!(sentinel.as_str().as_bytes(), bytes, "it is kept byte for byte");
                let written = Sentinel::of_version(sentinel.version());
                assert_eq!(written.version(), sentinel.version());
                let version = sentinel.version();
                assert_eq!(version.cmp(version), std::cmp::Ordering::Equal);
                "read".into()
            }
            Err(error) => error.to_string(),
        }
    });
}

#[test]
fn paths() {
    let words = [
        "..",
        ".",
        "/",
        "\\",
        "C:",
        "con",
        "NUL.",
        ".potluck",
        "local",
        "version.ini",
        "\n../",
        "é",
        "e\u{301}",
        "İ",
        "ß",
    ];
    fuzz("paths", &words, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return "no text".into() };
        let (path, target) = text.split_once('\n').unwrap_or((text, ""));
        if let Ok(game) = GameId::new(path) {
            assert!(PayloadPath::new(game.as_str()).is_ok() || potluck::types::is_reserved_root_name(path));
        }
        let key = CollisionKey::of(path);
        assert_eq!(CollisionKey::of(key.as_str()), key, "folding twice folds no further");
        let payload = PayloadPath::new(path);
        if payload.is_ok() {
            assert!(MemberPath::new(path).is_ok(), "a payload may have it and an archive may not");
        }
        match MemberPath::new(path) {
            Ok(member) => {
                let sound = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', ':', '\0']);
                assert!(path.split('/').all(sound), "{path:?}");
                if member.may_link_to(target) {
                    assert!(stays_inside(path, target), "{path:?} -> {target:?}");
                }
                format!("member, {}, link {}", payload.is_ok(), member.may_link_to(target))
            }
            Err(error) => error.to_string(),
        }
    });
}

/// Walks as a kernel would if nothing on the way were a link.
fn stays_inside(path: &str, target: &str) -> bool {
    let mut depth = path.matches('/').count() as i64;
    !target.starts_with('/')
        && target.split('/').all(|part| {
            depth += match part {
                "" | "." => 0,
                ".." => -1,
                _ => 1,
            };
            depth >= 0
        })
}

#[test]
fn frames() {
    let words = [
        r#""t":"hello""#,
        r#""t":"chunks""#,
        r#""t":"hashes""#,
        r#""t":"peers""#,
        r#""t":"library_delta""#,
        r#""t":"bad_chunk""#,
        r#""ranges":[[0,1]]"#,
        r#""of":[[5,2]]"#,
        r#""take":4294967295"#,
        r#""upserts":["#,
        r#""installed":4398046511105"#,
        r#""set":[["#,
        "[::1]:1",
        "127.0.0.1:65536",
    ];
    fuzz("frames", &words, |bytes| {
        let announced = bytes.first_chunk().map(|header| frame::body_len(*header));
        if let Some(Ok(len)) = announced {
            assert!(len <= frame::FRAME_BYTES_MAX);
        }
        let answers = [
            read_twice::<Request>(bytes),
            read_twice::<Control>(bytes),
            read_twice::<HaveChange>(bytes),
            read_twice::<LibrarySnapshot>(bytes),
        ];
        if let Ok(HaveChange { set, clear }) = frame::decode(bytes) {
            for ranges in [set, clear].iter().filter_map(|pairs| pairs.check(1_000).ok()) {
                assert!(ranges.as_slice().iter().all(|range| range.start() < range.end() && range.end() <= 1_000));
            }
        }
        answers.concat()
    });
}

#[test]
fn what_an_extraction_says() {
    let words =
        [r#""t":"done""#, r#""t":"failed""#, r#""t":"progress""#, r#""why":"path""#, r#""why":{"#, r#""limits":{"#];
    fuzz("extraction", &words, |bytes| [read_twice::<Line>(bytes), read_twice::<Job>(bytes)].concat());
}

/// What was written can be read, and is written the same again. What was read first may have had odd
/// entries, which are left out.
fn read_twice<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> String {
    match frame::decode::<T>(bytes) {
        Ok(message) => {
            // A message may be too long to send.
            if let Ok(written) = frame::encode(&message) {
                let again: T =
                    frame::decode(&written[frame::FRAME_HEADER_BYTES..]).expect("what was written can be read");
                assert_eq!(frame::encode(&again).as_ref(), Ok(&written));
            }
            "read ".into()
        }
        Err(error) => kind_of(&error.to_string()) + " ",
    }
}
