//! Drives `core::download` over links: one stream a request and a subscription, words from their
//! tasks in, outputs out.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    Look, Notice, Order, Told,
    fetch::{self, Chunks, Written},
    getting::{End, Getting, Opened, SourceLink},
    map::Counted,
    shown,
};
use crate::{
    api::{EventKind, Level, Reply, SourceView, StateWord, TransferView},
    core::{
        download::{Download, Input, Output, Plan, RequestEnd, RequestNo, State, Wait},
        queue,
    },
    io::{clock, random, store::WriteError},
    runtime::{input::LinksInput, links::Link},
    types::{ChunkNo, ChunkSet, EntryState, PeerId, Tenths},
    wire::message::Control,
};

/// Words of streams that were not looked at yet; the streams wait beyond.
const TOLD_MAX: usize = 256;
/// How often the view is made and round trips are looked at.
const TICK: Duration = Duration::from_millis(250);

impl Getting {
    /// Fetches what is missing. `before` is what came from whom in an earlier round.
    pub(super) async fn download(&mut self, opened: &Opened, before: Vec<SourceView>) -> Result<Vec<SourceView>, End> {
        let (told, mut words) = mpsc::channel(TOLD_MAX);
        let mut running = Running::new(self, opened, told);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let cancelled = self.context.tasks.cancelled().clone();
        running.on_order(*self.orders.borrow_and_update(), clock::now());
        running.on_sources(&self.sources.borrow_and_update().clone());
        loop {
            running.carry_out(self).await?;
            if running.core.state() == State::Done && running.writing == 0 {
                return Ok(merged(before, &running.all_sources(self)));
            }
            let next = running.core.poll_timeout().map(|(at, _)| at);
            tokio::select! {
                biased;
                () = cancelled.cancelled() => return Err(End::Cancelled),
                changed = self.orders.changed() => {
                    changed.map_err(|_| End::Cancelled)?;
                    let order = *self.orders.borrow_and_update();
                    if let Order::Stop(keep) = order {
                        running.settle_writes(&mut words).await;
                        return Err(End::Stopped(keep));
                    }
                    running.on_order(order, clock::now());
                }
                Some(word) = words.recv() => running.on_told(word, self).await?,
                changed = self.sources.changed() => {
                    changed.map_err(|_| End::Cancelled)?;
                    running.on_sources(&self.sources.borrow_and_update().clone());
                }
                Some(look) = self.looks.recv() => running.on_look(look, self),
                () = timeout(next) => running.core.handle_timeout(clock::now()),
                _ = ticks.tick() => running.on_tick(self).await,
            }
        }
    }
}

/// Sleeps until `at`, for ever without one.
async fn timeout(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// A download under way. Dropping it cancels its streams.
struct Running<'a> {
    opened: &'a Opened,
    core: Download,
    chunks: Arc<Chunks>,
    told: mpsc::Sender<Told>,
    links: BTreeMap<PeerId, SourceLink>,
    requests: BTreeMap<RequestNo, CancellationToken>,
    /// Subscriptions: which one of a peer it is, and its end.
    haves: BTreeMap<PeerId, (u64, CancellationToken)>,
    turn: u64,
    /// Batches of chunks on the disk's threads.
    writing: usize,
    /// Verified bytes of each peer, also of those that have left.
    given: BTreeMap<PeerId, u64>,
    bad: ChunkSet,
    announced: Option<Tenths>,
    needs: u64,
}

impl<'a> Running<'a> {
    fn new(getting: &Getting, opened: &'a Opened, told: mpsc::Sender<Told>) -> Self {
        let manifest = opened.incoming.manifest();
        let chunk_lens = manifest.chunk_lens();
        let have = opened.shelved.have_map();
        let shared = &getting.shared;
        let chunks = Chunks {
            content: getting.wish.content,
            lens: Arc::clone(&chunk_lens),
            incoming: Arc::clone(&opened.incoming),
            buffers: shared.buffers.clone(),
            limits: Arc::clone(&shared.limits),
            meter: shared.meter.clone(),
            pool: getting.context.pool.clone(),
            told: told.clone(),
        };
        let plan = Plan {
            me: getting.context.me,
            have,
            wanted: ChunkSet::full(manifest.chunk_count()),
            chunk_lens,
            seed: random::seed(),
            in_flight_max: shared.in_flight_max,
        };
        Self {
            opened,
            core: Download::new(plan),
            chunks: Arc::new(chunks),
            told,
            links: BTreeMap::new(),
            requests: BTreeMap::new(),
            haves: BTreeMap::new(),
            turn: 0,
            writing: 0,
            given: BTreeMap::new(),
            bad: ChunkSet::empty(manifest.chunk_count()),
            announced: None,
            needs: u64::MAX,
        }
    }

    fn on_order(&mut self, order: Order, now: Instant) {
        match order {
            Order::Run => {
                self.core.handle_input(Input::DiskFree, now);
                self.core.handle_input(Input::Resume, now);
            }
            Order::Hold(queue::Wait::DiskFull { .. }) => self.core.handle_input(Input::DiskFull, now),
            Order::Hold(queue::Wait::Turn { .. } | queue::Wait::NoLibrary | queue::Wait::Paused) => {
                self.core.handle_input(Input::Pause, now);
            }
            // It waits for a source by itself, and goes on listening.
            Order::Hold(queue::Wait::NoSource) | Order::Stop(_) => {}
        }
    }

    /// Makes the core's sources those of the actor's newest list.
    fn on_sources(&mut self, list: &[SourceLink]) {
        let now = clock::now();
        let gone: Vec<PeerId> = self
            .links
            .iter()
            .filter(|(peer, known)| {
                // Another link is another path: what ran on the old one is over.
                let newest = list.iter().find(|source| source.peer == **peer);
                newest.is_none_or(|source| source.link.id() != known.link.id())
            })
            .map(|(peer, _)| *peer)
            .collect();
        for peer in gone {
            self.links.remove(&peer);
            self.unsubscribe(peer);
            self.core.handle_input(Input::SourceDown { peer }, now);
        }
        for source in list {
            let peer = source.peer;
            let complete = source.state == EntryState::Ready;
            let round_trip = source.link.stats().rtt_min;
            self.links.insert(peer, source.clone());
            self.core.handle_input(Input::SourceUp { peer, complete, round_trip }, now);
        }
    }

    async fn on_told(&mut self, word: Told, getting: &Getting) -> Result<(), End> {
        let now = clock::now();
        let input = match word {
            Told::HaveMap { peer, turn, have } if self.is_current(peer, turn) => Input::HaveMap { peer, have },
            Told::HaveDelta { peer, turn, set, clear } if self.is_current(peer, turn) => {
                Input::HaveDelta { peer, set, clear }
            }
            Told::HaveEnded { peer, turn } if self.is_current(peer, turn) => {
                self.haves.remove(&peer);
                Input::HaveEnded { peer }
            }
            Told::HaveMap { .. } | Told::HaveDelta { .. } | Told::HaveEnded { .. } => return Ok(()),
            Told::Named { request, chunk } => Input::ChunkNamed { request, chunk },
            Told::Arrived { request, chunks, named } => {
                self.writing += 1;
                for chunk in chunks {
                    if !named {
                        self.core.handle_input(Input::ChunkNamed { request, chunk }, now);
                    }
                    self.core.handle_input(Input::ChunkArrived { request, chunk }, now);
                }
                return Ok(());
            }
            Told::Ended { request, end } => {
                self.requests.remove(&request);
                Input::RequestEnded { request, end }
            }
            Told::Written { request, peer, written } => {
                self.writing -= 1;
                for (chunk, written) in written {
                    self.on_written((request, peer), chunk, written, getting).await?;
                }
                return Ok(());
            }
        };
        self.core.handle_input(input, now);
        Ok(())
    }

    async fn on_written(
        &mut self,
        (request, peer): (RequestNo, PeerId),
        chunk: ChunkNo,
        written: Written,
        getting: &Getting,
    ) -> Result<(), End> {
        let now = clock::now();
        match written {
            Ok(new) => {
                if new {
                    *self.given.entry(peer).or_default() += u64::from(self.chunks.lens[chunk.index()]);
                }
                getting.context.counters.chunks_in.one();
                self.bad.remove(chunk);
                self.opened.shelved.add(chunk);
                self.core.handle_input(Input::ChunkVerified { request, chunk }, now);
            }
            Err(WriteError::WrongHash { .. }) => {
                getting.context.counters.bad_chunks_in.one();
                self.bad.insert(chunk);
                self.core.handle_input(Input::ChunkBad { request, chunk }, now);
            }
            Err(WriteError::NoSpace { .. }) => {
                self.core.handle_input(Input::ChunkUnwritten { request, chunk }, now);
                self.core.handle_input(Input::DiskFull, now);
                getting.notify(Notice::DiskFull).await;
            }
            Err(WriteError::NoSuchChunk { .. } | WriteError::NoHash { .. }) => {
                // We asked for it and know the hashes of all: only a bug leads here.
                return Err(End::Failed(format!("chunk {chunk} cannot be checked")));
            }
            Err(WriteError::Disk(error)) => return Err(End::Failed(error.to_string())),
        }
        Ok(())
    }

    /// Does what the core wants, until it wants nothing more.
    async fn carry_out(&mut self, getting: &Getting) -> Result<(), End> {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Subscribe { peer } => self.subscribe(peer, getting),
                Output::Unsubscribe { peer } => self.unsubscribe(peer),
                Output::Request { request, peer, of, take } => {
                    let cancelled = CancellationToken::new();
                    self.requests.insert(request, cancelled.clone());
                    match self.link(peer) {
                        Some(link) => {
                            let asking = Arc::clone(&self.chunks).run(link, peer, request, (of, take), cancelled);
                            getting.context.tasks.spawn("get chunks", asking);
                        }
                        None => {
                            let ended = Input::RequestEnded { request, end: RequestEnd::LinkLost };
                            self.core.handle_input(ended, clock::now());
                        }
                    }
                }
                Output::CancelRequest { request } => {
                    if let Some(cancelled) = self.requests.remove(&request) {
                        cancelled.cancel();
                    }
                }
                Output::ReportBad { peer, chunk } => self.report_bad(peer, chunk, getting).await,
                Output::DropSource { peer } => {
                    let text = format!(
                        "{} sent wrong data for {} several times and is not asked for it any more.",
                        getting.name_of(&peer),
                        getting.wish.title
                    );
                    let kind = EventKind::PeerTrouble { peer: Some(peer.to_string()) };
                    getting.context.teller.tell(Level::Warning, kind, text);
                }
                Output::StateChanged(state) => self.on_state(state, getting).await,
            }
        }
        Ok(())
    }

    async fn on_state(&mut self, state: State, getting: &Getting) {
        match state {
            State::Getting => getting.notify(Notice::SourceFound).await,
            State::Waiting(Wait::NoSource | Wait::NobodyHasTheRest) => {
                getting.notify(Notice::NoSource).await;
                self.tell_that_nobody_has_it(getting);
            }
            State::Waiting(Wait::SourcesAway | Wait::DiskFull) | State::Paused | State::Done => {}
        }
        self.show(getting);
    }

    fn tell_that_nobody_has_it(&self, getting: &Getting) {
        let wish = &getting.wish;
        let missing = 100 - shown::percent(self.core.have_bytes(), self.opened.incoming.manifest().size());
        let kind = EventKind::Transfer {
            game: wish.game.as_str().to_owned(),
            content: wish.content.to_string(),
            state: StateWord::Waiting,
        };
        let text = format!("{}: nobody here has the missing {missing} %. It goes on when somebody does.", wish.title);
        getting.context.teller.tell(Level::Info, kind, text);
    }

    async fn report_bad(&self, peer: PeerId, chunk: ChunkNo, getting: &Getting) {
        let wish = &getting.wish;
        let kind = EventKind::BadChunk {
            game: wish.game.as_str().to_owned(),
            content: wish.content.to_string(),
            chunk: chunk.0,
            peer: peer.to_string(),
        };
        let text = format!("{}: {} sent a damaged chunk; it is fetched again.", wish.title, getting.name_of(&peer));
        getting.context.teller.tell(Level::Warning, kind, text);
        let message = Control::BadChunk { content: wish.content, chunk: chunk.0 };
        // The links end before us only when the runtime does.
        let _ = getting.context.inputs.links.send(LinksInput::Send { peer, message }).await;
    }

    fn subscribe(&mut self, peer: PeerId, getting: &Getting) {
        let Some(link) = self.link(peer) else { return };
        self.turn += 1;
        let (turn, cancelled) = (self.turn, CancellationToken::new());
        if let Some((_, before)) = self.haves.insert(peer, (turn, cancelled.clone())) {
            before.cancel();
        }
        let chunk_count = self.opened.incoming.manifest().chunk_count();
        let following =
            fetch::haves(link, getting.wish.content, chunk_count, (peer, turn), self.told.clone(), cancelled);
        getting.context.tasks.spawn("follow a have-map", following);
    }

    fn unsubscribe(&mut self, peer: PeerId) {
        if let Some((_, cancelled)) = self.haves.remove(&peer) {
            cancelled.cancel();
        }
    }

    fn is_current(&self, peer: PeerId, turn: u64) -> bool {
        self.haves.get(&peer).is_some_and(|(current, _)| *current == turn)
    }

    fn link(&self, peer: PeerId) -> Option<Link> {
        self.links.get(&peer).map(|source| source.link.clone())
    }

    async fn on_tick(&mut self, getting: &Getting) {
        let now = clock::now();
        for (peer, source) in &self.links {
            let round_trip = source.link.stats().rtt_min;
            if !round_trip.is_zero() {
                self.core.handle_input(Input::RoundTrip { peer: *peer, round_trip }, now);
            }
        }
        let left = self.core.left_bytes();
        if left != self.needs {
            self.needs = left;
            getting.notify(Notice::Needs(left)).await;
        }
        let have = self.core.have();
        let tenths = Tenths::of(u64::from(have.len()), u64::from(have.chunk_count()));
        if self.announced != Some(tenths) {
            self.announced = Some(tenths);
            getting.announce(&self.opened.shelved).await;
        }
        self.show(getting);
    }

    fn show(&self, getting: &Getting) {
        let view = self.view(getting);
        getting.view.send_if_modified(|shown| {
            let changed = *shown != view;
            *shown = view;
            changed
        });
    }

    fn view(&self, getting: &Getting) -> TransferView {
        let core = &self.core;
        let manifest = self.opened.incoming.manifest();
        let sources = self.all_sources(getting);
        let down_bps = sources.iter().map(|source| source.bps).sum();
        let (state, reason) = shown::state(core.state());
        let have = core.have();
        TransferView {
            state,
            reason: reason.to_owned(),
            percent: shown::percent(core.have_bytes(), manifest.size()),
            done: core.have_bytes(),
            size: manifest.size(),
            reused: self.opened.reused,
            sources,
            down_bps,
            left_s: core.left_bytes().checked_div(down_bps),
            chunks: have.chunk_count(),
            chunks_have: have.len(),
            map: self.counted().whole(),
            ..shown::blank(&getting.wish)
        }
    }

    fn counted(&self) -> Counted<'_> {
        Counted { download: &self.core, bad: &self.bad }
    }

    fn on_look(&self, look: Look, getting: &Getting) {
        let manifest = self.opened.incoming.manifest();
        let map = self.counted().part(getting.wish.content, &look.request, manifest, |peer| getting.name_of(peer));
        super::answer(Some(look.reply), Ok(Reply::Map(Box::new(map))));
    }

    fn all_sources(&self, getting: &Getting) -> Vec<SourceView> {
        shown::sources(&self.core, &self.given, |peer| getting.name_of(peer))
    }

    /// Waits for what is on the disk's threads: it must not be written into what is then deleted.
    async fn settle_writes(&mut self, words: &mut mpsc::Receiver<Told>) {
        for cancelled in self.requests.values() {
            cancelled.cancel();
        }
        while self.writing > 0 {
            match words.recv().await {
                Some(Told::Arrived { .. }) => self.writing += 1,
                Some(Told::Written { .. }) => self.writing -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let haves = self.haves.values().map(|(_, cancelled)| cancelled);
        for cancelled in self.requests.values().chain(haves) {
            cancelled.cancel();
        }
    }
}

/// Bytes of two rounds together.
fn merged(before: Vec<SourceView>, now: &[SourceView]) -> Vec<SourceView> {
    let mut all = now.to_vec();
    for earlier in before {
        match all.iter_mut().find(|source| source.peer == earlier.peer) {
            Some(source) => source.bytes += earlier.bytes,
            None => all.push(SourceView { bps: 0, coming: 0, ..earlier }),
        }
    }
    all
}
