//! A peer that dials: hello, requests, and answers to what it is asked, all after
//! `docs/protocol.md`. It holds a library of its own, of whatever entries a test gives it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use s2n_quic::{
    connection::{Handle, StreamAcceptor},
    stream::{BidirectionalStream, SendStream},
};
use serde_json::{Value, json};

use super::ends::{Cut, GOOD, Key, Reader, connect_to, cut, dialler, dialler_at, frame, hex, send};

/// A link after Hello.
pub(crate) struct Visitor {
    handle: Handle,
    /// Keeps the socket.
    _client: s2n_quic::Client,
    /// What arrives on the control stream.
    pub(crate) control: Reader,
    /// What we say on it.
    pub(crate) say: SendStream,
    /// The accepter's Hello.
    pub(crate) ack: Value,
}

/// What a peer says of itself.
pub(crate) fn hello(nonce: u64) -> Value {
    let digest = "11".repeat(32);
    json!({"t": "hello", "proto": 1, "nonce": format!("{nonce:016x}"), "name": "visitor", "ports": [47_800],
        "library": {"digest": digest}})
}

/// Our clock.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    since.as_millis().try_into().expect("a time of this age")
}

impl Visitor {
    /// A new peer that has said hello, with an empty library.
    pub(crate) async fn new(addr: SocketAddr, expect: &str) -> Result<Self, Cut> {
        Self::with(&Key::new(), addr, expect, hello(7), Vec::new()).await
    }

    /// With a key, a hello and a library of its own.
    pub(crate) async fn with(
        key: &Key,
        addr: SocketAddr,
        expect: &str,
        hello: Value,
        library: Vec<Value>,
    ) -> Result<Self, Cut> {
        Self::through(dialler(key, Some(expect), GOOD), addr, hello, library).await
    }

    /// A new peer of another machine, by its address.
    pub(crate) async fn from(machine: Ipv4Addr, addr: SocketAddr, expect: &str) -> Result<Self, Cut> {
        Self::through(dialler_at(machine, &Key::new(), Some(expect), GOOD), addr, hello(7), Vec::new()).await
    }

    async fn through(
        client: s2n_quic::Client,
        addr: SocketAddr,
        hello: Value,
        library: Vec<Value>,
    ) -> Result<Self, Cut> {
        let (mut handle, acceptor) = link(&client, addr).await?;
        answer_requests(acceptor, library);
        let stream = handle.open_bidirectional_stream().await.map_err(|error| cut(error.into()))?;
        let (receive, mut say) = stream.split();
        let mut control = Reader::new(receive);
        send(&mut say, frame(&hello)).await?;
        let ack = control.frame().await?;
        if ack["t"] != "hello_ack" {
            return Err(Cut::Broken(ack.to_string()));
        }
        Ok(Self { handle, _client: client, control, say, ack })
    }

    /// Says goodbye, and goes when it has arrived.
    pub(crate) async fn goodbye(mut self) -> Result<(), Cut> {
        send(&mut self.say, frame(&json!({"t": "goodbye"}))).await?;
        while self.control.frame().await.is_ok() {}
        Ok(())
    }

    /// Opens a stream, sends the frame, and finishes our side.
    pub(crate) async fn ask(&self, request: &Value) -> Result<Reader, Cut> {
        let (reader, mut sender) = self.open().await?;
        send(&mut sender, frame(request)).await?;
        // The answer may already have ended the stream; what it says is read next.
        let _ = sender.finish();
        Ok(reader)
    }

    /// A stream on which nothing has been said.
    pub(crate) async fn open(&self) -> Result<(Reader, SendStream), Cut> {
        let stream = self.handle.clone().open_bidirectional_stream().await.map_err(|error| cut(error.into()))?;
        let (receive, sender) = stream.split();
        Ok((Reader::new(receive), sender))
    }

    /// The status of an answer that is only a status.
    pub(crate) async fn status_of(&self, request: &Value) -> Result<u8, Cut> {
        let mut answer = self.ask(request).await?;
        let status = answer.status().await?;
        answer.end().await?;
        Ok(status)
    }

    /// The library's snapshot.
    pub(crate) async fn library(&self) -> Result<Value, Cut> {
        let mut answer = self.ask(&json!({"t": "library"})).await?;
        assert_eq!(answer.status().await?, 0);
        let len = answer.number().await? as usize;
        assert!(len <= 1 << 20, "a library of {len} bytes");
        let body = answer.exactly(len).await?;
        answer.end().await?;
        serde_json::from_slice(&body).map_err(|error| Cut::Broken(error.to_string()))
    }

    /// A manifest whose bytes hash to `content`.
    pub(crate) async fn manifest(&self, content: &str) -> Result<Value, Cut> {
        let mut answer = self.ask(&json!({"t": "manifest", "content": content})).await?;
        assert_eq!(answer.status().await?, 0);
        let len = answer.number().await? as usize;
        assert!(len <= 16 << 20, "a manifest of {len} bytes");
        let body = answer.exactly(len).await?;
        answer.end().await?;
        assert_eq!(hex(blake3::hash(&body).as_bytes()), content);
        Ok(serde_json::from_slice(&body).expect("a manifest is JSON"))
    }

    /// The hashes of a run of chunks.
    pub(crate) async fn hashes(&self, content: &str, start: u32, end: u32) -> Result<Vec<[u8; 32]>, Cut> {
        let request = json!({"t": "hashes", "content": content, "ranges": [[start, end]]});
        let mut answer = self.ask(&request).await?;
        assert_eq!(answer.status().await?, 0);
        let mut hashes = Vec::new();
        for _ in start..end {
            hashes.push(answer.exactly(32).await?.try_into().expect("32 bytes"));
        }
        answer.end().await?;
        Ok(hashes)
    }

    /// Chunks of the server's choice; `len_of` gives the length of each number.
    pub(crate) async fn chunks(
        &self,
        content: &str,
        of: &[(u32, u32)],
        take: u32,
        len_of: impl Fn(u32) -> usize,
    ) -> Result<Vec<(u32, Vec<u8>)>, Cut> {
        let request = json!({"t": "chunks", "content": content, "of": of, "take": take});
        let mut answer = self.ask(&request).await?;
        assert_eq!(answer.status().await?, 0);
        let mut chunks = Vec::new();
        loop {
            match answer.number().await {
                Ok(number) => chunks.push((number, answer.exactly(len_of(number)).await?)),
                Err(Cut::Ended) => return Ok(chunks),
                Err(cut) => return Err(cut),
            }
        }
    }
}

/// A link without Hello.
pub(crate) async fn link(client: &s2n_quic::Client, addr: SocketAddr) -> Result<(Handle, StreamAcceptor), Cut> {
    let mut connection = client.connect(connect_to(addr)).await.map_err(|error| cut(error.into()))?;
    connection.keep_alive(true).map_err(|error| cut(error.into()))?;
    Ok(connection.split())
}

/// Answers what the other side asks: our library, and that no content is here.
fn answer_requests(mut acceptor: StreamAcceptor, library: Vec<Value>) {
    let body = json!({"digest": "11".repeat(32), "games": library}).to_string();
    tokio::spawn(async move {
        while let Ok(Some(stream)) = acceptor.accept_bidirectional_stream().await {
            tokio::spawn(answer_one(stream, body.clone()));
        }
    });
}

async fn answer_one(stream: BidirectionalStream, library: String) -> Result<(), Cut> {
    let (receive, mut sender) = stream.split();
    let request = Reader::new(receive).frame().await?;
    let answer = if request["t"] == "library" {
        let len = (library.len() as u32).to_be_bytes();
        [&[0], &len[..], library.as_bytes()].concat()
    } else {
        vec![2]
    };
    send(&mut sender, Bytes::from(answer)).await?;
    sender.close().await.map_err(cut)
}
