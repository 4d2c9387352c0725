//! A peer that listens and serves one game, honestly or not, after `docs/protocol.md`. It remembers
//! what it was asked.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use blake3::{Hasher, hazmat::HasherExt as _};
use bytes::Bytes;
use s2n_quic::{Connection, stream::BidirectionalStream};
use serde_json::{Value, json};

use super::{
    ends::{Cut, Key, Reader, cut, frame, hex, listener, send},
    visitor::{hello, unix_ms},
};

const CHUNK: usize = 1 << 20;

/// A game with its manifest and its chunks.
#[derive(Debug, Clone)]
pub(crate) struct Dish {
    pub(crate) game: String,
    pub(crate) version: String,
    pub(crate) content: String,
    pub(crate) manifest: Vec<u8>,
    pub(crate) chunks: Vec<Vec<u8>>,
    pub(crate) hashes: Vec<[u8; 32]>,
    pub(crate) size: u64,
}

impl Dish {
    /// `files` sorted by path, with their bytes.
    pub(crate) fn new(game: &str, version: &str, files: &[(&str, Vec<u8>)]) -> Self {
        let entry = |(path, bytes): &(&str, Vec<u8>)| {
            let hash = hex(blake3::hash(bytes).as_bytes());
            format!(r#"{{"p":"{path}","s":{},"h":"{hash}"}}"#, bytes.len())
        };
        let entries: Vec<String> = files.iter().map(entry).collect();
        let mut dish = Self::of_manifest(game, version, &entries.join(","));
        for (_, bytes) in files {
            for (number, chunk) in bytes.chunks(CHUNK).enumerate() {
                let hash = if bytes.len() <= CHUNK {
                    *blake3::hash(chunk).as_bytes()
                } else {
                    let mut hasher = Hasher::new();
                    hasher.set_input_offset((number * CHUNK) as u64);
                    hasher.update(chunk).finalize_non_root()
                };
                dish.chunks.push(chunk.to_vec());
                dish.hashes.push(hash);
            }
            dish.size += bytes.len() as u64;
        }
        dish
    }

    /// A game whose manifest lists `entries`, true or not.
    pub(crate) fn of_manifest(game: &str, version: &str, entries: &str) -> Self {
        let manifest = format!(
            r#"{{"v":1,"game":"{game}","version":"{version}","sentinel":"{version}\n","files":[{entries}],"dirs":[],"links":[]}}"#
        )
        .into_bytes();
        Self {
            game: game.into(),
            version: version.into(),
            content: hex(blake3::hash(&manifest).as_bytes()),
            manifest,
            chunks: Vec::new(),
            hashes: Vec::new(),
            size: 0,
        }
    }

    /// Its line in a library.
    pub(crate) fn entry(&self) -> Value {
        json!({"game": self.game, "title": self.game, "version": self.version, "content": self.content,
            "size": self.size, "files": 1, "state": "ready"})
    }
}

/// How a host treats its guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treats {
    /// As the protocol says.
    Well,
    /// The manifest's bytes are not the ones the ContentId names.
    OtherManifest,
    /// The manifest is announced as 4 GiB.
    EndlessManifest,
    /// Every hash of a chunk has one bit wrong.
    WrongHashes,
    /// Every chunk has one bit wrong.
    WrongChunks,
    /// A chunk outside the ranges asked for.
    UnaskedChunks,
    /// The same chunk over and over.
    RepeatedChunks,
    /// A chunk's bytes come one a second.
    OneByteASecond,
    /// Requests are taken and never answered.
    Silently,
    /// The have-map is longer than the content.
    LongHaveMap,
    /// The library is announced as 4 GiB.
    EndlessLibrary,
    /// The library is no JSON.
    GarbledLibrary,
    /// Well, but its clock is an hour behind.
    AnHourBehind,
}

/// A listening peer; it ends with the test's runtime.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) addr: SocketAddr,
    pub(crate) id: String,
    asked: Arc<Mutex<Vec<Value>>>,
}

/// What a host is made of.
#[derive(Debug)]
struct House {
    dish: Dish,
    library: Vec<Value>,
    treats: Treats,
    /// Said on each control stream after Hello.
    says: Vec<Value>,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Host {
    /// Serves `dish`.
    pub(crate) fn new(dish: Dish, treats: Treats) -> Self {
        let library = vec![dish.entry()];
        Self::with(dish, treats, library, Vec::new())
    }

    /// Announces any library, and says things unasked.
    pub(crate) fn with(dish: Dish, treats: Treats, library: Vec<Value>, says: Vec<Value>) -> Self {
        let key = Key::new();
        let mut server = listener(&key);
        let addr = server.local_addr().expect("a bound socket");
        let asked = Arc::default();
        let house = Arc::new(House { dish, library, treats, says, asked: Arc::clone(&asked) });
        let port = addr.port();
        tokio::spawn(async move {
            while let Some(connection) = server.accept().await {
                tokio::spawn(receive_guest(connection, Arc::clone(&house), port));
            }
        });
        Self { addr, id: key.id, asked }
    }

    /// Every frame that came in so far, requests and control messages.
    pub(crate) fn asked(&self, tag: &str) -> Vec<Value> {
        let asked = self.asked.lock().expect("no holder panics");
        asked.iter().filter(|message| message["t"] == tag).cloned().collect()
    }
}

async fn receive_guest(mut connection: Connection, house: Arc<House>, port: u16) {
    while let Ok(Some(stream)) = connection.accept_bidirectional_stream().await {
        let house = Arc::clone(&house);
        // A guest that leaves in the middle is no failure of the host's.
        tokio::spawn(async move { drop(answer(stream, &house, port).await) });
    }
}

async fn answer(stream: BidirectionalStream, house: &House, port: u16) -> Result<(), Cut> {
    let (receive, mut sender) = stream.split();
    let mut reader = Reader::new(receive);
    let request = reader.frame().await?;
    house.asked.lock().expect("no holder panics").push(request.clone());
    if request["t"] == "hello" {
        let mut ack = hello(0xfeed);
        ack["t"] = json!("hello_ack");
        ack["name"] = json!("host");
        ack["ports"] = json!([port]);
        if house.treats == Treats::AnHourBehind {
            ack["clock"] = json!(unix_ms() - 3_600_000);
        }
        send(&mut sender, frame(&ack)).await?;
        for message in &house.says {
            send(&mut sender, frame(message)).await?;
        }
        loop {
            let message = reader.frame().await?;
            house.asked.lock().expect("no holder panics").push(message);
        }
    }
    if house.treats == Treats::Silently && request["t"] != "library" {
        return std::future::pending().await;
    }
    if request["t"] != "library" && request["content"] != json!(house.dish.content) {
        send(&mut sender, Bytes::from_static(&[2])).await?;
        return sender.close().await.map_err(cut);
    }
    match request["t"].as_str() {
        Some("library") => send_library(&mut sender, house).await?,
        Some("manifest") => send_manifest(&mut sender, house).await?,
        Some("hashes") => {
            let mut bytes = vec![0];
            for number in numbers(&request["ranges"]) {
                let mut hash = house.dish.hashes[number as usize];
                hash[0] ^= u8::from(house.treats == Treats::WrongHashes);
                bytes.extend_from_slice(&hash);
            }
            send(&mut sender, bytes).await?;
        }
        Some("have") => {
            let count = house.dish.chunks.len() + if house.treats == Treats::LongHaveMap { 8_000 } else { 0 };
            let mut map = vec![0_u8; count.div_ceil(8)];
            for number in 0..count {
                map[number / 8] |= 1 << (number % 8);
            }
            send(&mut sender, [&[0], &(map.len() as u32).to_be_bytes()[..], &map].concat()).await?;
            // The subscription is the stream: it stays until the guest is gone.
            return std::future::pending().await;
        }
        Some("chunks") => send_chunks(&mut sender, &request, house).await?,
        _ => send(&mut sender, Bytes::from_static(&[1])).await?,
    }
    sender.close().await.map_err(cut)
}

async fn send_library(sender: &mut s2n_quic::stream::SendStream, house: &House) -> Result<(), Cut> {
    let mut body = json!({"digest": "11".repeat(32), "games": house.library}).to_string();
    let mut len = body.len() as u32;
    if house.treats == Treats::EndlessLibrary {
        len = u32::MAX;
    }
    if house.treats == Treats::GarbledLibrary {
        body = "\u{1b}[2J{{{".repeat(body.len() / 7 + 1)[..body.len()].to_owned();
    }
    send(sender, [&[0], &len.to_be_bytes()[..], body.as_bytes()].concat()).await
}

async fn send_manifest(sender: &mut s2n_quic::stream::SendStream, house: &House) -> Result<(), Cut> {
    let mut body = house.dish.manifest.clone();
    if house.treats == Treats::OtherManifest {
        let at = body.iter().position(|byte| *byte == b'v').expect("a manifest has a v");
        body[at] = b'w';
    }
    let len = if house.treats == Treats::EndlessManifest { u32::MAX } else { body.len() as u32 };
    send(sender, [&[0], &len.to_be_bytes()[..], &body].concat()).await
}

async fn send_chunks(sender: &mut s2n_quic::stream::SendStream, request: &Value, house: &House) -> Result<(), Cut> {
    send(sender, Bytes::from_static(&[0])).await?;
    let take = request["take"].as_u64().unwrap_or(0) as usize;
    let mut numbers: Vec<u32> = numbers(&request["of"]).into_iter().take(take).collect();
    if house.treats == Treats::UnaskedChunks {
        let all = 0..house.dish.chunks.len() as u32;
        numbers = all.filter(|number| !numbers.contains(number)).chain([4_000_000_000]).collect();
    }
    if house.treats == Treats::RepeatedChunks {
        numbers = vec![numbers[0]; 1_000];
    }
    for number in numbers {
        let mut chunk = house.dish.chunks.get(number as usize).cloned().unwrap_or_default();
        if house.treats == Treats::WrongChunks {
            chunk[0] ^= 1;
        }
        send(sender, Bytes::copy_from_slice(&number.to_be_bytes())).await?;
        if house.treats == Treats::OneByteASecond {
            for byte in chunk {
                send(sender, vec![byte]).await?;
                sender.flush().await.map_err(cut)?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        } else {
            send(sender, chunk).await?;
        }
    }
    Ok(())
}

/// The numbers in a list of half-open ranges.
fn numbers(ranges: &Value) -> Vec<u32> {
    let pair = |range: &Value| Some(range[0].as_u64()? as u32..range[1].as_u64()? as u32);
    ranges.as_array().into_iter().flatten().filter_map(pair).flatten().collect()
}
