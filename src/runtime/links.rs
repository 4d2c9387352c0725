//! Drives `core::roster` over QUIC: dials and accepts, says Hello, carries the control stream of
//! every session, and hands the streams peers open to whoever answers them. Who is dialled and which
//! link stays is the roster's business; what is served, `serving`'s.
//!
//! ```text
//!   inbox ──────────► Actor ── orders ──► a task a link ──► peers
//!   dials, accepts ─►   │   ◄── facts ───     │
//!                       └──────── news ───────┴──► courier ──► library, transfers, serving
//! ```
//!
//! The actor never waits for another actor: the courier does, so that two full inboxes cannot hold
//! each other up.

mod address;
mod asked;
mod frames;
mod link;
mod session;
mod shown;
mod skew;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc, watch};

pub(crate) use link::{Link, OpenError};
use session::{Order, Session};
use shown::{Figures, Standing};
use skew::PeerClock;

use super::{
    context::Context,
    input::{LibraryInput, LinksInput, ReplyTo, ServingInput, TransfersInput},
    view::LinksShown,
};
use crate::{
    api::{ErrorCode, EventKind, Level, LinkPath, Reply},
    core::roster::{DialFailure, Ending, Greeting, LinkNo, Output, Refusal, Roster, Target, Trouble},
    io::{
        clock,
        interfaces::Interfaces,
        quic::{Connection, DialError, Dialler, Endpoint, Incoming, Streams},
        state::StateFile,
    },
    types::{LibraryDigest, PeerId, PeerName},
    wire::{
        frame,
        library::WireDigest,
        message::{Control, Hello, PROTO, PeerAddress, code},
    },
};

/// Facts from link tasks and dials waiting for the actor; their senders wait, one link each.
const FACTS_QUEUED_MAX: usize = 512;
/// News waiting for other actors: all links changing at once, four times over.
const NEWS_QUEUED_MAX: usize = 1_024;
/// Orders waiting for one link. A peer that reads so slowly that they pile up loses the link.
const ORDERS_QUEUED_MAX: usize = 256;
/// First frames being read at once, all links together: 32 MiB at the most.
const READING_MAX: usize = 512;
/// Time for anything to come over a link that a second run of its key puts in doubt: the keep-alive
/// of a second, and a slow machine.
const PROBE_TIME: Duration = Duration::from_millis(1_500);
/// How often figures of links are looked at.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// Between two pictures of the room; the driver shows no more either. Each has every link, so one at each event
/// would cost a large room its links squared while everybody comes.
const SHOW_PAUSE: Duration = Duration::from_millis(50);
/// How old the list of interfaces may be that `peers` messages are checked against.
const INTERFACES_AGE: Duration = Duration::from_secs(5);
/// A `connect` is answered within this: a dial and a Hello, each with its own deadline, and a bit.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long the tasks of links have to say goodbye.
const GOODBYE_TIME: Duration = Duration::from_millis(400);

/// Peers whose coming and going is remembered: more than the roster knows, so that few are swept.
const SINCE_MAX: usize = 1_024;

/// What a link's task, a dial or a look-up reports.
#[derive(Debug)]
enum Fact {
    /// A dial has ended.
    Dialled { target: Target, result: Result<(Connection, Streams), DialError> },
    /// Hello has come.
    Greeted { link: LinkNo, greeting: Greeting, digest: LibraryDigest, clock: Option<PeerClock> },
    /// A link is gone.
    Ended { link: LinkNo, ending: Ending },
    /// Something came over a probed link, or not.
    Probed { link: LinkNo, alive: bool },
    /// A `peers` message, and the address it came from.
    Told { teller: IpAddr, peers: Vec<(PeerId, SocketAddr)> },
    /// The peer leaves.
    Goodbye { peer: PeerId },
    /// An address the user gave, looked up.
    Resolved { address: SocketAddr, reply: Option<ReplyTo> },
    /// A `connect` has waited long enough.
    ConnectOver,
}

/// What the courier carries.
#[derive(Debug)]
enum News {
    Library(LibraryInput),
    Transfers(TransfersInput),
    Serving(ServingInput),
}

/// A link as the actor holds it.
#[derive(Debug)]
struct Held {
    connection: Connection,
    orders: mpsc::Sender<Order>,
    /// What we dialled.
    dialled: Option<Target>,
    /// Of the peer's library, from its Hello.
    digest: Option<LibraryDigest>,
    /// The peer's, from its Hello, if it told.
    clock: Option<PeerClock>,
    /// Of our library, in the Hello we sent.
    told: Option<LibraryDigest>,
    /// Since the roster has admitted it.
    standing: Option<Standing>,
}

/// The QUIC library has ended by itself.
#[derive(Debug, thiserror::Error)]
#[error("nobody can dial this machine any more: its listener has ended")]
pub(crate) struct ListenerGone;

/// Runs until cancelled, or until nobody can dial us any more, then says goodbye to everybody and releases the
/// sockets.
pub(crate) async fn run(
    context: Context,
    endpoint: Endpoint,
    mut incoming: Incoming,
    mut inbox: mpsc::Receiver<LinksInput>,
    shown: watch::Sender<LinksShown>,
) -> Result<(), ListenerGone> {
    let (facts, mut heard) = mpsc::channel(FACTS_QUEUED_MAX);
    let (news, carried) = mpsc::channel(NEWS_QUEUED_MAX);
    context.tasks.spawn("courier", courier(context.inputs.clone(), carried));
    let cancelled = context.tasks.cancelled().clone();
    let mut actor = Actor::new(context, &endpoint, facts, news, shown);
    actor.begin();
    let mut look = tokio::time::interval(LOOK_PAUSE);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let outcome = loop {
        let due = actor.roster.poll_timeout().map(|(at, _)| at);
        tokio::select! {
            biased;
            () = cancelled.cancelled() => break Ok(()),
            Some(fact) = heard.recv() => actor.on_fact(fact),
            Some(input) = inbox.recv() => actor.on_input(input),
            accepted = incoming.accept() => match accepted {
                Some((connection, streams)) => actor.on_accepted(connection, streams),
                None => break Err(ListenerGone),
            },
            () = until(due) => actor.roster.handle_timeout(clock::now()),
            () = until(actor.shows_at) => {
                actor.show();
                continue;
            }
            _ = look.tick() => {}
        }
        actor.settle().await;
    };
    actor.say_goodbye(&mut heard).await;
    drop(incoming);
    endpoint.close().await;
    outcome
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// Waits for slow actors, so that nobody else has to.
async fn courier(inputs: super::input::Inputs, mut carried: mpsc::Receiver<News>) {
    while let Some(news) = carried.recv().await {
        // An actor that is gone ended with the runtime.
        let _ = match news {
            News::Library(input) => inputs.library.send(input).await.is_ok(),
            News::Transfers(input) => inputs.transfers.send(input).await.is_ok(),
            News::Serving(input) => inputs.serving.send(input).await.is_ok(),
        };
    }
}

struct Actor {
    context: Context,
    dialler: Dialler,
    port: u16,
    roster: Roster,
    links: BTreeMap<LinkNo, Held>,
    next: u64,
    digest: LibraryDigest,
    facts: mpsc::Sender<Fact>,
    news: mpsc::Sender<News>,
    reading: Arc<Semaphore>,
    /// `connect` commands not answered yet.
    waiting: Vec<(SocketAddr, Instant, ReplyTo)>,
    blocked: StateFile,
    interfaces: (Interfaces, Option<Instant>),
    since_ms: BTreeMap<PeerId, u64>,
    figures: Figures,
    shown_at: Option<Instant>,
    /// When what has changed is shown.
    shows_at: Option<Instant>,
    shown: watch::Sender<LinksShown>,
}

impl Actor {
    fn new(
        context: Context,
        endpoint: &Endpoint,
        facts: mpsc::Sender<Fact>,
        news: mpsc::Sender<News>,
        shown: watch::Sender<LinksShown>,
    ) -> Self {
        let blocked = StateFile::new(&context.settings.places.state, "blocked.json");
        let (kept, trouble) = blocked.load::<Vec<String>>();
        if let Some(trouble) = trouble {
            context.teller.tell(Level::Warning, EventKind::Note, trouble.to_string());
        }
        // A line that is no PeerId blocks nobody.
        let kept: BTreeSet<PeerId> = kept.iter().filter_map(|id| id.parse().ok()).collect();
        Self {
            roster: Roster::new(context.me, context.nonce, context.settings.links_max, kept),
            dialler: endpoint.dialler(),
            port: endpoint.local_addr().port(),
            links: BTreeMap::new(),
            next: 1,
            digest: LibraryDigest::from_bytes([0; 32]),
            facts,
            news,
            reading: Arc::new(Semaphore::new(READING_MAX)),
            waiting: Vec::new(),
            blocked,
            interfaces: (Interfaces::default(), None),
            since_ms: BTreeMap::new(),
            figures: Figures::default(),
            shown_at: None,
            shows_at: None,
            shown,
            context,
        }
    }

    /// Dials what the settings name.
    fn begin(&mut self) {
        for address in self.context.settings.peers.clone() {
            self.resolve(address, None);
        }
    }

    // ---- what comes in ----

    fn on_input(&mut self, input: LinksInput) {
        let now = clock::now();
        match input {
            LinksInput::Connect { addr, reply } => self.resolve(addr, reply),
            LinksInput::Heard { peer, name, addrs } => self.roster.handle_heard(peer, name, &addrs, now),
            LinksInput::Unheard { peer } => self.roster.handle_unheard(peer, now),
            LinksInput::Digest(digest) => self.digest = digest,
            LinksInput::Broadcast(message) => {
                let Some(frames) = encoded(&message) else { return };
                let online: Vec<_> = self.roster.online().map(|(_, link)| link).collect();
                for link in online {
                    self.order(link, Order::Send(frames.clone()));
                }
            }
            LinksInput::Send { peer, message } => self.send(peer, &message),
            LinksInput::Block { peer, block, reply } => self.on_block(&peer, block, reply),
        }
    }

    fn on_fact(&mut self, fact: Fact) {
        let now = clock::now();
        match fact {
            Fact::Dialled { target, result: Ok((connection, streams)) } => {
                let peer = connection.peer();
                if self.roster.online().any(|(online, _)| online == peer) {
                    let message = format!("{} at {} is linked already.", self.name_of(peer), target.0);
                    self.answer(target.0, Ok(message));
                }
                let link = self.hold(connection, streams, Some(target));
                self.roster.handle_dialled(link, target, peer, now);
            }
            Fact::Dialled { target, result: Err(error) } => {
                tracing::debug!("dialling {}: {error}", target.0);
                let failure = failure(&error);
                self.roster.handle_dial_failed(target, failure, now);
                self.answer(target.0, Err((ErrorCode::Failed, shown::failure_text(target.0, failure))));
            }
            Fact::Greeted { link, greeting, digest, clock } => {
                if let Some(held) = self.links.get_mut(&link) {
                    held.digest = Some(digest);
                    held.clock = clock;
                    self.roster.handle_greeting(link, greeting, now);
                }
            }
            Fact::Ended { link, ending } => self.on_ended(link, &ending, now),
            Fact::Probed { link, alive } => self.roster.handle_probed(link, alive, now),
            Fact::Told { teller, peers } => self.on_told(teller, &peers, now),
            Fact::Goodbye { peer } => self.roster.handle_goodbye(peer, now),
            Fact::Resolved { address, reply } => {
                let row = self.roster.rows().find(|row| row.address == Some(address) && row.link.is_some());
                match (reply, row) {
                    (Some(reply), Some(row)) => {
                        let name = row.name.map(|name| name.to_string()).unwrap_or_default();
                        // A face that no longer waits dropped its end.
                        let _ =
                            reply.send(Ok(Reply::Done { message: format!("{name} at {address} is linked already.") }));
                    }
                    (Some(reply), None) => self.waiting.push((address, now + CONNECT_TIME, reply)),
                    (None, _) => {}
                }
                self.roster.handle_connect(address, now);
                self.later(CONNECT_TIME, Fact::ConnectOver);
            }
            Fact::ConnectOver => self.answer_overdue(now),
        }
    }

    fn on_accepted(&mut self, connection: Connection, streams: Streams) {
        let peer = connection.peer();
        let link = self.hold(connection, streams, None);
        self.roster.handle_accepted(link, peer, clock::now());
    }

    fn on_ended(&mut self, link: LinkNo, ending: &Ending, now: Instant) {
        let Some(held) = self.let_go(link) else { return };
        // Also where the task only stopped listening: what we no longer hold must not go on.
        held.connection.close(code::DONE);
        if let (Some(target), Ending::Refused(why)) = (held.dialled, ending) {
            let text = format!("{} refused the link: {}.", target.0, shown::refusal_text(why));
            self.answer(target.0, Err((ErrorCode::Refused, text)));
        }
        self.roster.handle_ended(link, ending, now);
    }

    fn on_told(&mut self, teller: IpAddr, peers: &[(PeerId, SocketAddr)], now: Instant) {
        let interfaces = self.interfaces_at(now);
        let allowed: Vec<_> =
            peers.iter().filter(|(_, address)| interfaces.is_allowed_target(*address, teller)).copied().collect();
        self.roster.handle_told(&allowed, now);
    }

    fn interfaces_at(&mut self, now: Instant) -> &Interfaces {
        let (interfaces, read) = &mut self.interfaces;
        if read.is_none_or(|read| now.saturating_duration_since(read) > INTERFACES_AGE) {
            match Interfaces::read() {
                Ok(fresh) => *interfaces = fresh,
                Err(error) => tracing::warn!("cannot list the network interfaces: {error}"),
            }
            *read = Some(now);
        }
        interfaces
    }

    // ---- links ----

    /// Takes charge of a new connection and starts its task.
    fn hold(&mut self, connection: Connection, streams: Streams, dialled: Option<Target>) -> LinkNo {
        let link = LinkNo(self.next);
        self.next += 1;
        let (orders, for_task) = mpsc::channel(ORDERS_QUEUED_MAX);
        let hello = dialled.map(|_| self.hello());
        let session = Session {
            no: link,
            connection: connection.clone(),
            dialled: dialled.map(|(address, _)| address),
            facts: self.facts.clone(),
            news: self.news.clone(),
            tasks: self.context.tasks.clone(),
            reading: Arc::clone(&self.reading),
        };
        let told = hello.as_ref().map(Hello::digest);
        self.context.tasks.spawn("link", session.run(streams, for_task, hello));
        self.links.insert(link, Held { connection, orders, dialled, digest: None, clock: None, told, standing: None });
        link
    }

    fn let_go(&mut self, link: LinkNo) -> Option<Held> {
        let held = self.links.remove(&link)?;
        self.figures.forget(link);
        if held.standing.is_some() {
            self.tell_connection(-1, link, &held);
        }
        Some(held)
    }

    fn hello(&self) -> Hello {
        Hello {
            proto: PROTO,
            nonce: self.context.nonce,
            name: PeerName::new(&self.context.settings.name),
            ports: vec![self.port],
            party: None,
            library: WireDigest { digest: self.digest },
            // It is told when it is sent.
            clock: None,
        }
    }

    fn send(&mut self, peer: PeerId, message: &Control) {
        let link = self.roster.online().find(|(online, _)| *online == peer).map(|(_, link)| link);
        if let (Some(link), Some(frames)) = (link, encoded(message)) {
            self.order(link, Order::Send(frames));
        }
    }

    fn order(&mut self, link: LinkNo, order: Order) {
        let Some(held) = self.links.get(&link) else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = held.orders.try_send(order) {
            // A task that has ended reports it itself; one whose peer does not read is ended here.
            held.connection.close(code::BUSY);
        }
    }

    // ---- what the roster wants ----

    async fn settle(&mut self) {
        while let Some(output) = self.roster.poll_output() {
            if let Some(news) = self.carry_out(output) {
                for news in news {
                    // The courier is gone only when the runtime ends.
                    let _ = self.news.send(news).await;
                }
            }
        }
        self.show_soon();
    }

    fn carry_out(&mut self, output: Output) -> Option<Vec<News>> {
        match output {
            Output::Dial(target) => self.dial(target),
            Output::Admit(link) => self.admit(link),
            Output::Refuse(link, why) => {
                let held = self.links.get(&link)?;
                if held.standing.is_some() {
                    self.close(link, code::REFUSED);
                } else if held.digest.is_none() {
                    // Before Hello there is no stream to say why on, and no place to keep it waiting.
                    self.close(link, code::BUSY);
                } else {
                    // The task says why, and ends.
                    self.order(link, Order::Refuse(why));
                }
            }
            Output::CloseDuplicate(link) => self.close(link, code::DUPLICATE),
            Output::Close(link) => self.close(link, code::DONE),
            Output::Probe(link) => self.probe(link),
            Output::PeerUp(peer, link) => return self.peer_up(peer, link),
            Output::PeerLink(peer, link) => {
                let link = self.link(link)?;
                // What was said on the old link may have been lost with it.
                self.send(peer, &Control::LibrarySummary { digest: self.digest });
                return Some(vec![
                    News::Library(LibraryInput::PeerLink { peer, link: link.clone() }),
                    News::Transfers(TransfersInput::PeerLink { peer, link }),
                ]);
            }
            Output::PeerDown(peer) => {
                self.since_ms.insert(peer, clock::unix_ms());
                let text = format!("{} is gone.", self.name_of(peer));
                self.context.teller.tell(Level::Info, EventKind::PeerDown { peer: peer.to_string() }, text);
                return Some(vec![
                    News::Library(LibraryInput::PeerDown { peer }),
                    News::Transfers(TransfersInput::PeerDown { peer }),
                    News::Serving(ServingInput::PeerDown { peer }),
                ]);
            }
            Output::Tell(peer, others) => {
                let peers = others.into_iter().map(|(id, addr)| PeerAddress { id, addr }).collect();
                self.send(peer, &Control::Peers { peers });
            }
            // Without discovery nobody listens, and nothing was heard either.
            Output::Verify(peer) => drop(self.context.doubts.send_replace(Some(peer))),
            Output::Trouble(trouble) => self.tell_trouble(&trouble),
        }
        None
    }

    fn dial(&mut self, target: Target) {
        let (dialler, facts) = (self.dialler.clone(), self.facts.clone());
        let cancel = self.context.tasks.cancelled().clone();
        self.context.tasks.spawn("dial", async move {
            let Some(result) = cancel.run_until_cancelled(dialler.dial(target.0, target.1)).await else { return };
            // Without an actor the runtime is ending anyway.
            let _ = facts.send(Fact::Dialled { target, result }).await;
        });
    }

    fn admit(&mut self, link: LinkNo) {
        let hello = self.hello();
        let Some(remote) = self.links.get(&link).map(|held| held.connection.remote_addr()) else { return };
        let near = self.interfaces_at(clock::now()).is_near(remote.ip());
        let path = if near { LinkPath::Lan } else { LinkPath::Routed };
        let Some(held) = self.links.get_mut(&link) else { return };
        held.standing = Some(Standing { since_ms: clock::unix_ms(), path });
        let stale = held.told.is_some_and(|told| told != self.digest);
        self.order(link, Order::Admit(Box::new(hello)));
        if stale && let Some(frames) = encoded(&Control::LibrarySummary { digest: self.digest }) {
            self.order(link, Order::Send(frames));
        }
        if let Some(held) = self.links.get(&link) {
            self.tell_connection(1, link, held);
        }
    }

    fn close(&mut self, link: LinkNo, code: u32) {
        if let Some(held) = self.let_go(link) {
            held.connection.close(code);
        }
    }

    /// A link that stands answers a ping; one whose peer was killed does not.
    fn probe(&mut self, link: LinkNo) {
        let Some(held) = self.links.get(&link) else { return };
        let (connection, facts) = (held.connection.clone(), self.facts.clone());
        let before = connection.stats().bytes_in;
        let pinged = connection.check().is_ok();
        let cancel = self.context.tasks.cancelled().clone();
        self.context.tasks.spawn("probe", async move {
            if cancel.run_until_cancelled(tokio::time::sleep(PROBE_TIME)).await.is_none() {
                return;
            }
            let alive = pinged && connection.check().is_ok() && connection.stats().bytes_in > before;
            // Without an actor the runtime is ending anyway.
            let _ = facts.send(Fact::Probed { link, alive }).await;
        });
    }

    fn peer_up(&mut self, peer: PeerId, no: LinkNo) -> Option<Vec<News>> {
        let held = self.links.get(&no)?;
        let (dialled, remote, digest) = (held.dialled, held.connection.remote_addr(), held.digest?);
        self.since_ms.insert(peer, clock::unix_ms());
        if self.since_ms.len() > SINCE_MAX {
            let known: BTreeSet<_> = self.roster.rows().filter_map(|row| row.peer).collect();
            self.since_ms.retain(|peer, _| known.contains(peer));
        }
        let row = self.roster.rows().find(|row| row.peer == Some(peer))?;
        let name = row.name?;
        let address = row.address.unwrap_or(remote);
        let kind = EventKind::PeerUp { peer: peer.to_string() };
        self.context.teller.tell(Level::Info, kind, format!("{name} is here ({address})."));
        if let Some((dialled, _)) = dialled {
            self.answer(dialled, Ok(format!("{name} is here ({dialled}).")));
        }
        let link = self.link(no)?;
        Some(vec![
            News::Library(LibraryInput::PeerUp {
                peer,
                name: name.clone(),
                addr: remote.ip(),
                link: link.clone(),
                digest,
            }),
            News::Transfers(TransfersInput::PeerUp { peer, name, link }),
        ])
    }

    fn link(&self, no: LinkNo) -> Option<Link> {
        self.links.get(&no).map(|held| Link::new(no.0, held.connection.clone()))
    }

    fn later(&self, pause: Duration, fact: Fact) {
        let (facts, cancel) = (self.facts.clone(), self.context.tasks.cancelled().clone());
        self.context.tasks.spawn("later", async move {
            if cancel.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
                // Without an actor the runtime is ending anyway.
                let _ = facts.send(fact).await;
            }
        });
    }

    fn tell_trouble(&self, trouble: &Trouble) {
        let peer = match trouble {
            Trouble::Cloned { peer, .. } | Trouble::Unreachable { peer, .. } | Trouble::Refused { peer, .. } => {
                Some(peer)
            }
            Trouble::UserAddress { .. } | Trouble::Ourselves { .. } => None,
        };
        let level = match trouble {
            Trouble::Cloned { .. } => Level::Error,
            Trouble::Refused { why: Refusal::Cloned { .. }, .. } => Level::Error,
            Trouble::Unreachable { .. }
            | Trouble::UserAddress { .. }
            | Trouble::Ourselves { .. }
            | Trouble::Refused { .. } => Level::Warning,
        };
        let kind = EventKind::PeerTrouble { peer: peer.map(ToString::to_string) };
        self.context.teller.tell(level, kind, shown::trouble_text(trouble));
    }

    /// From the moment a stop is asked for nothing is told: every link ends then, and hundreds of ends
    /// at once would say nothing but that.
    fn tell_connection(&self, state: i8, link: LinkNo, held: &Held) {
        let Some(standing) = held.standing.filter(|_| !self.context.tasks.cancelled().is_cancelled()) else { return };
        let (peer, addr) = (held.connection.peer(), held.connection.remote_addr());
        let text = format!("link {} {} {addr}", link.0, if state > 0 { "to" } else { "ended:" });
        let (peer, addr, path) = (peer.to_string(), addr.to_string(), standing.path);
        let kind = EventKind::Connection { state, peer, addr, path, link: link.0 };
        self.context.teller.tell(Level::Debug, kind, text);
    }

    fn name_of(&self, peer: PeerId) -> String {
        let row = self.roster.rows().find(|row| row.peer == Some(peer));
        row.and_then(|row| row.name).map_or_else(|| peer.short(), |name| name.to_string())
    }

    /// What changed shows at once after a while in which nothing did.
    fn show_soon(&mut self) {
        let earliest = self.shown_at.map(|at| at + SHOW_PAUSE);
        self.shows_at.get_or_insert(earliest.unwrap_or_else(clock::now));
    }

    fn show(&mut self) {
        (self.shows_at, self.shown_at) = (None, Some(clock::now()));
        let peers = shown::peers(&self.roster, &self.links, &self.since_ms, &mut self.figures);
        let links = shown::links(&self.roster, &self.links, &mut self.figures);
        self.shown.send_if_modified(|shown| {
            let (peers_differ, links_differ) = (*shown.peers != peers, *shown.links != links);
            if peers_differ {
                shown.peers = Arc::new(peers);
            }
            if links_differ {
                shown.links = Arc::new(links);
            }
            peers_differ || links_differ
        });
    }

    // ---- the end ----

    /// Every peer is told that we leave, all at once, and not waited for long.
    async fn say_goodbye(&mut self, heard: &mut mpsc::Receiver<Fact>) {
        for held in self.links.values() {
            if held.orders.try_send(Order::Goodbye).is_err() {
                held.connection.close(code::DONE);
            }
        }
        let all_gone = async {
            while !self.links.is_empty() {
                match heard.recv().await {
                    Some(Fact::Ended { link, .. }) => drop(self.let_go(link)),
                    Some(_) => {}
                    None => return,
                }
            }
        };
        // Whoever did not answer by then is let go of all the same.
        let _ = tokio::time::timeout(GOODBYE_TIME, all_gone).await;
        while let Some(link) = self.links.keys().next().copied() {
            self.close(link, code::DONE);
        }
    }
}

fn encoded(message: &Control) -> Option<Bytes> {
    match frame::encode(message) {
        Ok(frame) => Some(frame.into()),
        Err(error) => {
            tracing::warn!("a control message was not sent: {error}");
            None
        }
    }
}

fn failure(error: &DialError) -> DialFailure {
    match error {
        DialError::WrongPeer { .. } => DialFailure::WrongPeer,
        DialError::Unreachable { .. } | DialError::Closing => DialFailure::Silence,
        DialError::NotPotluck { .. } => DialFailure::NotPotluck,
        DialError::Refused { .. } => DialFailure::Busy,
        DialError::NoRoute { .. } => DialFailure::NoRoute,
    }
}

#[cfg(test)]
mod tests;
