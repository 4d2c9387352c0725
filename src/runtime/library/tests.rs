//! The actor on real folders, with the other actors played by the test: what it announces, shelves and
//! shows, and what commands do to the disk.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use tokio::sync::{broadcast, oneshot};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    api::{Added, ErrorCode, Event, GameView, GetRequest, StateWord},
    config::Settings,
    io::{disk::Libraries, index::Index, random, scan::Memory, store::OpenFiles},
    runtime::{
        input::{self, Inputs},
        roots::{Change, Roots},
        shelf::Shelf,
        tasks::Tasks,
        view::Teller,
    },
    types::{LibraryDigest, PayloadPath, Weighing},
};

/// Far longer than anything here takes; a test that waits for what never comes fails by it.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running actor, its home and its library.
struct Bench {
    home: tempfile::TempDir,
    inputs: Inputs,
    shown: watch::Receiver<LibraryShown>,
    events: broadcast::Receiver<Event>,
    /// What the transfers actor was told, beside questions.
    transfers: Arc<Mutex<Vec<TransfersInput>>>,
    links: mpsc::Receiver<LinksInput>,
    shelf: Shelf,
    roots: Roots,
    tasks: Tasks,
    busy: watch::Sender<bool>,
}

impl Bench {
    fn home() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("library")).unwrap();
        home
    }

    async fn start(home: tempfile::TempDir) -> Self {
        let bench = Self::start_without_waiting(home);
        bench.wait("the first looks", |shown| shown.scanned).await;
        bench
    }

    fn start_without_waiting(home: tempfile::TempDir) -> Self {
        let settings = Arc::new(Settings::fresh(home.path(), home.path().join("library")).unwrap());
        fs::create_dir_all(&settings.places.state).unwrap();
        let mut folder = Folder::prepare(&settings).unwrap();
        folder.quiet = Duration::ZERO;
        let (tasks, _) = Tasks::new();
        let (inputs, outlets) = input::channels();
        let (sender, events) = broadcast::channel(100);
        let (shelf, roots) = (Shelf::default(), Roots::default());
        let context = Context {
            me: PeerId::from_bytes([0; 32]),
            nonce: random::instance_nonce(),
            inputs: inputs.clone(),
            teller: Teller::new(sender),
            tasks: tasks.clone(),
            pool: folder.hashing.clone(),
            shelf: shelf.clone(),
            files: OpenFiles::default(),
            roots: roots.clone(),
            libraries: Libraries::only(settings.library()),
            index: Arc::new(Index::open(&settings.places.state.join("index"), settings.library()).0.with_exact_times()),
            doubts: watch::Sender::new(None),
            counters: Default::default(),
            settings,
        };
        let (cell, shown) = watch::channel(LibraryShown::default());
        tasks.supervise("library", crate::runtime::tasks::Policy::BestEffort, {
            let mut actor = Some(run(context, folder, outlets.library, cell));
            move |_| actor.take().unwrap()
        });
        let transfers = Arc::new(Mutex::new(Vec::new()));
        let busy = watch::Sender::new(false);
        let (told, is_busy, mut inbox) = (Arc::clone(&transfers), busy.subscribe(), outlets.transfers);
        tasks.spawn("transfers", async move {
            while let Some(input) = inbox.recv().await {
                if let TransfersInput::Busy { reply, .. } = input {
                    reply.send(*is_busy.borrow()).unwrap();
                } else {
                    told.lock().unwrap().push(input);
                }
            }
        });
        Self { home, inputs, shown, events, transfers, links: outlets.links, shelf, roots, tasks, busy }
    }

    async fn stop(self) -> tempfile::TempDir {
        drop(self.inputs);
        // The test's own tasks do not look at the token; they are dropped.
        let _ = self.tasks.shutdown(Duration::from_millis(500)).await;
        self.home
    }

    fn library(&self) -> PathBuf {
        self.home.path().join("library")
    }

    async fn tell(&self, input: LibraryInput) {
        self.inputs.library.send(input).await.unwrap();
    }

    async fn ask(&self, input: impl FnOnce(ReplyTo) -> LibraryInput) -> Result<Reply, CommandError> {
        let (reply, answer) = oneshot::channel();
        self.tell(input(reply)).await;
        tokio::time::timeout(PATIENCE, answer).await.expect("an answer in time").expect("an answer")
    }

    async fn add(&self, path: &Path, version: Option<&str>, take: bool) -> Result<Added, CommandError> {
        let (path, version) = (path.to_owned(), version.map(str::to_owned));
        let add = |reply| LibraryInput::Add { path, id: None, version, title: None, take, reply };
        let reply = self.ask(add).await?;
        if let Reply::Added(added) = reply { Ok(added) } else { panic!("{reply:?}") }
    }

    async fn wait(&self, what: &str, is: impl FnMut(&LibraryShown) -> bool) -> LibraryShown {
        let mut shown = self.shown.clone();
        let waited = tokio::time::timeout(PATIENCE, shown.wait_for(is)).await;
        waited.unwrap_or_else(|_| panic!("waited in vain for {what}: {:?}", self.shown.borrow())).unwrap().clone()
    }

    async fn game(&self, id: &str, is: impl Fn(&GameView) -> bool) -> GameView {
        let find = |shown: &LibraryShown| shown.games.iter().find(|game| game.id == id && is(game)).cloned();
        find(&self.wait(id, |shown| find(shown).is_some()).await).unwrap()
    }

    fn enqueued(&self) -> Vec<String> {
        let told = self.transfers.lock().unwrap();
        let wanted = told.iter().filter_map(|input| {
            if let TransfersInput::Enqueue(wanted) = input { Some(wanted.game.to_string()) } else { None }
        });
        wanted.collect()
    }
}

fn put(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Every file below a folder with its text, except potluck's own.
fn tree(root: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().unwrap() != ".potluck" {
                    folders.push(path);
                }
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn listed(files: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut listed: Vec<_> = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    listed.sort();
    listed
}

fn content(game: &GameView) -> ContentId {
    game.content.parse().unwrap()
}

const XONOTIC: &[(&str, &str)] = &[("version.ini", "0.8.6\n"), ("data/pak.pk3", "pak"), ("xonotic", "run")];

#[tokio::test]
async fn a_game_in_the_library_is_shelved_shown_and_announced() {
    let home = Bench::home();
    put(&home.path().join("library/xonotic"), XONOTIC);
    put(&home.path().join("library/no-version"), &[("a", "a")]);
    put(&home.path().join("library/bad\\name"), &[("version.ini", "1")]);
    fs::create_dir_all(home.path().join("library/empty")).unwrap();
    let mut bench = Bench::start(home).await;
    let game = bench.game("xonotic", |game| game.state == StateWord::Downloaded).await;
    assert_eq!((game.version.as_str(), game.size, game.files, game.have), ("0.8.6", 6, 2, 1));
    let shelved = bench.shelf.get(content(&game)).expect("it is on the shelf");
    assert!(shelved.have_map().is_full());
    let private = bench.game("no-version", |game| game.state == StateWord::Failed).await;
    assert!(private.reason.contains("no version.ini"));
    assert!(bench.shown.borrow().games.iter().all(|game| game.id != "empty"));
    let mut digest = None;
    let delta = loop {
        let told = tokio::time::timeout(PATIENCE, bench.links.recv()).await.unwrap().unwrap();
        if let LinksInput::Digest(new) = told {
            digest = Some(new);
        } else if let LinksInput::Broadcast(Control::LibraryDelta(delta)) = told {
            break delta;
        }
    };
    assert_eq!((digest, delta.upserts.entries.len()), (Some(delta.to), 1));
    assert_eq!(delta.upserts.entries[0].content, content(&game));
    let mut told = Vec::new();
    while let Ok(event) = bench.events.try_recv() {
        told.push(event.text);
    }
    assert!(told.iter().any(|text| text.contains("bad\\name")), "{told:?}");
    assert!(matches!(bench.transfers.lock().unwrap()[..], [TransfersInput::Scanned]));
}

#[tokio::test]
async fn a_second_start_finds_the_same_build_and_a_changed_version_makes_another() {
    let home = Bench::home();
    put(&home.path().join("library/xonotic"), XONOTIC);
    let bench = Bench::start(home).await;
    let first = bench.game("xonotic", |game| !game.content.is_empty()).await;
    let home = bench.stop().await;
    let bench = Bench::start(home).await;
    let again = bench.game("xonotic", |game| !game.content.is_empty()).await;
    assert_eq!(first.content, again.content);
    fs::write(bench.library().join("xonotic/version.ini"), "0.8.7\n").unwrap();
    let newer = bench.game("xonotic", |game| game.version == "0.8.7").await;
    assert_ne!(newer.content, first.content);
    assert!(bench.shelf.get(content(&first)).is_none() && bench.shelf.get(content(&newer)).is_some());
}

#[tokio::test]
async fn what_a_build_takes_installed_is_found_out_once_and_told_with_the_first_word_of_it_ever_after() {
    let home = Bench::home();
    put(&home.path().join("library/plain"), &[("version.ini", "1"), ("data/a.pak", "12345")]);
    let bench = Bench::start(home).await;
    let game = bench.game("plain", |game| game.installed_size.is_some()).await;
    assert_eq!((game.installed_size, game.builds[0].installed_size), (Some(5), Some(5)));
    let mut bench = Bench::start(bench.stop().await).await;
    let first = loop {
        let told = tokio::time::timeout(PATIENCE, bench.links.recv()).await.unwrap().unwrap();
        if let LinksInput::Broadcast(Control::LibraryDelta(delta)) = told {
            break delta;
        }
    };
    assert_eq!(first.upserts.entries[0].installed, Some(5));
}

#[tokio::test]
async fn what_could_not_be_found_out_before_is_not_tried_again_and_known_once_it_is_installed() {
    let home = Bench::home();
    put(&home.path().join("library/plain"), &[("version.ini", "1"), ("data/a.pak", "12345")]);
    let bench = Bench::start(home).await;
    let game = bench.game("plain", |game| game.installed_size.is_some()).await;
    let home = bench.stop().await;
    let settings = Settings::fresh(home.path(), home.path().join("library")).unwrap();
    let (id, content) = (GameId::new("plain").unwrap(), content(&game));
    let index = || Index::open(&settings.places.state.join("index"), settings.library()).0;
    index().put_weighing(&id, &content, Weighing::InVain);
    let bench = Bench::start(home).await;
    // A weighing would begin after the first and before the second.
    for _ in 0..2 {
        bench.ask(|reply| LibraryInput::Verify { game: "plain".into(), repair: false, reply }).await.unwrap();
    }
    let home = bench.stop().await;
    assert_eq!(index().weighing(&id, &content), Weighing::InVain);
    let bench = Bench::start(home).await;
    bench.ask(|reply| LibraryInput::Install { game: "plain".into(), drop_archives: false, reply }).await.unwrap();
    bench.game("plain", |game| game.installed_size == Some(5)).await;
}

/// A library costs what is asked of it: a game that did not change is not read before somebody wants it.
#[tokio::test]
async fn a_game_that_did_not_change_is_opened_when_somebody_asks_and_closed_again() {
    let home = Bench::home();
    let root = home.path().join("library/xonotic");
    put(&root, XONOTIC);
    fs::write(root.join("data/big.pk3"), vec![7; 3 << 20]).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    std::os::unix::fs::symlink("data", root.join("link")).unwrap();
    let bench = Bench::start(home).await;
    let game = bench.game("xonotic", |game| game.state == StateWord::Downloaded).await;
    let id = content(&game);
    assert!(bench.shelf.get(id).is_some(), "it was hashed just now");
    bench.shelf.close_idle();
    assert!(bench.shelf.get(id).is_some());
    bench.shelf.close_idle();
    assert!(bench.shelf.is_closed(&id));
    let bench = Bench::start(bench.stop().await).await;
    let again = bench.game("xonotic", |game| game.state == StateWord::Downloaded).await;
    assert_eq!((&again.content, again.size, again.files, &again.version), (&game.content, game.size, 3, &game.version));
    assert!(bench.shelf.is_closed(&id) && bench.shelf.get(id).is_none());
    assert_eq!(bench.shelf.in_root_of(&GameId::new("xonotic").unwrap()), Some(id));

    let (one, other) = tokio::join!(bench.shelf.open(id), bench.shelf.open(id));
    let shelved = one.unwrap();
    assert!(Arc::ptr_eq(&shelved, &other.unwrap()) && !bench.shelf.is_closed(&id));
    assert!(shelved.have_map().is_full() && shelved.manifest().game().as_str() == "xonotic");
    let crate::runtime::shelf::Files::Root(reader) = shelved.files() else { panic!("not in its root") };
    for chunk in 0..shelved.manifest().chunk_count() {
        assert!(reader.verify_chunk(ChunkNo(chunk)).unwrap(), "chunk {chunk}");
    }
    (0..5).for_each(|_| bench.shelf.close_idle());
    assert!(bench.shelf.get(id).is_some(), "somebody uses it");
    drop((shelved, reader));
    (0..2).for_each(|_| bench.shelf.close_idle());
    assert!(bench.shelf.is_closed(&id));
}

/// Holes cost no disk, so a game of any size can be tried: its last chunk is as right as its first.
#[tokio::test]
async fn a_large_game_of_holes_is_shared_to_its_last_byte() {
    const SIZE: u64 = (2 << 30) + 5;
    let home = Bench::home();
    let root = home.path().join("library/holes");
    put(&root, &[("version.ini", "1"), ("end", "x")]);
    fs::File::create(root.join("disc.img")).unwrap().set_len(SIZE).unwrap();
    let bench = Bench::start(home).await;
    let game = bench.game("holes", |game| game.state == StateWord::Downloaded).await;
    assert_eq!((game.size, game.files), (SIZE + 1, 2));
    let bench = Bench::start(bench.stop().await).await;
    let again = bench.game("holes", |game| game.state == StateWord::Downloaded).await;
    assert!(again.content == game.content && bench.shelf.is_closed(&content(&game)));
    let shelved = bench.shelf.open(content(&game)).await.unwrap();
    assert_eq!(shelved.manifest().chunk_count(), 2_050);
    let crate::runtime::shelf::Files::Root(reader) = shelved.files() else { panic!("not in its root") };
    for chunk in [0, 1_024, 2_047, 2_048, 2_049] {
        assert!(reader.verify_chunk(ChunkNo(chunk)).unwrap(), "chunk {chunk}");
    }
}

/// What the index says is not enough to open a game: without its manifest or its hashes it is read again.
#[tokio::test]
async fn a_game_that_cannot_be_opened_is_looked_at_and_offered_again() {
    for lost in [".potluck/hashes", ".potluck/manifest.json", "data/big.pk3"] {
        let home = Bench::home();
        let root = home.path().join("library/xonotic");
        put(&root, XONOTIC);
        fs::create_dir_all(root.join("data")).unwrap();
        fs::write(root.join("data/big.pk3"), vec![7; 3 << 20]).unwrap();
        let bench = Bench::start(home).await;
        let game = bench.game("xonotic", |game| game.state == StateWord::Downloaded).await;
        let id = content(&game);
        let bench = Bench::start(bench.stop().await).await;
        bench.game("xonotic", |game| game.state == StateWord::Downloaded).await;
        assert!(bench.shelf.is_closed(&id), "{lost}");
        fs::remove_file(root.join(lost)).unwrap();
        if lost.starts_with("data") {
            // Whoever reads it sees what the shelf does not.
            let shelved = bench.shelf.open(id).await.unwrap();
            let crate::runtime::shelf::Files::Root(reader) = shelved.files() else { panic!("not in its root") };
            assert!(reader.verify_chunk(ChunkNo(0)).is_err());
            bench.tell(LibraryInput::OwnChanged { game: GameId::new("xonotic").unwrap() }).await;
            bench.game("xonotic", |game| game.reason == "modified: data/big.pk3").await;
            assert_eq!(bench.shelf.get(id).unwrap().have_map().len(), 2);
        } else {
            assert!(bench.shelf.open(id).await.is_none(), "{lost}");
            let opened = tokio::time::timeout(PATIENCE, async {
                while bench.shelf.get(id).is_none() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            });
            opened.await.unwrap_or_else(|_| panic!("without {lost} it is never offered again"));
            let again = bench.game("xonotic", |game| game.state == StateWord::Downloaded).await;
            assert!(again.reason.is_empty() && root.join(lost).exists(), "{lost} is there again");
        }
    }
}

#[tokio::test]
async fn a_changed_file_makes_the_game_modified_and_a_check_names_it() {
    let home = Bench::home();
    put(&home.path().join("library/xonotic"), XONOTIC);
    let bench = Bench::start(home).await;
    let game = bench.game("xonotic", |game| game.state == StateWord::Downloaded).await;
    fs::write(bench.library().join("xonotic/data/pak.pk3"), "mod").unwrap();
    bench.ask(|reply| LibraryInput::Rescan { reply }).await.unwrap();
    let modified = bench.game("xonotic", |game| !game.reason.is_empty()).await;
    assert_eq!(modified.reason, "modified: data/pak.pk3");
    assert_eq!(modified.content, game.content, "a mod does not fork the swarm");
    let have = bench.shelf.get(content(&game)).unwrap().have_map();
    assert_eq!((have.len(), have.chunk_count()), (1, 2), "what still matches is shared");

    let verify = |repair| move |reply| LibraryInput::Verify { game: "xonotic".to_owned(), repair, reply };
    let Reply::Verified(report) = bench.ask(verify(false)).await.unwrap() else { panic!("no report") };
    assert_eq!((report.bad, report.bad_chunks, report.repairing), (vec!["data/pak.pk3".to_owned()], 1, false));
    let Reply::Verified(report) = bench.ask(verify(true)).await.unwrap() else { panic!("no report") };
    assert!(report.repairing);
    assert_eq!(bench.enqueued(), ["xonotic"]);
    let get =
        |reply| LibraryInput::Get { request: GetRequest { game: "xonotic".into(), ..GetRequest::default() }, reply };
    let (reply, _answer) = oneshot::channel();
    bench.tell(get(reply)).await;
    // Asked of the same inbox after it: by now the one before was dealt with.
    bench.ask(verify(false)).await.unwrap();
    assert_eq!(bench.enqueued().len(), 2, "getting what is modified repairs it");
}

/// What the index says of a file is believed until somebody says that a chunk of it is wrong.
#[test]
fn a_byte_that_changed_behind_an_unchanged_stamp_is_found_when_the_file_is_distrusted() {
    let home = Bench::home();
    let root = home.path().join("library/xonotic");
    put(&root, XONOTIC);
    let game = GameId::new("xonotic").unwrap();
    let desk = Desk {
        roots: Default::default(),
        libraries: Libraries::only(&home.path().join("library")),
        index: Arc::new(Index::open(&home.path().join("index"), &home.path().join("library")).0.with_exact_times()),
        files: OpenFiles::default(),
        shelf: Shelf::default(),
        quiet: Duration::ZERO,
    };
    let bad = |distrust: &Distrust| {
        let seen = look::look(&desk, &game, distrust, None, &Meter::default(), &CancellationToken::new());
        let look::What::Build(found) = seen.what else { panic!("{seen:?}") };
        found.bad_paths().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(bad(&Distrust::Nothing), [""; 0]);
    let path = PayloadPath::new("data/pak.pk3").unwrap();
    let stamp = || desk.libraries.open_root(&game).unwrap().stat(path.as_str()).unwrap().stamp;
    let right = Memory::of_game(&desk.index, &game).get(&path, &stamp()).unwrap();
    fs::write(root.join("data/pak.pk3"), "pax").unwrap();
    // As if the disk had turned the byte by itself: the index knows the old hash for the state of now.
    let deceive = || Memory::of_game(&desk.index, &game).learn(&path, stamp(), right.clone());
    deceive();
    assert_eq!(bad(&Distrust::Nothing), [""; 0]);
    assert_eq!(bad(&Distrust::File(PayloadPath::new("xonotic").unwrap())), [""; 0]);
    assert_eq!(bad(&Distrust::File(path.clone())), ["data/pak.pk3"]);
    assert_eq!(bad(&Distrust::Nothing), ["data/pak.pk3"], "what was found out is remembered");
    deceive();
    assert_eq!(bad(&Distrust::Everything), ["data/pak.pk3"]);
}

#[tokio::test]
async fn a_chunk_a_peer_calls_bad_is_read_again() {
    let home = Bench::home();
    put(&home.path().join("library/xonotic"), XONOTIC);
    let bench = Bench::start(home).await;
    let game = bench.game("xonotic", |game| game.state == StateWord::Downloaded).await;
    // Deep in the folder, where no watch sees it.
    fs::write(bench.library().join("xonotic/data/pak.pk3"), "pax").unwrap();
    bench.tell(LibraryInput::OwnChunkBad { content: content(&game), chunk: ChunkNo(0) }).await;
    let modified = bench.game("xonotic", |game| !game.reason.is_empty()).await;
    assert_eq!(modified.reason, "modified: data/pak.pk3");
}

#[tokio::test]
async fn a_folder_elsewhere_is_copied_in_and_a_new_one_on_the_same_id_says_what_changed() {
    let bench = Bench::start(Bench::home()).await;
    let source = bench.home.path().join("downloads/openttd");
    let files = &[("a/b/c", "deep"), ("openttd", "run"), ("version.ini", "15.0\n"), ("old", "gone soon")];
    put(&source, files);
    let added = bench.add(&source, None, false).await.unwrap();
    assert_eq!((added.game.as_str(), added.version.as_str(), added.files, added.before), ("openttd", "15.0", 3, None));
    assert_eq!(tree(&bench.library().join("openttd")), listed(files));
    assert_eq!(tree(&source), listed(files), "the source stays");
    let game = bench.game("openttd", |game| game.state == StateWord::Downloaded).await;
    assert_eq!(game.content, added.content);

    fs::remove_file(source.join("old")).unwrap();
    put(&source, &[("openttd", "run faster"), ("new", "n"), ("version.ini", "15.1\n")]);
    let added = bench.add(&source, None, false).await.unwrap();
    assert_eq!((added.version.as_str(), added.before.as_deref(), added.changed), ("15.1", Some("15.0"), [1, 1, 1]));
    let expect = &[("a/b/c", "deep"), ("openttd", "run faster"), ("version.ini", "15.1\n"), ("new", "n")];
    assert_eq!(tree(&bench.library().join("openttd")), listed(expect));
    let newer = bench.game("openttd", |game| game.version == "15.1").await;
    assert!(bench.shelf.get(content(&game)).is_none() && bench.shelf.get(content(&newer)).is_some());
}

#[tokio::test]
async fn a_move_leaves_nothing_behind_and_a_folder_in_place_stays_in_place() {
    let bench = Bench::start(Bench::home()).await;
    let files = &[("a", "a"), ("b/c", "c")];
    let source = bench.home.path().join("downloads/new game");
    put(&source, files);
    let added = bench.add(&source, Some("7"), true).await.unwrap();
    assert_eq!((added.game.as_str(), added.version.as_str()), ("new game", "7"));
    assert!(!source.exists());
    assert_eq!(tree(&bench.library().join("new game")), listed(&[files, &[("version.ini", "7\n")][..]].concat()));

    put(&source, &[("a", "A"), ("version.ini", "8")]);
    let added = bench.add(&source, None, true).await.unwrap();
    assert_eq!(added.changed, [0, 1, 1]);
    assert!(!source.exists(), "also onto a game that is there");

    let place = bench.library().join("here");
    put(&place, &[("x", "x")]);
    let added = bench.add(&place, None, false).await.unwrap();
    assert_eq!((added.game.as_str(), added.version), ("here", clock::today().to_string()));
    assert_eq!(bench.game("here", |game| game.state == StateWord::Downloaded).await.content, added.content);
}

#[tokio::test]
async fn an_archive_file_becomes_a_game_of_its_name() {
    let bench = Bench::start(Bench::home()).await;
    put(&bench.home.path().join("downloads"), &[("Quake III.tar.gz", "archive"), ("other", "o")]);
    let added = bench.add(&bench.home.path().join("downloads/Quake III.tar.gz"), Some("1.32"), true).await.unwrap();
    assert_eq!((added.game.as_str(), added.files), ("Quake III", 1));
    let expect = [("Quake III.tar.gz", "archive"), ("version.ini", "1.32\n")];
    assert_eq!(tree(&bench.library().join("Quake III")), listed(&expect));
    assert_eq!(tree(&bench.home.path().join("downloads")), listed(&[("other", "o")]), "only it was moved");
}

#[tokio::test]
async fn what_cannot_be_added_is_refused_and_leaves_no_trace() {
    let bench = Bench::start(Bench::home()).await;
    let downloads = bench.home.path().join("downloads");
    put(&downloads, &[("con/a", "a"), ("links/a", "a"), ("ok/a", "a"), ("blank/version.ini", "\n")]);
    std::os::unix::fs::symlink("/etc/passwd", downloads.join("links/out")).unwrap();
    put(&bench.library(), &[("game/inner/a", "a")]);
    for (path, code, words) in [
        (downloads.join("none"), ErrorCode::NotFound, "No such file"),
        (downloads.join("con"), ErrorCode::Usage, "--id"),
        (downloads.join("links"), ErrorCode::Refused, "out"),
        (downloads.join("blank"), ErrorCode::Refused, "--version"),
        (bench.library().join("game/inner"), ErrorCode::Refused, "inside"),
        (bench.home.path().to_owned(), ErrorCode::Refused, "inside"),
        ("/dev/null".into(), ErrorCode::NotFound, "neither"),
    ] {
        let error = bench.add(&path, None, false).await.unwrap_err();
        assert_eq!(error.code, code, "{}: {error}", path.display());
        assert!(error.message.contains(words), "{error}");
    }
    bench.busy.send_replace(true);
    let error = bench.add(&downloads.join("ok"), None, false).await.unwrap_err();
    assert!(error.code == ErrorCode::Refused && error.message.contains("cancel"), "{error}");
    bench.busy.send_replace(false);
    bench.add(&downloads.join("ok"), None, false).await.unwrap();
    put(&downloads, &[("OK/a", "a")]);
    let error = bench.add(&downloads.join("OK"), None, false).await.unwrap_err();
    assert!(error.message.contains("`ok`"), "{error}");
    let mut names: Vec<_> = fs::read_dir(bench.library()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["game", "ok"]);
}

#[tokio::test]
async fn a_removed_game_is_gone_from_disk_shelf_and_screen() {
    let home = Bench::home();
    put(&home.path().join("library/xonotic"), XONOTIC);
    let bench = Bench::start(home).await;
    let game = bench.game("xonotic", |game| game.state == StateWord::Downloaded).await;
    let remove = |name: &str| {
        let game = name.to_owned();
        move |reply| LibraryInput::Remove { game, reply }
    };
    let Reply::Done { message } = bench.ask(remove("Xonotic")).await.unwrap() else { panic!("not done") };
    assert_eq!(message, "xonotic is removed. Nobody here has it now.");
    bench.wait("no games", |shown| shown.games.is_empty()).await;
    assert!(bench.shelf.get(content(&game)).is_none());
    assert!(!bench.library().join("xonotic").exists());
    assert_eq!(bench.ask(remove("xonotic")).await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn of_two_changes_of_one_game_one_is_refused() {
    let home = Bench::home();
    put(&home.path().join("library/xonotic"), XONOTIC);
    let bench = Bench::start(home).await;
    bench.game("xonotic", |game| game.state == StateWord::Downloaded).await;
    let remove = |reply| LibraryInput::Remove { game: "xonotic".to_owned(), reply };
    let (first, second) = tokio::join!(bench.ask(remove), bench.ask(remove));
    let refused = if first.is_ok() { second } else { first };
    // Or it came when the first was over.
    assert!(matches!(refused.unwrap_err().code, ErrorCode::WouldWait | ErrorCode::NotFound));
    assert!(!bench.library().join("xonotic").exists());
}

#[tokio::test]
async fn what_a_face_asks_for_while_a_download_takes_its_place_is_refused_with_that() {
    let home = Bench::home();
    put(&home.path().join("library/xonotic"), XONOTIC);
    let bench = Bench::start(home).await;
    bench.game("xonotic", |game| game.state == StateWord::Downloaded).await;
    let game = || "xonotic".to_owned();
    let verify = |reply| LibraryInput::Verify { game: game(), repair: false, reply };
    let remove = |reply| LibraryInput::Remove { game: game(), reply };
    let commit = bench.roots.take(&GameId::new("xonotic").unwrap(), Change::Commit).unwrap();
    for refused in [bench.ask(verify).await, bench.ask(remove).await] {
        let error = refused.unwrap_err();
        assert_eq!(error.code, ErrorCode::WouldWait);
        assert_eq!(error.message, "xonotic: a download of it is being put in place; try again then");
    }
    assert_eq!(tree(&bench.library().join("xonotic")), listed(XONOTIC));
    drop(commit);
    bench.ask(verify).await.unwrap();
    bench.ask(remove).await.unwrap();
    assert!(!bench.library().join("xonotic").exists());
}

#[tokio::test]
async fn a_wish_to_install_is_on_disk_when_the_library_says_so() {
    let home = Bench::home();
    put(&home.path().join("library/xonotic"), XONOTIC);
    let bench = Bench::start(home).await;
    let known = bench.game("xonotic", |game| game.state == StateWord::Downloaded).await;
    // It stays owed while a transfer is under way.
    bench.busy.send_replace(true);
    let (noted, is_noted) = oneshot::channel();
    let game = GameId::new("xonotic").unwrap();
    bench.tell(LibraryInput::ThenInstall { game, content: content(&known), drop_archives: false, noted }).await;
    is_noted.await.unwrap();
    let home = bench.stop().await;
    let settings = Settings::fresh(home.path(), home.path().join("library")).unwrap();
    let (remembered, trouble) = Remembered::load(&settings.places.state);
    assert!(trouble.is_none());
    assert_eq!(remembered.to_install.into_values().collect::<Vec<_>>(), [content(&known)]);
}

#[tokio::test]
async fn nothing_is_begun_while_a_game_is_recovered() {
    let home = Bench::home();
    put(&home.path().join("library/xonotic"), XONOTIC);
    let bench = Bench::start(home).await;
    bench.game("xonotic", |game| game.state == StateWord::Downloaded).await;
    let home = bench.stop().await;
    // As a removal leaves it that is cut off after its first step.
    let root = home.path().join("library/xonotic");
    fs::rename(root.join("version.ini"), root.join(".potluck/version.ini.removed")).unwrap();
    let bench = Bench::start_without_waiting(home);
    let remove = |reply| LibraryInput::Remove { game: "xonotic".to_owned(), reply };
    assert_eq!(bench.ask(remove).await.unwrap_err().code, ErrorCode::NotFound);
    bench.wait("the first looks", |shown| shown.scanned && shown.games.is_empty()).await;
    assert!(!root.exists(), "it is recovered all the same");
}

#[tokio::test]
async fn a_game_deleted_by_hand_is_noticed() {
    let home = Bench::home();
    put(&home.path().join("library/xonotic"), XONOTIC);
    let bench = Bench::start(home).await;
    let game = bench.game("xonotic", |game| game.state == StateWord::Downloaded).await;
    fs::remove_dir_all(bench.library().join("xonotic")).unwrap();
    bench.wait("no games", |shown| shown.games.is_empty()).await;
    assert!(bench.shelf.get(content(&game)).is_none());
    put(&bench.library().join("xonotic"), XONOTIC);
    assert_eq!(bench.game("xonotic", |game| game.state == StateWord::Downloaded).await.content, game.content);
}

#[tokio::test]
async fn pins_and_trust_outlive_a_restart_and_words_that_mean_nothing_are_refused() {
    let home = Bench::home();
    put(&home.path().join("library/xonotic"), XONOTIC);
    let bench = Bench::start(home).await;
    let pin = |game: &str, version: Option<&str>| {
        let (game, version) = (game.to_owned(), version.map(str::to_owned));
        move |reply| LibraryInput::Pin { game, version, reply }
    };
    let trust = |peer: String| move |reply| LibraryInput::Trust { peer, trust: true, reply };
    let peer = PeerId::from_bytes([7; 32]);
    bench.ask(pin("xonotic", Some("0.8.6"))).await.unwrap();
    bench.ask(trust(peer.to_string())).await.unwrap();
    assert_eq!(bench.ask(pin("xonotic", Some("\u{1b}"))).await.unwrap_err().code, ErrorCode::Usage);
    assert_eq!(bench.ask(pin("xonotik", Some("1"))).await.unwrap_err().candidates[0].id, "xonotic");
    assert_eq!(bench.ask(trust("nobody".to_owned())).await.unwrap_err().code, ErrorCode::NotFound);
    let bench = Bench::start(bench.stop().await).await;
    assert_eq!(bench.game("xonotic", |game| game.pinned.is_some()).await.pinned.as_deref(), Some("0.8.6"));
    bench.ask(pin("xonotic", None)).await.unwrap();
    bench.game("xonotic", |game| game.pinned.is_none()).await;
}

#[tokio::test]
async fn the_catalog_titles_games_and_its_gate_keeps_others_off_the_shelf() {
    let home = Bench::home();
    put(&home.path().join("library/xonotic"), XONOTIC);
    put(&home.path().join("library/other"), &[("version.ini", "1"), ("a", "a")]);
    let catalog = "gate = true\n[games.xonotic]\ntitle = \"Xonotic\"\ngenre = \"shooter\"\nplayers = 16\n";
    let settings = Settings::fresh(home.path(), home.path().join("library")).unwrap();
    put(settings.catalog.parent().unwrap(), &[(settings.catalog.file_name().unwrap().to_str().unwrap(), catalog)]);
    let bench = Bench::start(home).await;
    let game = bench.game("xonotic", |game| game.state == StateWord::Downloaded).await;
    assert_eq!((game.title.as_str(), game.about.as_str()), ("Xonotic", "shooter · 16 players"));
    let other = bench.game("other", |game| game.private.is_some()).await;
    assert!(bench.shelf.get(content(&game)).is_some() && bench.shelf.get(content(&other)).is_none());
    assert_eq!(other.private.as_deref(), Some("not in the catalog"));
    let manifest = |reply| LibraryInput::Manifest { game: "Xonotic".to_owned(), reply };
    let Reply::Manifest { files, content: id, .. } = bench.ask(manifest).await.unwrap() else { panic!("none") };
    assert_eq!((files.len(), files[0].path.as_str(), id), (2, "data/pak.pk3", game.content));
}

#[tokio::test]
async fn a_peer_asks_for_our_snapshot_and_transfers_hear_who_has_what() {
    let home = Bench::home();
    put(&home.path().join("library/xonotic"), XONOTIC);
    let bench = Bench::start(home).await;
    let game = bench.game("xonotic", |game| game.state == StateWord::Downloaded).await;
    let snapshot = loop {
        let (reply, answer) = oneshot::channel();
        bench.tell(LibraryInput::SnapshotWanted { reply }).await;
        let snapshot = crate::wire::library::LibrarySnapshot::decode(&answer.await.unwrap()).unwrap();
        if !snapshot.games.entries.is_empty() {
            break snapshot;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(snapshot.games.entries[0].content, content(&game));
    assert_ne!(snapshot.digest, LibraryDigest::from_bytes([0; 32]));
    bench.tell(LibraryInput::Follow { content: content(&game) }).await;
    bench.ask(|reply| LibraryInput::Rescan { reply }).await.unwrap();
    let told = bench.transfers.lock().unwrap();
    let holders =
        told.iter().any(|input| matches!(input, TransfersInput::Holders { holders, .. } if holders.is_empty()));
    assert!(holders, "{told:?}");
}
