//! What takes space in the library and could go, weighed on the pool when a face asks; and letting it go. Which of it
//! is whose, and what is lost with it, is for the face to say before it asks for that.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use super::{
    Actor, answer,
    changes::{Op, is_busy},
    commands::{find, refusal},
    jobs::Done,
    look::Desk,
};
use crate::{
    api::{ErrorCode, Freeable, Reply, SPACE_ITEMS_MAX, SpaceItem, SpaceView},
    core::library::{LocalGame, LocalState},
    io::{
        disk::{DiskError, Found, GameRoot, Libraries, Library, Reason},
        probe::folder,
        store::{self, KeptWhat},
    },
    runtime::{
        input::{ReplyTo, TransfersInput},
        installs::Installation,
        roots::RootTurn,
        tasks::PoolError,
    },
    types::{ContentId, EntryState, FileHash, GameId, Manifest, Version, Weight, decimal},
};

/// Something found in a root.
#[derive(Debug)]
pub(super) struct Weighed {
    game: GameId,
    what: What,
    version: Option<Version>,
    bytes: u64,
    /// Up to so many of them may lie in blocks that others lie in too.
    shared: u64,
    path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Kept(KeptWhat),
    /// The payload of a game that is installed from it.
    Payload(ContentId),
    /// All of a game, of this build.
    Game(ContentId),
}

/// A build that is here, or is installed.
#[derive(Debug)]
struct Held {
    content: ContentId,
    version: Version,
    /// Bytes of its payload; nothing where only what was installed from it is here.
    payload: u64,
    /// The build that was installed by potluck beside it.
    installed: Option<ContentId>,
    /// Whether the payload can go and leave the game playable.
    is_droppable: bool,
}

impl Actor {
    pub(super) fn space(&self, reply: ReplyTo) {
        let held: BTreeMap<GameId, Held> =
            self.core.local_games().filter_map(|(game, local)| Some((game.clone(), self.held(game, local)?))).collect();
        let (desk, pool) = (self.desk.clone(), self.folder.hashing.clone());
        let (transfers, done) = (self.context.inputs.transfers.clone(), self.done_sender.clone());
        self.context.tasks.spawn("weigh the library", async move {
            let mut found = match pool.run(move || weigh(&desk, &held)).await {
                Ok(found) => found,
                Err(error) => return answer(reply, Err(refusal(ErrorCode::Failed, error))),
            };
            without_busy(&transfers, &mut found).await;
            // The actor is gone only when the runtime ends.
            let _ = done.send(Done::Weighed { found, reply }).await;
        });
    }

    fn held(&self, game: &GameId, local: &LocalGame) -> Option<Held> {
        let installed = self.installed.get(game);
        if let (Some(Installation::Only(content)), Some(LocalState::Private { facts: Some(facts), .. })) =
            (installed, local.state())
        {
            let version = facts.version.clone();
            return Some(Held { content: *content, version, payload: 0, installed: None, is_droppable: false });
        }
        let (build, state) = local.held()?;
        let installed = match installed {
            Some(Installation::Of(content) | Installation::Only(content)) => Some(*content),
            Some(Installation::None | Installation::Theirs) | None => None,
        };
        Some(Held {
            content: build.content,
            version: build.facts.version.clone(),
            payload: build.facts.size,
            installed,
            is_droppable: state == EntryState::Ready && installed == Some(build.content),
        })
    }

    pub(super) fn on_weighed(&self, mut found: Vec<Weighed>, reply: ReplyTo) {
        found.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.game.cmp(&b.game)));
        let more = found.len().saturating_sub(SPACE_ITEMS_MAX) as u32;
        let items = found.into_iter().take(SPACE_ITEMS_MAX).map(|weighed| self.item(weighed)).collect();
        let free = self.shown.borrow().free;
        answer(reply, Ok(Reply::Space(SpaceView { free, items, more })));
    }

    fn item(&self, weighed: Weighed) -> SpaceItem {
        let Weighed { game, what, version, bytes, shared, path } = weighed;
        let (what, content) = match what {
            What::Kept(KeptWhat::Download(content)) => {
                (Freeable::Download { content: content.to_string() }, Some(content))
            }
            What::Kept(KeptWhat::Replaced) => (Freeable::Replaced, None),
            What::Payload(content) => (Freeable::Payload, Some(content)),
            What::Game(content) => (Freeable::Game, Some(content)),
        };
        let whole = |content: ContentId| {
            self.core.holders_of(&content).into_iter().filter(|(_, state)| *state == EntryState::Ready).count()
        };
        SpaceItem {
            title: self.core.title(&game),
            last_played: self.played.last(&game),
            version: version.map(|version| version.to_string()).unwrap_or_default(),
            game: game.to_string(),
            what,
            bytes,
            shared,
            path,
            others: content.map_or(0, whole) as u32,
        }
    }

    pub(super) fn free(&mut self, name: &str, what: Freeable, reply: ReplyTo) {
        // What is left of a game that nobody has is still in its folder.
        let game = match find(&self.core, name).or_else(|error| GameId::new(name).map_err(|_| error)) {
            Ok(game) => game,
            Err(error) => return answer(reply, Err(error)),
        };
        let what = match what {
            Freeable::Game => return self.remove(name, reply),
            Freeable::Payload => return self.drop_payload(game, reply),
            Freeable::Replaced => KeptWhat::Replaced,
            Freeable::Download { content } => match content.parse() {
                Ok(content) => KeptWhat::Download(content),
                Err(_) => {
                    let error = refusal(ErrorCode::Usage, "a content id is 64 hexadecimal digits");
                    return answer(reply, Err(error));
                }
            },
        };
        self.clear(Op::Free { game, what, reply });
    }

    pub(super) fn begin_free(&self, game: GameId, turn: RootTurn, what: KeptWhat, reply: ReplyTo) {
        let libraries = Arc::clone(&self.desk.libraries);
        let free = move || free(&libraries, &turn, what);
        self.job("free space", free, move |result| Done::Freed { game, what, reply, result });
    }

    pub(super) fn on_freed(
        &mut self,
        game: &GameId,
        what: KeptWhat,
        reply: ReplyTo,
        result: Result<Result<Option<u64>, DiskError>, PoolError>,
        now: Instant,
    ) {
        self.end(game);
        self.looks.want(game, now);
        self.space_at = now;
        let title = self.core.title(game);
        let result = match result {
            Ok(Ok(None)) => Err(refusal(ErrorCode::NotFound, format_args!("{title}: there is nothing of that here"))),
            Ok(Ok(Some(bytes))) => {
                let size = decimal::size(bytes);
                let what = match what {
                    KeptWhat::Download(_) => "What was left of a download of",
                    KeptWhat::Replaced => "What was set aside of",
                };
                Ok(Reply::Done { message: format!("{what} {title} is gone: {size} are free.") })
            }
            Ok(Err(error)) => Err(refusal(ErrorCode::Failed, error)),
            Err(error) => Err(refusal(ErrorCode::Failed, error)),
        };
        answer(reply, result);
    }
}

/// What is being got needs its download, and stays.
async fn without_busy(transfers: &tokio::sync::mpsc::Sender<TransfersInput>, found: &mut Vec<Weighed>) {
    let mut busy = Vec::new();
    for weighed in found.iter().filter(|weighed| matches!(weighed.what, What::Kept(KeptWhat::Download(_)))) {
        if is_busy(transfers, &weighed.game).await {
            busy.push(weighed.game.clone());
        }
    }
    found.retain(|weighed| weighed.what == What::Kept(KeptWhat::Replaced) || !busy.contains(&weighed.game));
}

fn weigh(desk: &Desk, held: &BTreeMap<GameId, Held>) -> Vec<Weighed> {
    let mut found = Vec::new();
    let sharing: Vec<bool> = desk.libraries.paths().map(folder::may_share_blocks).collect();
    for (game, number) in desk.libraries.list().games {
        let may_share = sharing.get(usize::from(number.0)) == Some(&true);
        let held = held.get(&game);
        let blocks = Blocks {
            copied: held.map_or(0, |held| copied(held, desk.index.weighing(&game, &held.content).weight())),
            may_be_shared: may_share,
        };
        let weighed = desk.libraries.open_root(&game).and_then(|root| weigh_game(&root, &game, held, &blocks));
        match weighed {
            Ok(weighed) => found.extend(weighed),
            // A game that goes while it is weighed, or cannot be read, does not hide the others.
            Err(error) => tracing::debug!(%error, %game, "a game cannot be weighed"),
        }
    }
    found
}

/// What is known of blocks in which more than one file of a game lies: which do, only the file system could tell.
#[derive(Debug)]
struct Blocks {
    may_be_shared: bool,
    /// Bytes of the payload that were copied to be installed.
    copied: u64,
}

impl Blocks {
    /// Bytes that were copied, as far as they may share their blocks.
    fn shared(&self, copied: u64) -> u64 {
        if self.may_be_shared { copied } else { 0 }
    }
}

/// Bytes that were copied out of a payload to be installed. What was installed from another build may have come from any
/// file of it.
fn copied(held: &Held, weight: Option<Weight>) -> u64 {
    match held.installed {
        None => 0,
        Some(content) if content == held.content => weight.map_or(held.payload, |weight| weight.copied),
        Some(_) => held.payload,
    }
}

/// Bytes of a download that came as copies out of the build beside it.
fn adopted(download: &Manifest, here: &Manifest) -> u64 {
    let known: BTreeSet<&FileHash> = here.files().iter().map(|file| &file.hash).collect();
    download.files().iter().filter(|file| known.contains(&file.hash)).map(|file| file.size).sum()
}

fn weigh_game(root: &GameRoot, game: &GameId, held: Option<&Held>, blocks: &Blocks) -> Result<Vec<Weighed>, DiskError> {
    let here = if blocks.may_be_shared { store::load_manifest(root)?.and_then(Result::ok) } else { None };
    let at = |path: &str| root.path().join(path).display().to_string();
    let mut found = Vec::new();
    let (mut set_aside, mut shared_kept) = (0, 0);
    for kept in store::kept(root)? {
        let (bytes, path) = (kept.bytes, at(&store::kept_path(kept.what)));
        let (version, shared) = match kept.what {
            KeptWhat::Download(content) => {
                let download = store::load_incoming_manifest(root, content)?.and_then(Result::ok);
                let both = download.as_ref().zip(here.as_ref());
                let shared = both.map_or(0, |(download, here)| adopted(&download.manifest, &here.manifest).min(bytes));
                (download.map(|download| download.manifest.version().clone()), shared)
            }
            KeptWhat::Replaced => {
                set_aside = bytes;
                (None, 0)
            }
        };
        shared_kept += shared;
        found.push(Weighed { game: game.clone(), what: What::Kept(kept.what), version, bytes, shared, path });
    }
    if let Some(Held { content, version, payload, is_droppable, .. }) = held {
        let (path, shared) = (root.path().display().to_string(), blocks.shared(blocks.copied).min(*payload));
        if *is_droppable {
            let (what, version, path) = (What::Payload(*content), Some(version.clone()), path.clone());
            found.push(Weighed { game: game.clone(), what, version, bytes: *payload, shared, path });
        }
        // What is the user's own stays when a game is removed.
        let bytes = store::bytes_of(root)?.saturating_sub(set_aside);
        let (what, version) = (What::Game(*content), Some(version.clone()));
        found.push(Weighed {
            game: game.clone(),
            what,
            version,
            bytes,
            shared: (shared + shared_kept).min(bytes),
            path,
        });
    }
    Ok(found)
}

/// Frees something kept and says how many bytes that were; `None` where it is not there. What is empty then goes too.
fn free(libraries: &Libraries, turn: &RootTurn, what: KeptWhat) -> Result<Option<u64>, DiskError> {
    let Found { library, root, .. } = match libraries.find(turn.game()) {
        Err(error) if error.is_missing() => return Ok(None),
        found => found?,
    };
    let Some(kept) = store::kept(&root)?.into_iter().find(|kept| kept.what == what) else { return Ok(None) };
    free_kept(&library, &root, turn, what)?;
    Ok(Some(kept.bytes))
}

/// Frees something kept, and what is empty then.
pub(super) fn free_kept(library: &Library, root: &GameRoot, turn: &RootTurn, what: KeptWhat) -> Result<(), DiskError> {
    turn.free_kept(root, what)?;
    for folder in [store::INCOMING, store::OWN_FOLDER] {
        match root.remove_dir(folder) {
            Err(error) if error.is_missing() || matches!(error.reason(), Reason::NotEmpty) => {}
            result => result?,
        }
    }
    library.remove_root(turn.game()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{FileEntry, PayloadPath, Sentinel};

    #[test]
    fn what_was_copied_to_be_installed_may_lie_in_the_same_blocks() {
        let [here, other] = [1, 2].map(|number| ContentId::from_bytes([number; 32]));
        let held = |installed| {
            let version = Version::new("1").unwrap();
            Held { content: here, version, payload: 50, installed, is_droppable: false }
        };
        let weight = Some(Weight { unpacked: 70, copied: 7 });
        assert_eq!((copied(&held(Some(here)), weight), copied(&held(Some(here)), None)), (7, 50));
        assert_eq!((copied(&held(None), weight), copied(&held(Some(other)), weight)), (0, 50));
    }

    /// A game that is installed from what lies open beside it, with what is left of a download that took a file over.
    #[test]
    fn blocks_count_as_shared_only_where_they_may_be() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = |version: &[u8], files: &[(&str, u64)]| {
            let entry = |(path, size): &(&str, u64)| FileEntry {
                path: PayloadPath::new(path).unwrap(),
                size: *size,
                hash: FileHash::from_bytes([*size as u8; 32]),
                executable: false,
            };
            let files = files.iter().map(entry).collect();
            let game = GameId::new("g").unwrap();
            Manifest::new(game, Sentinel::from_bytes(version).unwrap(), files, Vec::new(), Vec::new()).unwrap()
        };
        let here = manifest(b"1", &[("a", 30), ("b", 20)]);
        let (bytes, content) = crate::wire::manifest::encode(&here).unwrap();
        let (kept, kept_as) =
            crate::wire::manifest::encode(&manifest(b"2", &[("a", 20), ("moved", 30), ("new", 40)])).unwrap();
        let root = GameRoot::open(dir.path()).unwrap();
        root.make_dirs(&format!("{}/{kept_as}", store::INCOMING)).unwrap();
        root.write_atomic(store::MANIFEST, &bytes).unwrap();
        root.write_atomic(&format!("{}/{kept_as}/manifest.json", store::INCOMING), &kept).unwrap();
        let version = here.version().clone();
        let held = Held { content, version, payload: 50, installed: Some(content), is_droppable: true };
        let shared = |may_be_shared| {
            let blocks = Blocks { may_be_shared, copied: 35 };
            let found = weigh_game(&root, here.game(), Some(&held), &blocks).unwrap();
            found.into_iter().map(|weighed| (weighed.what, weighed.shared)).collect::<Vec<_>>()
        };
        let expect = |download, payload, game| {
            let download_of = What::Kept(KeptWhat::Download(kept_as));
            vec![(download_of, download), (What::Payload(content), payload), (What::Game(content), game)]
        };
        assert_eq!(shared(true), expect(50, 35, 85));
        assert_eq!(shared(false), expect(0, 0, 0));
    }
}
