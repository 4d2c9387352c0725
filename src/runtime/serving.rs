//! Serves what this machine has: manifests, hashes, have-maps and chunks. The actor drives one
//! `core::offer` for each content that is asked for; each stream has a task of its own that reads the
//! disk through the pool and writes to the link. It decides nothing about what is shared (the shelf
//! says that) and knows no library beyond asking for its snapshot.

mod answer;
mod sending;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use s2n_quic::stream::BidirectionalStream;
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval, sleep_until},
};

use self::sending::{Order, Sending};
use super::{
    buffers::Buffers,
    context::Context,
    input::{LibraryInput, ServingInput},
    shelf::{Files, Shelved},
    traffic::{self, Meter},
    view::Traffic,
};
use crate::{
    api::{EventKind, Level},
    core::{
        limits::Limits,
        offer::{Input, Offer, Output, RequestNo},
    },
    io::{clock, random},
    types::{ChunkNo, ContentId, PeerId},
    wire::{
        fetch::{ChunkPairs, Status, TAKE_MAX},
        message::Request,
    },
};

/// Chunk buffers for sending: a third of what a process may hold in memory.
const BUFFERS: usize = 32;
/// Words from sending tasks that the actor has not read; they wait beyond.
const TOLD_MAX: usize = 512;
/// Orders a sending task has not carried out: the one it reads ahead, and the end.
const ORDERS_MAX: usize = 4;
/// Contents whose count of copies given is remembered; idle ones go when there are more.
const OFFERS_MAX: usize = 64;
/// Looks at a content that nobody asks for, half a second apart, before what was given of it is forgotten:
/// longer than any getter pauses.
const IDLE_TICKS_MAX: u32 = 120;
/// Reports of bad chunks being looked into. Each costs a read of a chunk, so a flood is dropped.
const CHECKS_MAX: usize = 8;

/// What a sending task tells the actor.
#[derive(Debug)]
enum Told {
    /// What was ordered last is on its way: the next may be chosen.
    Sending { request: RequestNo },
    /// The task has ended before everything was acknowledged.
    Dropped { request: RequestNo },
    /// The peer's machine has acknowledged everything it was given.
    Taken { request: RequestNo },
    /// A report of a bad chunk was looked into.
    Checked { content: ContentId, chunk: ChunkNo, bad: bool },
}

/// Runs the actor until the runtime ends.
pub(crate) async fn run(
    context: Context,
    mut inbox: mpsc::Receiver<ServingInput>,
    shown: watch::Sender<Arc<BTreeMap<PeerId, Traffic>>>,
) -> Result<(), Infallible> {
    let cancelled = context.tasks.cancelled().clone();
    let (told, mut words) = mpsc::channel(TOLD_MAX);
    let mut serving = Serving::new(context, told);
    let mut ticks = interval(traffic::TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let next = serving.next_timeout();
        tokio::select! {
            biased;
            () = cancelled.cancelled() => return Ok(()),
            Some(word) = words.recv() => serving.on_told(word).await,
            input = inbox.recv() => match input {
                Some(input) => serving.on_input(input),
                None => return Ok(()),
            },
            () = timeout(next) => serving.on_timeout(),
            _ = ticks.tick() => {
                serving.forget_idle();
                if let Some(rates) = serving.meter.tick(traffic::TICK) {
                    shown.send_replace(rates);
                }
            }
        }
    }
}

/// The content a request is about.
fn content_of(request: &Request) -> Option<ContentId> {
    match request {
        Request::Hello(_) | Request::Library {} => None,
        Request::Manifest { content }
        | Request::Hashes { content, .. }
        | Request::Have { content }
        | Request::Chunks { content, .. } => Some(*content),
    }
}

/// Sleeps until `at`, for ever without one.
async fn timeout(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

struct Serving {
    context: Context,
    told: mpsc::Sender<Told>,
    /// What is being given of each content.
    counters: BTreeMap<ContentId, Counter>,
    requests: BTreeMap<RequestNo, (ContentId, mpsc::Sender<Order>)>,
    next_request: u64,
    limits: Arc<Mutex<Limits>>,
    buffers: Buffers,
    meter: Meter,
    checks: usize,
}

/// The giving of one content.
struct Counter {
    shelved: Arc<Shelved>,
    changes: watch::Receiver<u64>,
    offer: Offer,
    /// Looks in a row that found nobody asking.
    idle_ticks: u32,
}

impl Serving {
    fn new(context: Context, told: mpsc::Sender<Told>) -> Self {
        let mut limits = Limits::unlimited();
        limits.set_everybody(context.settings.up_limit, clock::now());
        let meter = Meter::adding_to(&context.counters.bytes_out);
        Self {
            context,
            told,
            counters: BTreeMap::new(),
            requests: BTreeMap::new(),
            next_request: 0,
            limits: Arc::new(Mutex::new(limits)),
            buffers: Buffers::new(BUFFERS),
            meter,
            checks: 0,
        }
    }

    fn on_input(&mut self, input: ServingInput) {
        match input {
            ServingInput::Request { peer, request, stream } => self.on_request(peer, request, stream),
            ServingInput::PeerDown { peer } => self.each_offer(|| Input::PeerGone { peer }),
            ServingInput::BadChunk { peer, content, chunk } => self.on_bad_chunk(peer, content, chunk),
            ServingInput::Limit { peer, rate } => {
                self.limits.lock().unwrap_or_else(PoisonError::into_inner).set(peer, rate, clock::now());
            }
        }
    }

    fn on_request(&mut self, peer: PeerId, request: Request, stream: BidirectionalStream) {
        let Context { tasks, shelf, inputs, .. } = &self.context;
        if let Some(content) = content_of(&request).filter(|content| shelf.is_closed(content)) {
            let (shelf, serving) = (shelf.clone(), inputs.serving.clone());
            tasks.spawn("open a game", async move {
                // Held until the request is answered from it, so that it is not closed before.
                match shelf.open(content).await {
                    // Refused like any other when the actor is gone.
                    Some(_shelved) => drop(serving.send(ServingInput::Request { peer, request, stream }).await),
                    None => answer::refuse(stream, Status::NotFound).await,
                }
            });
            return;
        }
        match request {
            // The links actor keeps these; one that slipped through is refused like any other nonsense.
            Request::Hello(_) => self.refuse(stream, Status::BadRequest),
            Request::Library {} => {
                tasks.spawn("serve a library", answer::library(stream, inputs.library.clone()));
            }
            Request::Manifest { content } => match shelf.get(content) {
                Some(shelved) => tasks.spawn("serve a manifest", answer::manifest(stream, shelved)),
                None => self.refuse(stream, Status::NotFound),
            },
            Request::Hashes { content, ranges } => match shelf.get(content) {
                Some(shelved) => tasks.spawn("serve hashes", answer::hashes(stream, shelved, ranges)),
                None => self.refuse(stream, Status::NotFound),
            },
            Request::Have { content } => match shelf.get(content) {
                Some(shelved) => {
                    let cancelled = tasks.cancelled().clone();
                    tasks.spawn("serve a have-map", answer::have(stream, shelved, shelf.clone(), cancelled));
                }
                None => self.refuse(stream, Status::NotFound),
            },
            Request::Chunks { content, of, take } => self.on_chunks(peer, content, &of, take, stream),
        }
    }

    fn on_chunks(&mut self, peer: PeerId, content: ContentId, of: &ChunkPairs, take: u32, stream: BidirectionalStream) {
        let Some(shelved) = self.context.shelf.get(content) else { return self.refuse(stream, Status::NotFound) };
        let of = match of.check(shelved.manifest().chunk_count()) {
            Ok(of) if (1..=TAKE_MAX).contains(&take) => of,
            Ok(_) | Err(_) => return self.refuse(stream, Status::BadRequest),
        };
        self.refresh(content, &shelved);
        let request = RequestNo(self.next_request);
        self.next_request += 1;
        let (orders, carry_out) = mpsc::channel(ORDERS_MAX);
        self.requests.insert(request, (content, orders));
        let sending = Sending {
            content,
            request,
            peer,
            shelved,
            orders: carry_out,
            told: self.told.clone(),
            buffers: self.buffers.clone(),
            limits: Arc::clone(&self.limits),
            meter: self.meter.clone(),
            chunks_out: self.context.counters.chunks_out.clone(),
            pool: self.context.pool.clone(),
            library: self.context.inputs.library.clone(),
            cancelled: self.context.tasks.cancelled().clone(),
        };
        self.context.tasks.spawn("serve chunks", sending.run(stream));
        self.offer_input(content, Input::Request { request, peer, of, take });
    }

    /// Makes the content's offer agree with the shelf.
    fn refresh(&mut self, content: ContentId, shelved: &Arc<Shelved>) {
        let known = self.counters.get(&content).is_some_and(|counter| Arc::ptr_eq(&counter.shelved, shelved));
        if known {
            let Some(counter) = self.counters.get_mut(&content) else { return };
            if counter.changes.has_changed().unwrap_or(true) {
                counter.changes.mark_unchanged();
                let have = shelved.have_map();
                self.offer_input(content, Input::HaveChanged { have });
            }
            return;
        }
        if self.counters.len() >= OFFERS_MAX {
            self.counters.retain(|_, counter| !counter.offer.is_idle());
        }
        // Before the first look at the map, so that no change falls between.
        let changes = shelved.subscribe();
        let offer = Offer::new(shelved.manifest().chunk_lens(), shelved.have_map(), random::seed());
        let counter = Counter { shelved: Arc::clone(shelved), changes, offer, idle_ticks: 0 };
        if let Some(before) = self.counters.insert(content, counter) {
            // Taken off the shelf and put there again: what was asked of the old one has ended.
            drop(before);
            self.requests.retain(|_, (of, _)| *of != content);
        }
    }

    /// Lets go of contents nobody asked for in a while, so that the shelf can close them.
    fn forget_idle(&mut self) {
        self.counters.retain(|_, counter| {
            counter.idle_ticks = if counter.offer.is_idle() { counter.idle_ticks + 1 } else { 0 };
            counter.idle_ticks < IDLE_TICKS_MAX
        });
    }

    async fn on_told(&mut self, word: Told) {
        match word {
            Told::Sending { request } => self.request_input(request, Input::Sent { request }),
            Told::Dropped { request } => {
                self.request_input(request, Input::Dropped { request });
                self.requests.remove(&request);
            }
            Told::Taken { request } => {
                self.request_input(request, Input::Taken { request });
                self.requests.remove(&request);
            }
            Told::Checked { content, chunk, bad } => {
                self.checks -= 1;
                if bad {
                    self.on_own_chunk_bad(content, chunk).await;
                }
            }
        }
    }

    fn request_input(&mut self, request: RequestNo, input: Input) {
        if let Some((content, _)) = self.requests.get(&request) {
            self.offer_input(*content, input);
        }
    }

    fn each_offer(&mut self, input: impl Fn() -> Input) {
        for content in self.counters.keys().copied().collect::<Vec<_>>() {
            self.offer_input(content, input());
        }
    }

    fn offer_input(&mut self, content: ContentId, input: Input) {
        let Some(counter) = self.counters.get_mut(&content) else { return };
        counter.offer.handle_input(input, clock::now());
        self.carry_out(content);
    }

    fn on_timeout(&mut self) {
        let now = clock::now();
        let due = |counter: &Counter| counter.offer.poll_timeout().is_some_and(|(at, _)| at <= now);
        let contents = self.counters.iter().filter(|(_, counter)| due(counter)).map(|(content, _)| *content);
        for content in contents.collect::<Vec<_>>() {
            if let Some(counter) = self.counters.get_mut(&content) {
                counter.offer.handle_timeout(now);
            }
            self.carry_out(content);
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.counters.values().filter_map(|counter| counter.offer.poll_timeout()).map(|(at, _)| at).min()
    }

    /// Hands the offer's outputs to the tasks they concern.
    fn carry_out(&mut self, content: ContentId) {
        let Some(counter) = self.counters.get_mut(&content) else { return };
        while let Some(output) = counter.offer.poll_output() {
            let (request, order, last) = match output {
                Output::Send { request, chunks } => (request, Order::Send(chunks), false),
                // Kept until the task says what came of it.
                Output::End { request } => (request, Order::End, false),
                Output::Refuse { request } => (request, Order::Refuse, true),
            };
            if let Some((_, orders)) = self.requests.get(&request) {
                // Never full: the offer orders one at a time. A task that is gone says so itself.
                let _ = orders.try_send(order);
            }
            if last {
                self.requests.remove(&request);
            }
        }
    }

    fn refuse(&self, stream: BidirectionalStream, status: Status) {
        self.context.tasks.spawn("refuse a request", answer::refuse(stream, status));
    }

    /// Reads the chunk again and compares it with its hash.
    fn on_bad_chunk(&mut self, peer: PeerId, content: ContentId, chunk: ChunkNo) {
        let Some(shelved) = self.context.shelf.get(content).filter(|shelved| shelved.has(chunk)) else { return };
        if self.checks >= CHECKS_MAX {
            tracing::debug!(peer = %peer.short(), %content, %chunk, "a report of a bad chunk is one too many");
            return;
        }
        self.checks += 1;
        let (pool, told) = (self.context.pool.clone(), self.told.clone());
        self.context.tasks.spawn("check a chunk", async move {
            let verify = move || match shelved.files() {
                Files::Root(reader) => reader.verify_chunk(chunk),
                Files::Growing(incoming) => incoming.verify_chunk(chunk),
            };
            // What cannot be read is as little to be served as what is wrong.
            let bad = match pool.run(verify).await {
                Ok(Ok(right)) => !right,
                Ok(Err(_)) => true,
                Err(_) => false,
            };
            // The actor is gone at the end only.
            let _ = told.send(Told::Checked { content, chunk, bad }).await;
        });
    }

    async fn on_own_chunk_bad(&mut self, content: ContentId, chunk: ChunkNo) {
        let Some(shelved) = self.context.shelf.get(content) else { return };
        self.context.counters.bad_chunks_here.one();
        shelved.drop_chunk(chunk);
        self.refresh(content, &shelved);
        let manifest = shelved.manifest();
        let place = manifest.place(chunk).map(|place| manifest.file(place.file).path.as_str());
        let kind = EventKind::BadChunk {
            game: manifest.game().as_str().to_owned(),
            content: content.to_string(),
            chunk: chunk.0,
            peer: self.context.me.to_string(),
        };
        let text = format!(
            "{}: `{}` on this disk is damaged; it is no longer shared. `verify --repair` fetches it again.",
            manifest.game().as_str(),
            crate::types::clean(place.unwrap_or("a file"), 200)
        );
        self.context.teller.tell(Level::Warning, kind, text);
        // The library ends before us only when the runtime does.
        let _ = self.context.inputs.library.send(LibraryInput::OwnChunkBad { content, chunk }).await;
    }
}
