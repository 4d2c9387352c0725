//! Two machines over real links on loopback: `serving` on one, `transfers` on the other, and the test in
//! the place of the library and the links actor.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    num::NonZeroUsize,
    ops::ControlFlow,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use tokio::{sync::broadcast, time::timeout};

use super::*;
use crate::{
    api::Event,
    config::Settings,
    io::{
        disk::{GameRoot, Libraries},
        identity::Identity,
        index::Index,
        quic::{Endpoint, Incoming, Listen},
        random,
        scan::{self, Memory, Scanned},
        store::{OpenFiles, RootReader},
    },
    runtime::{
        input::{self, LinksInput, ServingInput},
        installs::Plain,
        roots::Change,
        serving,
        shelf::{Files, Shelf},
        tasks::{Pool, Tasks},
        view,
    },
    types::Sentinel,
    wire::{frame, message::Control, message::Request},
};

const MIB: usize = 1 << 20;
const GAME: &str = "game";

/// A machine with a home and a library.
struct Machine {
    dir: tempfile::TempDir,
    context: Context,
    shows: view::Shows,
    events: broadcast::Receiver<Event>,
    endpoint: Endpoint,
    incoming: Option<Incoming>,
    /// What the missing actors were told.
    library: mpsc::Receiver<LibraryInput>,
    links: mpsc::Receiver<LinksInput>,
}

/// Says at once that a game was looked at, and passes on everything else.
async fn answer_looks(mut asked: mpsc::Receiver<LibraryInput>, told: mpsc::Sender<LibraryInput>) {
    while let Some(input) = asked.recv().await {
        if let LibraryInput::Looked { reply, .. } = input {
            reply.send(()).unwrap();
        } else {
            told.send(input).await.unwrap();
        }
    }
}

impl Machine {
    fn start() -> Self {
        Self::start_in(temp_dir())
    }

    fn start_in(dir: tempfile::TempDir) -> Self {
        let home = dir.path().join("home");
        fs::create_dir_all(&home).unwrap();
        let settings = Settings::fresh(&home, dir.path().join("games")).unwrap();
        fs::create_dir_all(settings.library()).unwrap();
        fs::create_dir_all(&settings.places.state).unwrap();
        let identity = Identity::ephemeral();
        let (endpoint, incoming) = Endpoint::bind(&identity, Listen::At("127.0.0.1:0".parse().unwrap()), 256).unwrap();
        let (inputs, mut outlets) = input::channels();
        let (shown, shows) = view::cells();
        let (sender, events) = broadcast::channel(1_024);
        let size = |n| NonZeroUsize::new(n).unwrap();
        let (tasks, _) = Tasks::new();
        let (index, _) = Index::open(&settings.places.state.join("index.redb"), settings.library());
        let (doubts, _) = watch::channel(None);
        let libraries = Libraries::only(settings.library());
        let context = Context {
            settings: Arc::new(settings),
            me: identity.peer_id(),
            nonce: random::instance_nonce(),
            inputs,
            teller: view::Teller::new(sender),
            tasks,
            pool: Pool::start("test-disk", size(2), size(64)).unwrap(),
            shelf: Shelf::default(),
            files: OpenFiles::default(),
            roots: Default::default(),
            libraries,
            index: Arc::new(index),
            doubts,
            counters: Default::default(),
        };
        let (_, no_library) = mpsc::channel(1);
        let asked = std::mem::replace(&mut outlets.library, no_library);
        let (told, library) = mpsc::channel(input::INPUTS_QUEUED_MAX);
        let cancelled = context.tasks.cancelled().clone();
        context.tasks.spawn("the library's answers", async move {
            cancelled.run_until_cancelled(answer_looks(asked, told)).await;
        });
        let (_, no_links) = mpsc::channel(1);
        let links = std::mem::replace(&mut outlets.links, no_links);
        let (_, no_serving) = mpsc::channel(1);
        let served = std::mem::replace(&mut outlets.serving, no_serving);
        let (_, no_transfers) = mpsc::channel(1);
        let transfers = std::mem::replace(&mut outlets.transfers, no_transfers);
        let (serving, transferring) =
            (serving::run(context.clone(), served, shown.serving), run(context.clone(), transfers, shown.transfers));
        context.tasks.spawn("serving", async { serving.await.unwrap() });
        context.tasks.spawn("transfers", async { transferring.await.unwrap() });
        Self { dir, context, shows, events, endpoint, incoming: Some(incoming), library, links }
    }

    fn root(&self) -> PathBuf {
        self.context.settings.library().join(GAME)
    }

    /// Makes a game of `files` and puts it on the shelf, as the library does.
    fn own(&self, version: &str, files: &[(&str, Vec<u8>)]) -> Scanned {
        for (path, bytes) in files {
            let path = self.root().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        fs::write(self.root().join("version.ini"), version).unwrap();
        let root = GameRoot::open(&self.root()).unwrap();
        let sentinel = Sentinel::from_bytes(version.as_bytes()).unwrap();
        let tree = scan::walk(&root).unwrap();
        let go_on: &mut crate::io::hash::Watcher<'_> = &mut |_| ControlFlow::Continue(());
        let scanned =
            scan::build(&root, &GameId::new(GAME).unwrap(), sentinel, &tree, &mut Memory::none(), go_on).unwrap();
        store::save_manifest(&root, &scanned.bytes, &scanned.held.hashes).unwrap();
        self.shelve(root, &scanned);
        scanned
    }

    fn shelve(&self, root: GameRoot, scanned: &Scanned) {
        let held = &scanned.held;
        let reader = RootReader::new(root, held, &OpenFiles::default());
        let files = Files::Root(Arc::new(reader));
        let bytes = scanned.bytes.clone().into();
        self.context.shelf.put(held.content, Arc::clone(&held.manifest), bytes, files, held.chunks.clone());
    }

    /// Hands requests of peers to `serving`, as the links actor does.
    fn accept(&mut self) {
        let mut incoming = self.incoming.take().unwrap();
        let (serving, tasks) = (self.context.inputs.serving.clone(), self.context.tasks.clone());
        let cancelled = tasks.cancelled().clone();
        self.context.tasks.spawn("accept", async move {
            while let Some(Some((connection, mut streams))) = cancelled.run_until_cancelled(incoming.accept()).await {
                let (serving, cancelled) = (serving.clone(), cancelled.clone());
                tasks.spawn("accept streams", async move {
                    while let Some(Ok(Some(mut stream))) = cancelled.run_until_cancelled(streams.accept()).await {
                        let request = first_frame(&mut stream).await;
                        let peer = connection.peer();
                        serving.send(ServingInput::Request { peer, request, stream }).await.unwrap();
                    }
                    // At the end of the test nobody listens.
                    let _ = serving.send(ServingInput::PeerDown { peer: connection.peer() }).await;
                });
            }
        });
    }

    /// A link to `other`, told to the transfers as the links actor does.
    async fn link_to(&self, other: &Self) -> Link {
        let address = other.endpoint.local_addr();
        let (connection, streams) = self.endpoint.dial(address, Some(other.context.me)).await.unwrap();
        // Dropping the acceptor would say that we take no streams, which is so.
        drop(streams);
        let link = Link::new(1, connection);
        let name = PeerName::new("other");
        self.tell(TransfersInput::PeerUp { peer: other.context.me, name, link: link.clone() }).await;
        link
    }

    async fn tell(&self, input: TransfersInput) {
        self.context.inputs.transfers.send(input).await.unwrap();
    }

    async fn get(&self, scanned: &Scanned, from: &[(&Self, EntryState)]) {
        self.get_and(scanned, AfterGet::Nothing, from).await;
    }

    async fn get_and(&self, scanned: &Scanned, after: AfterGet, from: &[(&Self, EntryState)]) {
        self.tell(TransfersInput::Enqueue(Box::new(wanted(scanned, after)))).await;
        self.holders(scanned.held.content, from).await;
    }

    async fn holders(&self, content: ContentId, from: &[(&Self, EntryState)]) {
        let holders = from.iter().map(|(machine, state)| (machine.context.me, *state)).collect();
        self.tell(TransfersInput::Holders { content, holders }).await;
    }

    /// The event that satisfies `is`, within the time a test may take.
    async fn event<T>(&mut self, is: impl Fn(&Event) -> Option<T>) -> T {
        let waiting = async {
            loop {
                let event = self.events.recv().await.unwrap();
                if let Some(found) = is(&event) {
                    return found;
                }
            }
        };
        timeout(Duration::from_secs(30), waiting).await.expect("it happens in time")
    }

    async fn downloaded(&mut self) -> (u64, Vec<crate::api::SourceView>) {
        self.event(|event| {
            let failed = matches!(event.kind, EventKind::Transfer { state: StateWord::Failed, .. });
            assert!(!failed, "{}", event.text);
            let EventKind::Downloaded { reused, sources, .. } = &event.kind else { return None };
            Some((*reused, sources.clone()))
        })
        .await
    }

    async fn shown(&mut self, is: impl Fn(&TransferView) -> bool) -> TransferView {
        let waiting = async {
            loop {
                let transfers = Arc::clone(&self.shows.transfers.borrow_and_update().transfers);
                if let Some(view) = transfers.iter().find(|view| is(view)) {
                    return view.clone();
                }
                self.shows.transfers.changed().await.unwrap();
            }
        };
        timeout(Duration::from_secs(30), waiting).await.expect("it is shown in time")
    }

    async fn stop(self) -> tempfile::TempDir {
        let unfinished = self.context.tasks.shutdown(Duration::from_secs(2)).await;
        assert_eq!(unfinished, Ok(()), "every task ends when the runtime does");
        self.endpoint.close().await;
        self.context.pool.shutdown().await;
        self.dir
    }
}

fn wanted(scanned: &Scanned, after: AfterGet) -> Wanted {
    let manifest = &scanned.held.manifest;
    Wanted {
        library: None,
        game: manifest.game().clone(),
        title: "The Game".into(),
        version: manifest.version().clone(),
        content: scanned.held.content,
        size: manifest.size(),
        after,
        reply: None,
    }
}

async fn first_frame(stream: &mut s2n_quic::stream::BidirectionalStream) -> Request {
    let mut bytes = Vec::new();
    loop {
        bytes.extend_from_slice(&stream.receive().await.unwrap().expect("a frame"));
        if let Some(header) = bytes.first_chunk::<4>() {
            let len = frame::body_len(*header).unwrap();
            if bytes.len() >= 4 + len {
                return frame::decode(&bytes[4..4 + len]).unwrap();
            }
        }
    }
}

fn temp_dir() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// Bytes that no two seeds share.
fn bytes(seed: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof().fill(&mut bytes);
    bytes
}

fn usual_files() -> Vec<(&'static str, Vec<u8>)> {
    let mut files = vec![
        ("big.pak", bytes(1, 9 * MIB + 17)),
        ("bin/run", bytes(2, 70_000)),
        ("empty", Vec::new()),
        ("two.pak", bytes(3, 2 * MIB)),
    ];
    let names = ["s/0", "s/1", "s/2", "s/3", "s/4", "s/5", "s/6", "s/7"];
    files.extend(names.iter().enumerate().map(|(n, name)| (*name, bytes(10 + n as u8, 3_000 + n))));
    files
}

/// Everything in a root but potluck's own folder.
fn payload(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with(".potluck") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[tokio::test]
async fn a_game_goes_from_one_machine_to_the_other() {
    let (mut host, mut guest) = (Machine::start(), Machine::start());
    let scanned = host.own("1.0\n", &usual_files());
    host.accept();
    guest.link_to(&host).await;
    guest.get(&scanned, &[(&host, EntryState::Ready)]).await;
    let (reused, sources) = guest.downloaded().await;
    assert_eq!(payload(&guest.root()), payload(&host.root()));
    assert_eq!(reused, 0);
    assert_eq!(sources.iter().map(|source| source.bytes).sum::<u64>(), scanned.held.manifest.size());
    // It is served on from its root.
    let shelved = guest.context.shelf.get(scanned.held.content).unwrap();
    assert!(matches!(shelved.files(), Files::Root(_)) && shelved.have_map().is_full());
    host.stop().await;
    guest.stop().await;
}

#[tokio::test]
async fn an_update_fetches_only_what_differs() {
    let (mut host, mut guest) = (Machine::start(), Machine::start());
    let mut files = usual_files();
    guest.own("1.0\n", &files);
    // One chunk of the big file and one small file are new.
    files[0].1[5 * MIB + 3] ^= 1;
    files[1].1 = bytes(99, 70_001);
    let scanned = host.own("1.1\n", &files);
    host.accept();
    guest.link_to(&host).await;
    guest.get(&scanned, &[(&host, EntryState::Ready)]).await;
    let (reused, sources) = guest.downloaded().await;
    assert_eq!(payload(&guest.root()), payload(&host.root()));
    let fetched: u64 = sources.iter().map(|source| source.bytes).sum();
    assert_eq!(fetched, MIB as u64 + 70_001);
    assert_eq!(reused + fetched, scanned.held.manifest.size());
    host.stop().await;
    guest.stop().await;
}

#[tokio::test]
async fn a_damaged_chunk_is_refused_reported_and_fetched_elsewhere() {
    let (mut liar, mut honest, mut guest) = (Machine::start(), Machine::start(), Machine::start());
    let scanned = liar.own("1.0\n", &usual_files());
    honest.own("1.0\n", &usual_files());
    // A byte flips on the disk of one, and nothing tells.
    let path = liar.root().join("big.pak");
    let times = fs::metadata(&path).unwrap().modified().unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(b"!!!!", 4 * MIB as u64).unwrap();
    file.set_modified(times).unwrap();
    drop(file);
    // What a scan saw before is what the stamps say, whatever the file system's clock made of it.
    let root = GameRoot::open(&liar.root()).unwrap();
    let mut seen = scanned.clone();
    let number = scanned.held.manifest.files().iter().position(|file| file.path.as_str() == "big.pak").unwrap();
    seen.held.stamps[number] = Some(root.stat("big.pak").unwrap().stamp);
    liar.context.shelf.remove(scanned.held.content);
    liar.shelve(root, &seen);
    liar.accept();
    honest.accept();

    guest.link_to(&liar).await;
    guest.get(&scanned, &[(&liar, EntryState::Ready)]).await;
    let chunk = guest
        .event(|event| {
            let EventKind::BadChunk { chunk, .. } = &event.kind else { return None };
            Some(*chunk)
        })
        .await;
    // The report reaches the liar, which looks and says so.
    let report = guest.links.recv().await;
    let Some(LinksInput::Send { message: Control::BadChunk { content, chunk: reported }, .. }) = report else {
        panic!("{report:?}")
    };
    assert_eq!(reported, chunk);
    let (peer, chunk) = (guest.context.me, ChunkNo(chunk));
    liar.context.inputs.serving.send(ServingInput::BadChunk { peer, content, chunk }).await.unwrap();
    liar.event(|event| matches!(event.kind, EventKind::BadChunk { .. }).then_some(())).await;
    assert!(!liar.context.shelf.get(content).unwrap().has(chunk));
    let view = guest.shown(|view| view.reason == "no peer has the rest").await;
    assert_eq!((view.state, view.chunks - view.chunks_have), (StateWord::Waiting, 1));

    guest.link_to(&honest).await;
    let holders = vec![(liar.context.me, EntryState::Ready), (honest.context.me, EntryState::Ready)];
    guest.tell(TransfersInput::Holders { content, holders }).await;
    guest.downloaded().await;
    assert_eq!(payload(&guest.root()), payload(&honest.root()));
    for machine in [liar, honest, guest] {
        machine.stop().await;
    }
}

#[tokio::test]
async fn what_was_fetched_counts_after_a_restart_and_growing_peers_are_sources() {
    let (mut first, mut second, mut guest) = (Machine::start(), Machine::start(), Machine::start());
    let scanned = first.own("1.0\n", &usual_files());
    let content = scanned.held.content;
    first.accept();
    // The first has all but the end of the big file; the getter gets what there is.
    let shelved = first.context.shelf.get(content).unwrap();
    for chunk in 5..9 {
        shelved.drop_chunk(ChunkNo(chunk));
    }
    guest.link_to(&first).await;
    guest.get(&scanned, &[(&first, EntryState::Getting(crate::types::Tenths::new(5)))]).await;
    let view = guest.shown(|view| view.reason == "no peer has the rest").await;
    assert_eq!(view.chunks - view.chunks_have, 4);
    let request = MapRequest { game: GAME.into(), len: 10, cells: 10, about: Some((4, 6)), ..MapRequest::default() };
    let Ok(Reply::Map(map)) = say(&guest, |reply| TransfersInput::Map { request, reply }).await else { panic!("none") };
    let here: Vec<u32> = map.cells.iter().map(|cell| cell.have).collect();
    assert_eq!(here, [1, 1, 1, 1, 1, 0, 0, 0, 0, 1]);
    let about = map.about.unwrap();
    assert_eq!((about.files, about.scarce, about.cell.rarest), (vec!["big.pak".to_owned()], 4, 0));
    let request = MapRequest { game: "nothing".into(), ..MapRequest::default() };
    let unknown = say(&guest, |reply| TransfersInput::Map { request, reply }).await;
    assert_eq!(unknown.unwrap_err().code, ErrorCode::NotFound);
    let done = view.done;
    let dir = guest.stop().await;

    // The next run finds the queue and the chunks by itself, and takes the rest from a growing peer.
    let mut guest = Machine::start_in(dir);
    second.own("1.0\n", &usual_files());
    let shelved = second.context.shelf.get(content).unwrap();
    for chunk in [0, 1, 2] {
        shelved.drop_chunk(ChunkNo(chunk));
    }
    second.accept();
    guest.link_to(&second).await;
    guest.tell(TransfersInput::Scanned).await;
    let holders = vec![(second.context.me, EntryState::Getting(crate::types::Tenths::new(8)))];
    // The library answers `Follow` with the holders.
    let library = &mut guest.library;
    while !matches!(library.recv().await, Some(LibraryInput::Follow { .. })) {}
    guest.tell(TransfersInput::Holders { content, holders }).await;
    let (reused, sources) = guest.downloaded().await;
    assert_eq!(reused, done);
    assert_eq!(sources.iter().map(|source| source.bytes).sum::<u64>(), 4 * MIB as u64);
    assert_eq!(payload(&guest.root()), payload(&first.root()));
    for machine in [first, second, guest] {
        machine.stop().await;
    }
}

#[tokio::test]
async fn pause_resume_and_cancel_do_what_they_say() {
    let (mut host, mut guest) = (Machine::start(), Machine::start());
    let scanned = host.own("1.0\n", &usual_files());
    let content = scanned.held.content;
    let shelved = host.context.shelf.get(content).unwrap();
    shelved.drop_chunk(ChunkNo(0));
    host.accept();
    guest.link_to(&host).await;
    guest.get(&scanned, &[(&host, EntryState::Ready)]).await;
    guest.shown(|view| view.reason == "no peer has the rest").await;

    assert!(say(&guest, |reply| TransfersInput::Pause { game: "the game".into(), reply }).await.is_ok());
    guest.shown(|view| view.state == StateWord::Paused && view.reason == "by you").await;
    let unknown = say(&guest, |reply| TransfersInput::Pause { game: "x".into(), reply }).await;
    assert_eq!(unknown.unwrap_err().code, ErrorCode::NotFound);
    shelved.add(ChunkNo(0));
    assert!(say(&guest, |reply| TransfersInput::Cancel { game: GAME.into(), discard: true, reply }).await.is_ok());
    let library = &mut guest.library;
    while !matches!(library.recv().await, Some(LibraryInput::Unfollow { .. })) {}
    assert!(guest.context.shelf.get(content).is_none());
    let left = fs::read_dir(guest.root().join(".potluck/incoming")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "nothing of it is kept");

    // And once more from the beginning.
    guest.get(&scanned, &[(&host, EntryState::Ready)]).await;
    guest.downloaded().await;
    assert_eq!(payload(&guest.root()), payload(&host.root()));
    host.stop().await;
    guest.stop().await;
}

async fn say(machine: &Machine, input: impl FnOnce(ReplyTo) -> TransfersInput) -> Result<Reply, CommandError> {
    let (reply, answer) = oneshot::channel();
    machine.tell(input(reply)).await;
    answer.await.unwrap()
}

#[tokio::test]
async fn what_was_committed_is_not_begun_anew() {
    let machine = Machine::start();
    let content = machine.own("1.0\n", &usual_files()).held.content;
    let state = machine.context.settings.places.state.join("transfers.json");
    let left = format!(r#"[{{"game":"{GAME}","title":"x","version":"1.0","content":"{content}","size":1}}]"#);
    let dir = machine.stop().await;
    fs::write(&state, left).unwrap();
    let machine = Machine::start_in(dir);
    // As after a `get` that ended before it could take its transfer off the queue.
    machine.tell(TransfersInput::Scanned).await;
    let (reply, busy) = oneshot::channel();
    machine.tell(TransfersInput::Busy { game: GameId::new(GAME).unwrap(), reply }).await;
    assert!(!busy.await.unwrap(), "it is being got again");
    let _dir = machine.stop().await;
    // What was said last is on disk when everything has ended.
    assert_eq!(fs::read_to_string(&state).unwrap(), "[]");
}

/// Also before the library was looked at for the first time, when what the last run left has to wait.
#[tokio::test]
async fn who_hears_that_it_is_queued_can_count_on_it() {
    let dir = temp_dir();
    let state = dir.path().join("home/transfers.json");
    fs::create_dir_all(state.parent().unwrap()).unwrap();
    let other = ContentId::from_bytes([7; 32]).to_string();
    fs::write(&state, format!(r#"[{{"game":"other","title":"x","version":"1.0","content":"{other}","size":1}}]"#))
        .unwrap();
    let (host, guest) = (Machine::start(), Machine::start_in(dir));
    assert!(state.starts_with(&guest.context.settings.places.state), "the queue is kept there");
    let scanned = host.own("1.0\n", &usual_files());
    let content = scanned.held.content.to_string();
    let queue = |reply| {
        let wanted = Wanted { reply: Some(reply), ..wanted(&scanned, AfterGet::Nothing) };
        TransfersInput::Enqueue(Box::new(wanted))
    };
    // A disk that does not end a write until somebody reads.
    let slow = state.with_extension("new");
    let owner = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &slow, rustix::fs::FileType::Fifo, owner, 0).unwrap();
    let mut queued = Box::pin(say(&guest, queue));
    assert!(timeout(Duration::from_millis(300), &mut queued).await.is_err(), "it said so before it was on disk");
    let mut seen = String::new();
    fs::File::open(&slow).unwrap().read_to_string(&mut seen).unwrap();
    assert!(seen.contains(&content), "{seen}");
    assert!(matches!(queued.await, Ok(Reply::Queued { .. })));

    fs::remove_file(&slow).unwrap();
    assert!(matches!(say(&guest, queue).await, Ok(Reply::Queued { .. })));
    let saved = fs::read_to_string(&state).unwrap();
    assert!(saved.contains(&content) && saved.contains(&other), "{saved}");
    guest.stop().await;
    host.stop().await;
}

/// The older build is installed while the newer one comes: neither sees half of the other, whichever is first.
#[tokio::test]
async fn a_commit_waits_for_an_installation_and_both_are_whole_in_either_order() {
    let (mut host, mut guest) = (Machine::start(), Machine::start());
    let mut files = usual_files();
    let old = guest.own("1.0\n", &files);
    let before = payload(&guest.root());
    files[0].1[5 * MIB + 3] ^= 1;
    let new = host.own("1.1\n", &files);
    host.accept();
    guest.link_to(&host).await;
    // It has its folder, and nobody to ask yet.
    guest.get(&new, &[]).await;
    guest.shown(|view| view.reason == "no peer has it").await;
    let (game, root) = (GameId::new(GAME).unwrap(), GameRoot::open(&guest.root()).unwrap());
    let mut progress = |_: u64, _: &str| ControlFlow::Continue(());
    let build = |scanned: &Scanned| (scanned.held.content, Arc::clone(&scanned.held.manifest));
    let installed = |machine: &Machine| {
        let mut local = payload(&machine.root().join("local"));
        local.retain(|path, _| !path.to_str().unwrap().starts_with(".potluck_"));
        local
    };

    let turn = guest.context.roots.take(&game, Change::Install).unwrap();
    let (content, manifest) = build(&old);
    let staged = turn.stage(&root, (content, &manifest), &mut Plain, &mut progress).unwrap();
    guest.holders(new.held.content, &[(&host, EntryState::Ready)]).await;
    let waits = guest.shown(|view| view.reason == "an installation of it is under way").await;
    assert_eq!(waits.state, StateWord::Waiting);
    let mut while_staged = payload(&guest.root());
    while_staged.retain(|path, _| !path.starts_with(".local.installing"));
    assert!(while_staged == before, "nothing of the payload has changed under it");
    turn.take_place(&root, staged, &[], &mut progress).unwrap();
    drop(turn);
    guest.downloaded().await;
    let played = |mut payload: BTreeMap<PathBuf, Vec<u8>>| {
        payload.retain(|path, _| !path.starts_with("local"));
        payload
    };
    let playable = |mut payload: BTreeMap<PathBuf, Vec<u8>>| {
        payload.remove(Path::new("version.ini"));
        payload
    };
    assert!(played(payload(&guest.root())) == payload(&host.root()), "the new build is in place");
    assert!(installed(&guest) == playable(before), "the old one was installed, all of it");

    let turn = guest.context.roots.take(&game, Change::Install).unwrap();
    let (content, manifest) = build(&new);
    let staged = turn.stage(&root, (content, &manifest), &mut Plain, &mut progress).unwrap();
    turn.take_place(&root, staged, &[], &mut progress).unwrap();
    assert!(installed(&guest) == playable(payload(&host.root())));
    drop(turn);
    host.stop().await;
    guest.stop().await;
}

/// What a `get --install` still owes is in one of two files at any time: that of the queue, until the library says
/// that it is in its own.
#[tokio::test]
async fn a_transfer_is_on_record_until_the_wish_to_install_is() {
    for is_noted in [false, true] {
        let (mut host, mut guest) = (Machine::start(), Machine::start());
        let scanned = host.own("1.0\n", &usual_files());
        host.accept();
        guest.link_to(&host).await;
        guest.get_and(&scanned, AfterGet::Install, &[(&host, EntryState::Ready)]).await;
        guest.downloaded().await;
        let noted = loop {
            if let LibraryInput::ThenInstall { content, noted, .. } = guest.library.recv().await.unwrap()
                && content == scanned.held.content
            {
                break noted;
            }
        };
        if is_noted {
            noted.send(()).unwrap();
            while !matches!(guest.library.recv().await.unwrap(), LibraryInput::Unfollow { .. }) {}
        } else {
            // As when the machine dies right now.
            drop(noted);
        }
        let state = guest.context.settings.places.state.join("transfers.json");
        let _dir = guest.stop().await;
        let saved = fs::read_to_string(state).unwrap();
        assert_eq!(saved.contains(&scanned.held.content.to_string()), !is_noted, "{saved}");
        host.stop().await;
    }
}
