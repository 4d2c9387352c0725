//! Holds `docs/protocol.md` to the program: every example is read and written again by `wire`, and
//! every number that the document gives is the program's own.

use std::{collections::BTreeMap, fmt::Debug};

use blake3::{Hasher, hazmat::HasherExt as _};
use potluck::{
    types::{
        CHUNK_BYTES, ChunkRanges, ContentId, GAMES_PER_PEER_MAX, MANIFEST_CHUNKS_MAX, MANIFEST_ENTRIES_MAX,
        SENTINEL_BYTES_MAX,
    },
    wire::{
        fetch::{HASHES_MAX, Status, TAKE_MAX},
        frame::{self, FRAME_BYTES_MAX},
        have::{BITMAP_BYTES_MAX, HaveChange},
        library::{LibrarySnapshot, SNAPSHOT_BYTES_MAX},
        manifest::{self, MANIFEST_BYTES_MAX},
        message::{ALPN, Control, FIRST_FRAME_SECONDS, PEERS_MAX, PORTS_MAX, PROTO, Request, code},
    },
};
use serde::{Serialize, de::DeserializeOwned};

const DOCUMENT: &str = include_str!("../docs/protocol.md");

#[test]
fn every_example_is_what_the_program_reads_and_writes() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (kind, body) in examples() {
        let (kind, note) = kind.split_once(' ').unwrap_or((&kind, ""));
        match kind {
            "request" => check_frame::<Request>(&body),
            "control" => check_frame::<Control>(&body),
            "have" => check_frame::<HaveChange>(&body),
            "snapshot" => {
                let snapshot = LibrarySnapshot::decode(body.as_bytes()).expect(&body);
                assert_eq!(snapshot.games.left_out, 0, "{body}");
                assert_eq!(String::from_utf8(snapshot.encode().unwrap()).unwrap(), body);
            }
            "manifest" => {
                let content: ContentId = note.parse().expect("the example names its ContentId");
                let read = manifest::decode(body.as_bytes(), content).expect(&body);
                assert_eq!(String::from_utf8(manifest::encode(&read).unwrap().0).unwrap(), body);
            }
            other => panic!("an example of an unknown kind: {other}"),
        }
        let tag = serde_json::from_str::<serde_json::Value>(&body).unwrap();
        *seen.entry(format!("{kind} {}", tag["t"].as_str().unwrap_or(""))).or_default() += 1;
    }
    for expect in [
        "request hello",
        "request library",
        "request manifest",
        "request hashes",
        "request have",
        "request chunks",
        "control hello_ack",
        "control refused",
        "control library_summary",
        "control library_delta",
        "control peers",
        "control bad_chunk",
        "control goodbye",
        "have ",
        "snapshot ",
        "manifest ",
    ] {
        assert!(seen.contains_key(expect), "no example of `{expect}` in {seen:?}");
    }
}

fn check_frame<T: Serialize + DeserializeOwned + Debug>(body: &str) {
    let message: T = frame::decode(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"));
    let frame = frame::encode(&message).expect("it was decoded from a frame");
    assert_eq!(std::str::from_utf8(&frame[frame::FRAME_HEADER_BYTES..]), Ok(body));
}

/// The blocks fenced as ```` ```json KIND ````: the kind and the one line of JSON.
fn examples() -> Vec<(String, String)> {
    let mut examples = Vec::new();
    let mut lines = DOCUMENT.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```json ") {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            examples.push((kind.to_owned(), body.join("\n")));
        }
    }
    assert!(!examples.is_empty(), "no examples found");
    examples
}

#[test]
fn every_number_is_the_programs() {
    let limits = table("| limit | value |");
    let expect = [
        ("frame, bytes", FRAME_BYTES_MAX as u64),
        ("first frame whole, seconds", FIRST_FRAME_SECONDS),
        ("library, bytes", SNAPSHOT_BYTES_MAX as u64),
        ("library, games", GAMES_PER_PEER_MAX as u64),
        ("manifest, bytes", MANIFEST_BYTES_MAX as u64),
        ("manifest, entries", MANIFEST_ENTRIES_MAX as u64),
        ("manifest, chunks", u64::from(MANIFEST_CHUNKS_MAX)),
        ("chunk, bytes", u64::from(CHUNK_BYTES)),
        ("ranges a list", ChunkRanges::COUNT_MAX as u64),
        ("hashes a request", HASHES_MAX),
        ("chunks a request", u64::from(TAKE_MAX)),
        ("have-map, bytes", BITMAP_BYTES_MAX as u64),
        ("peers a message", PEERS_MAX as u64),
        ("ports in a hello", PORTS_MAX as u64),
        ("sentinel, bytes", SENTINEL_BYTES_MAX as u64),
    ];
    let shown: Vec<(&str, u64)> =
        limits.iter().map(|row| (row[0].as_str(), row[1].replace(',', "").parse().expect("a number"))).collect();
    assert_eq!(shown, expect);
}

#[test]
fn every_code_is_the_programs() {
    let first_words = |header: &str| -> Vec<(u32, String)> {
        let word = |text: &str| text.split(':').next().unwrap_or_default().to_owned();
        table(header).iter().map(|row| (row[0].parse().expect("a number"), word(&row[1]))).collect()
    };
    let statuses = [
        (Status::Ok, "ok"),
        (Status::BadRequest, "bad request"),
        (Status::NotFound, "not found"),
        (Status::Changed, "changed"),
        (Status::Busy, "busy"),
        (Status::Refused, "refused"),
    ];
    let statuses = statuses.map(|(status, word)| (u32::from(status.to_byte()), word.to_owned()));
    assert_eq!(first_words("| status | meaning | what to do |"), statuses);
    assert_eq!(Status::from_byte(statuses.len() as u8), None, "a status the document does not know");
    let codes = [
        (code::DONE, "done"),
        (code::CHANGED, "changed"),
        (code::GONE, "gone"),
        (code::BUSY, "busy"),
        (code::CANCELLED, "cancelled"),
        (code::PROTOCOL, "protocol"),
        (code::REFUSED, "refused"),
        (code::DUPLICATE, "duplicate"),
    ];
    assert_eq!(first_words("| code | meaning |"), codes.map(|(code, word)| (code, word.to_owned())));
    assert_eq!((ALPN, PROTO), (&b"potluck/1"[..], 1));
}

#[test]
fn the_hashes_of_chunks_are_as_described() {
    let rows = table("| size | chunk hashes, first 16 digits each | file hash, first 16 digits |");
    assert_eq!(rows.len(), 7);
    for row in rows {
        let size: usize = row[0].parse().expect("a number");
        let bytes: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
        let file = *blake3::hash(&bytes).as_bytes();
        let chunk = CHUNK_BYTES as usize;
        let chunks: Vec<String> = if size <= chunk {
            bytes.chunks(chunk).map(|_| short(file)).collect()
        } else {
            let at = |(number, part)| short(subtree(number, part));
            bytes.chunks(chunk).enumerate().map(at).collect()
        };
        let shown: Vec<&str> = row[1].split_whitespace().filter(|word| *word != "–").collect();
        assert_eq!((shown, row[2].as_str()), (chunks.iter().map(String::as_str).collect(), short(file).as_str()));
    }
}

fn subtree(number: usize, part: &[u8]) -> [u8; 32] {
    let mut hasher = Hasher::new();
    hasher.set_input_offset(number as u64 * u64::from(CHUNK_BYTES));
    hasher.update(part).finalize_non_root()
}

fn short(hash: [u8; 32]) -> String {
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The rows of the table with this header, back quotes left out.
fn table(header: &str) -> Vec<Vec<String>> {
    let rows: Vec<Vec<String>> = DOCUMENT
        .lines()
        .skip_while(|line| *line != header)
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.replace('`', "").trim().to_owned()).collect())
        .collect();
    assert!(!rows.is_empty(), "no table headed {header}");
    rows
}
