//! Links actors against each other and against peers that misbehave, over loopback.

use std::num::NonZeroUsize;

use tempfile::TempDir;
use tokio::{io::AsyncReadExt, sync::oneshot, time::timeout};

use super::*;
use crate::{
    api::CommandError,
    config::Settings,
    core::roster::LINKS_PER_PEER_MAX,
    io::{
        disk::Libraries,
        identity::Identity,
        index::Index,
        quic::{LinkError, Listen, Stream},
        random,
        store::OpenFiles,
    },
    runtime::{
        input::{self, Outlets},
        shelf::Shelf,
        tasks::{Pool, Tasks},
        view::{self, Shows, Teller},
    },
    wire::{fetch::Status, message::Request},
};

/// Far more than anything here takes, and less than a test may.
const LONG: Duration = Duration::from_secs(10);

/// A links actor that runs, with the ends of its neighbours in the test's hand.
struct Seat {
    context: Context,
    address: SocketAddr,
    library: mpsc::Receiver<LibraryInput>,
    serving: mpsc::Receiver<ServingInput>,
    shows: Shows,
    events: tokio::sync::broadcast::Receiver<crate::api::Event>,
    end: oneshot::Receiver<Result<(), ListenerGone>>,
    _transfers: mpsc::Receiver<TransfersInput>,
    _home: TempDir,
}

fn seat(name: &str, identity: &Identity) -> Seat {
    seat_at([127, 0, 0, 1], name, identity)
}

fn seat_at(ip: [u8; 4], name: &str, identity: &Identity) -> Seat {
    let settled = settled(name);
    let listen = Listen::At(SocketAddr::from((ip, 0)));
    let (endpoint, incoming) = Endpoint::bind(identity, listen, settled.1.links_max).expect("bound");
    seat_on(endpoint, incoming, identity, settled)
}

/// The settings of a new home.
fn settled(name: &str) -> (TempDir, Settings) {
    let home = tempfile::tempdir().expect("a folder");
    let mut settings = Settings::fresh(home.path(), home.path().join("games")).expect("settings");
    settings.name = name.to_owned();
    std::fs::create_dir_all(&settings.places.state).expect("a folder");
    (home, settings)
}

fn seat_on(endpoint: Endpoint, incoming: Incoming, identity: &Identity, (home, settings): (TempDir, Settings)) -> Seat {
    let (tasks, _failures) = Tasks::new();
    let (inputs, Outlets { links, library, transfers, serving }) = input::channels();
    let (shown, shows) = view::cells();
    let one = NonZeroUsize::MIN;
    let (teller, events) = tokio::sync::broadcast::channel(1_024);
    let (index, _) = Index::open(&settings.places.state.join("index.redb"), settings.library());
    let context = Context {
        me: identity.peer_id(),
        nonce: random::instance_nonce(),
        inputs,
        teller: Teller::new(teller),
        tasks,
        pool: Pool::start("test", one, one).expect("threads"),
        shelf: Shelf::default(),
        files: OpenFiles::default(),
        roots: Default::default(),
        libraries: Arc::new(Libraries::default()),
        index: Arc::new(index),
        doubts: watch::Sender::new(None),
        counters: Default::default(),
        settings: Arc::new(settings),
    };
    let address = endpoint.local_addr();
    let actor = run(context.clone(), endpoint, incoming, links, shown.links);
    let (ended, end) = oneshot::channel();
    context.tasks.spawn("links", async {
        // Most tests do not wait for it.
        let _ = ended.send(actor.await);
    });
    Seat { context, address, library, serving, shows, events, end, _transfers: transfers, _home: home }
}

impl Seat {
    fn fresh(name: &str) -> Self {
        seat(name, &Identity::ephemeral())
    }

    async fn tell(&self, input: LinksInput) {
        self.context.inputs.links.send(input).await.expect("the actor runs");
    }

    async fn connect(&self, to: &Self) -> Result<Reply, CommandError> {
        let (reply, answer) = oneshot::channel();
        self.tell(LinksInput::Connect { addr: to.address.to_string(), reply: Some(reply) }).await;
        timeout(LONG, answer).await.expect("in time").expect("answered")
    }

    async fn heard(&mut self) -> LibraryInput {
        timeout(LONG, self.library.recv()).await.expect("in time").expect("the actor runs")
    }

    fn connections(&mut self) -> Vec<i8> {
        let told = std::iter::from_fn(|| self.events.try_recv().ok());
        let state = |event: crate::api::Event| {
            let EventKind::Connection { state, .. } = event.kind else { return None };
            Some(state)
        };
        told.filter_map(state).collect()
    }

    /// What faces see, as soon as it is so.
    async fn shown(&mut self, is_so: impl Fn(&LinksShown) -> bool) -> LinksShown {
        let shown = timeout(LONG, self.shows.links.wait_for(is_so)).await.expect("in time");
        shown.expect("the actor runs").clone()
    }

    async fn up(&mut self) -> (PeerId, Link, LibraryDigest) {
        let heard = self.heard().await;
        let LibraryInput::PeerUp { peer, link, digest, .. } = heard else { panic!("a peer, not {heard:?}") };
        (peer, link, digest)
    }
}

fn digest(byte: u8) -> LibraryDigest {
    LibraryDigest::from_bytes([byte; 32])
}

#[tokio::test]
async fn two_seats_see_each_other_ask_and_part() {
    let (mut guest, mut host) = (Seat::fresh("guest"), Seat::fresh("host"));
    host.tell(LinksInput::Digest(digest(7))).await;
    let reply = guest.connect(&host).await.expect("linked");
    assert_eq!(reply, Reply::Done { message: format!("host is here ({}).", host.address) });
    let (peer, link, library) = guest.up().await;
    assert_eq!((peer, library), (host.context.me, digest(7)));
    let (peer, ..) = host.up().await;
    assert_eq!(peer, guest.context.me);

    // A request arrives, and its answer goes back.
    let (mut receive, _send) = link.open_request(&Request::Library {}).await.expect("sent");
    let asked = timeout(LONG, host.serving.recv()).await.expect("in time").expect("asked");
    let ServingInput::Request { peer, request: Request::Library {}, mut stream } = asked else { panic!("{asked:?}") };
    assert_eq!(peer, guest.context.me);
    stream.send(Bytes::from_static(b"\0")).await.expect("sent");
    assert_eq!(receive.receive().await.expect("received").as_deref(), Some(&b"\0"[..]));

    // Control messages arrive.
    host.tell(LinksInput::Broadcast(Control::LibrarySummary { digest: digest(8) })).await;
    assert!(matches!(guest.heard().await, LibraryInput::Summary { digest: d, .. } if d == digest(8)));

    // The face sees the peer by the listener it announced, not by the port it dialled from.
    let shown = host.shown(|shown| !shown.links.is_empty()).await;
    let [link] = shown.links.as_slice() else { panic!("{:?}", shown.links) };
    assert_eq!((link.name.as_str(), link.dialled, link.draining, link.path), ("guest", false, false, LinkPath::Lan));
    let shown = shown.peers;
    assert_eq!((shown[0].name.as_str(), shown[0].addr.as_str()), ("guest", guest.address.to_string().as_str()));
    assert!(shown[0].online);

    // Connecting twice changes nothing.
    let reply = guest.connect(&host).await.expect("linked");
    assert_eq!(reply, Reply::Done { message: format!("host at {} is linked already.", host.address) });

    // Leaving is told at once, and leaves nothing behind.
    assert_eq!(host.context.tasks.shutdown(Duration::from_millis(1_500)).await, Ok(()));
    assert!(matches!(guest.heard().await, LibraryInput::PeerDown { peer } if peer == host.context.me));
    assert!(std::net::UdpSocket::bind(host.address).is_ok(), "the port is free again");
    // Who leaves says nothing of the ends that follow from it.
    assert_eq!(host.connections(), [1]);
    assert_eq!(guest.connections(), [1, -1]);
}

#[tokio::test]
async fn one_known_address_brings_in_the_rest() {
    let (mut first, mut second, mut third) = (Seat::fresh("first"), Seat::fresh("second"), Seat::fresh("third"));
    second.connect(&first).await.expect("linked");
    first.up().await;
    second.up().await;
    third.connect(&first).await.expect("linked");
    let seen = [third.up().await.0, third.up().await.0];
    assert!(seen.contains(&second.context.me), "{seen:?}");
    assert_eq!(second.up().await.0, third.context.me);
}

#[tokio::test]
async fn an_address_where_nobody_is_says_so() {
    let guest = Seat::fresh("guest");
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound").local_addr().expect("bound");
    for (address, expect) in [
        (nobody.to_string(), "does not answer"),
        ("127.0.0.1:notaport".to_owned(), "no port number"),
        (":1".to_owned(), "no address"),
    ] {
        let (reply, answer) = oneshot::channel();
        guest.tell(LinksInput::Connect { addr: address.clone(), reply: Some(reply) }).await;
        let error = timeout(LONG, answer).await.expect("in time").expect("answered").expect_err("nobody");
        assert!(error.message.contains(expect), "{address}: {}", error.message);
    }
}

#[tokio::test]
async fn a_blocked_peer_is_cut_and_stays_away() {
    let (mut guest, mut host) = (Seat::fresh("guest"), Seat::fresh("host"));
    guest.connect(&host).await.expect("linked");
    guest.up().await;
    host.up().await;
    let (reply, answer) = oneshot::channel();
    host.tell(LinksInput::Block { peer: "guest".to_owned(), block: true, reply }).await;
    assert!(timeout(LONG, answer).await.expect("in time").expect("answered").is_ok());
    assert!(matches!(guest.heard().await, LibraryInput::PeerDown { .. }));
    assert!(matches!(host.heard().await, LibraryInput::PeerDown { .. }));
    let kept = std::fs::read_to_string(host.context.settings.places.state.join("blocked.json")).expect("saved");
    assert!(kept.contains(&guest.context.me.to_string()));
    let error = guest.connect(&host).await.expect_err("refused");
    assert!(error.message.contains("blocked this machine"), "{}", error.message);
}

#[tokio::test]
async fn a_second_run_of_a_key_is_refused_with_both_named() {
    let identity = Identity::ephemeral();
    let (mut host, first, second) = (Seat::fresh("host"), seat("first", &identity), seat("second", &identity));
    first.connect(&host).await.expect("linked");
    host.up().await;
    let error = second.connect(&host).await.expect_err("refused");
    assert!(error.message.contains("key of this one"), "{}", error.message);
}

// ---- peers that misbehave ----

/// A peer without an actor: it says what the test wants.
struct Rogue {
    endpoint: Endpoint,
    _incoming: Incoming,
}

impl Rogue {
    fn new() -> Self {
        Self::at([127, 0, 0, 1])
    }

    fn at(ip: [u8; 4]) -> Self {
        let listen = Listen::At(SocketAddr::from((ip, 0)));
        let (endpoint, incoming) = Endpoint::bind(&Identity::ephemeral(), listen, 1).expect("bound");
        Self { endpoint, _incoming: incoming }
    }

    async fn open(&self, host: &Seat, first: &[u8]) -> (Connection, Streams, Stream) {
        let (connection, streams) = self.endpoint.dial(host.address, None).await.expect("dialled");
        let (receive, mut send) = connection.open().await.expect("opened");
        send.send(Bytes::copy_from_slice(first)).await.expect("sent");
        (connection, streams, (receive, send))
    }
}

fn hello(proto: u32) -> Vec<u8> {
    let hello = Hello {
        proto,
        nonce: random::instance_nonce(),
        name: PeerName::new("rogue"),
        ports: vec![4_000],
        party: None,
        library: WireDigest { digest: digest(1) },
        clock: None,
    };
    frame::encode(&Request::Hello(hello)).expect("short")
}

async fn ended(streams: &mut Streams) -> LinkError {
    timeout(LONG, streams.accept()).await.expect("in time").expect_err("the link ends")
}

#[tokio::test]
async fn whoever_does_not_say_hello_properly_loses_the_link() {
    let mut host = Seat::fresh("host");
    let library = frame::encode(&Request::Library {}).expect("short");
    for (what, first, expect) in [
        ("garbage", b"\0\0\0\x05garba".to_vec(), code::PROTOCOL),
        ("a frame too long", b"\xff\xff\xff\xff".to_vec(), code::PROTOCOL),
        ("a request before hello", library, code::PROTOCOL),
        ("another version", hello(2), code::REFUSED),
    ] {
        let rogue = Rogue::new();
        let (_connection, mut streams, _stream) = rogue.open(&host, &first).await;
        assert_eq!(ended(&mut streams).await.code(), Some(expect.into()), "{what}");
    }
    let mut guest = Seat::fresh("guest");
    guest.connect(&host).await.expect("an honest peer is welcome all the same");
    assert_eq!(host.up().await.0, guest.context.me);
    guest.up().await;
}

#[tokio::test]
async fn a_bad_request_costs_its_stream_and_a_breach_the_link() {
    let mut host = Seat::fresh("host");
    let rogue = Rogue::new();
    let (connection, mut streams, (mut receive, mut send)) = rogue.open(&host, &hello(PROTO)).await;
    let ack: Control = frames::read(&mut receive).await.expect("answered");
    assert!(matches!(ack, Control::HelloAck(_)));
    host.up().await;

    let (mut answer, mut request) = connection.open().await.expect("opened");
    request.send(Bytes::from_static(b"\0\0\0\x11{\"t\":\"telepathy\"}")).await.expect("sent");
    assert_eq!(answer.read_u8().await.ok(), Some(Status::BadRequest.to_byte()));

    let (mut answer, mut request) = connection.open().await.expect("opened");
    request.send(Bytes::from_static(b"\x7f\0\0\0")).await.expect("sent");
    assert!(answer.receive().await.is_err(), "a frame too long resets its stream");

    // Addresses of elsewhere are not dialled, and say nothing against the link.
    let elsewhere = PeerAddress { id: Identity::ephemeral().peer_id(), addr: "8.8.8.8:47800".parse().expect("valid") };
    let told = Control::Peers { peers: vec![elsewhere] };
    frames::write(&mut send, &told).await.expect("sent");
    assert!(connection.check().is_ok());

    frames::write(&mut send, &Request::Library {}).await.expect("sent");
    assert_eq!(ended(&mut streams).await.code(), Some(code::PROTOCOL.into()));
    assert!(matches!(host.heard().await, LibraryInput::PeerDown { .. }));
}

#[tokio::test]
async fn a_thousand_connections_at_once_hurt_nobody() {
    let (mut guest, mut host) = (Seat::fresh("guest"), Seat::fresh("host"));
    guest.connect(&host).await.expect("linked");
    guest.up().await;
    host.up().await;
    let rogue = Rogue::new();
    let dials = (0..1_000).map(|_| rogue.endpoint.dial(host.address, None));
    let storm = futures::future::join_all(dials);
    let asked = async {
        // The one who was there before is served all the while.
        host.tell(LinksInput::Broadcast(Control::LibrarySummary { digest: digest(9) })).await;
        guest.heard().await
    };
    let (dialled, heard) = tokio::join!(storm, asked);
    assert!(matches!(heard, LibraryInput::Summary { .. }), "{heard:?}");
    let taken = dialled.iter().filter(|dial| dial.is_ok()).count();
    assert!(taken < 200, "{taken} of 1,000 came through");
    let mut late = seat_at([127, 0, 0, 2], "late", &Identity::ephemeral());
    late.connect(&host).await.expect("there is room for another machine at once");
    late.up().await;
    assert_eq!(host.up().await.0, late.context.me, "and nobody else came or went");
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "figures")]
async fn five_hundred_links_end_at_a_stop_without_a_word() {
    const PEERS: u8 = 125;
    const LINKS_EACH: usize = LINKS_PER_PEER_MAX;
    let all = usize::from(PEERS) * LINKS_EACH;
    let (home, mut settings) = settled("host");
    settings.links_max = all;
    let (identity, listen) = (Identity::ephemeral(), Listen::At(SocketAddr::from(([127, 0, 0, 1], 0))));
    let (endpoint, incoming) = Endpoint::bind(&identity, listen, all).expect("bound");
    let mut host = seat_on(endpoint, incoming, &identity, (home, settings));
    let come = async |number: u8| {
        let (rogue, hello) = (Rogue::at([127, 0, 1, number]), hello(PROTO));
        let mut links = Vec::new();
        for _ in 0..LINKS_EACH {
            let (connection, streams, (mut receive, send)) = rogue.open(&host, &hello).await;
            let ack: Control = frames::read(&mut receive).await.expect("answered");
            assert!(matches!(ack, Control::HelloAck(_)));
            links.push((connection, streams, receive, send));
        }
        (rogue, links)
    };
    let (mut held, numbers) = (Vec::new(), Vec::from_iter(1..=PEERS));
    for some in numbers.chunks(16) {
        held.extend(futures::future::join_all(some.iter().map(|number| come(*number))).await);
    }
    for _ in 0..PEERS {
        host.up().await;
    }
    let told = host.connections();
    let lost = told.iter().filter(|state| **state < 0).count();
    assert_eq!(told.len() - lost, all, "each was told of");
    // A machine with much else to do may have let some fall silent.
    assert!(lost < all / 20, "{lost} of {all}");
    host.shown(|shown| shown.links.len() + all / 20 > all).await;
    // Those that end before the stop are told of, and those that end with it are not.
    drop(held.pop());
    // Its session goes from link to link until there is none.
    while !matches!(host.heard().await, LibraryInput::PeerDown { .. }) {}
    let asked = Instant::now();
    host.context.tasks.cancelled().cancel();
    let told = host.connections();
    assert!(!told.is_empty() && told.iter().all(|state| *state == -1), "{} told", told.len());
    assert_eq!(host.context.tasks.shutdown(Duration::from_millis(1_500)).await, Ok(()));
    eprintln!("{} links ended in {:?}", all - lost - told.len(), asked.elapsed());
    assert_eq!(host.connections(), Vec::<i8>::new());
}

#[tokio::test]
async fn a_listener_that_ends_by_itself_ends_the_service() {
    let identity = Identity::ephemeral();
    let bind = || Endpoint::bind(&identity, Listen::At(SocketAddr::from(([127, 0, 0, 1], 0))), 16).expect("bound");
    // The actor closes one endpoint and hears of connections from the other.
    let ((its_own, _), (doomed, incoming)) = (bind(), bind());
    let seat = seat_on(its_own, incoming, &identity, settled("host"));
    doomed.close().await;
    assert!(timeout(LONG, seat.end).await.expect("in time").expect("it did not panic").is_err());
}
