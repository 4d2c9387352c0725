//! `get`: asks for games, shows how they come, and ends when every one of them is here or cannot
//! come. Which build, from whom and in which order is the runtime's to decide.

mod progress;
mod want;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

pub(super) use progress::busy;

use super::{
    Console, Exit, Launcher, args,
    exit::Failure,
    session::{Interrupt, Reach, Session, Work},
    update,
};
use crate::{
    api::{AfterGet, Command, Event, Events, GetRequest, Handle, Missed, Reply, Snapshot, SourceView, Stopped},
    config,
    control::client,
};
use progress::Progress;
use want::Want;

/// How long a game is looked for in the room by a runtime that has just started: mDNS answers
/// within 2 s, a link and a library of 5,000 games take some more on a slow network.
const FIND_OWN: Duration = Duration::from_secs(10);
/// The same for one that runs already; it may have started a moment ago.
const FIND_ATTACHED: Duration = Duration::from_secs(3);
/// Between two tries.
const FIND_PAUSE: Duration = Duration::from_millis(250);

/// What to do beside getting.
#[derive(Debug, Clone, Copy, Default)]
struct Manner {
    /// Keep sharing afterwards.
    stay: bool,
    /// Return when it is in the queue.
    no_wait: bool,
}

/// What is meant.
enum Wish {
    /// These.
    Games(Vec<GetRequest>),
    /// What brings these games, or all, up to date.
    Updates(Vec<String>),
}

pub(super) async fn run(
    get: &args::Get,
    reach: &Reach<'_, impl Launcher>,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let manner = Manner { stay: get.stay, no_wait: get.no_wait };
    carry_out(Wish::Games(requests(get)?), manner, reach, console).await
}

/// `update`.
pub(super) async fn update(
    games: Vec<String>,
    reach: &Reach<'_, impl Launcher>,
    console: &mut Console,
) -> Result<Exit, Failure> {
    carry_out(Wish::Updates(games), Manner::default(), reach, console).await
}

async fn carry_out(
    wish: Wish,
    manner: Manner,
    reach: &Reach<'_, impl Launcher>,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let session = if manner.no_wait { running(reach).await? } else { reach.session(console).await? };
    let mut interrupt = Interrupt::new()?;
    let getting = async |session: &Session| {
        let result = tokio::select! {
            biased;
            result = get_all(session, wish, manner, console) => Some(result),
            () = interrupt.wait() => None,
        };
        let Some(result) = result else {
            let stopped = "Stopped. What is verified is kept; the same command goes on from there.";
            let stopped = if session.own { Some(stopped) } else { session.goes_on() };
            stopped.into_iter().for_each(|words| console.note(words));
            return Ok(Exit::Interrupted);
        };
        if session.own && manner.stay {
            console.note("Sharing until you press Ctrl-C.");
            interrupt.wait().await;
        } else {
            session.hurry();
        }
        result
    };
    session.during(getting).await
}

/// The runtime that holds the home; `--no-wait` makes no sense without.
async fn running(reach: &Reach<'_, impl Launcher>) -> Result<Session, Failure> {
    match client::attach(&reach.settings.places.socket).await {
        Ok(attached) => Ok(Session::attached(attached)),
        Err(error) if error.is_nobody() => {
            let message = "no potluck is running here that could go on with it; leave --no-wait out, or start \
                           `potluck serve` first";
            Err(Failure::new(Exit::Refused, message))
        }
        Err(error) => Err(error.into()),
    }
}

fn requests(get: &args::Get) -> Result<Vec<GetRequest>, Failure> {
    let mut names = get.games.clone();
    if let Some(list) = &get.list {
        names.extend(config::read_games_list(list)?);
    }
    if names.is_empty() {
        return Err(Failure::usage("the list names no game"));
    }
    let mut named = BTreeSet::new();
    names.retain(|name| named.insert(name.clone()));
    if names.len() > 1 && (get.version.is_some() || get.content.is_some()) {
        return Err(Failure::usage("--version and --content are for one game; get the others one by one"));
    }
    let after = match (get.install, get.drop_archives) {
        (true, true) => AfterGet::InstallAndDrop,
        (true, false) => AfterGet::Install,
        (false, _) => AfterGet::Nothing,
    };
    let request = |game| GetRequest {
        game,
        version: get.version.clone(),
        content: get.content.clone(),
        from: get.from.clone(),
        after,
    };
    Ok(names.into_iter().map(request).collect())
}

/// Asks for everything, waits for everything, and reports.
async fn get_all(session: &Session, wish: Wish, manner: Manner, console: &mut Console) -> Result<Exit, Failure> {
    let requests = match wish {
        Wish::Games(requests) => {
            // What is known a moment after the start is not the whole room; one build is the same from anybody.
            if requests.iter().any(|request| request.content.is_none()) {
                session.gather().await;
            }
            requests
        }
        Wish::Updates(names) => {
            session.gather().await;
            update::requests(&session.snapshot(), &names)?
        }
    };
    if requests.is_empty() && !console.json {
        console.say("Nothing here is behind.")?;
        return Ok(Exit::Done);
    }
    let deadline = Instant::now() + if session.own { FIND_OWN } else { FIND_ATTACHED };
    let mut watch = Watch::new(session);
    let mut failures: Vec<(String, Failure)> = Vec::new();
    for request in &requests {
        match ask_for(session, request, deadline, console).await {
            // Named twice, by its id and its title.
            Ok(want) if watch.wants.iter().any(|other| other.is_same(&want)) => {}
            Ok(want) => {
                if !console.json {
                    console.say(&want.announcement())?;
                }
                if !want.is_settled() {
                    session.is_at(Some(Work::Getting));
                }
                watch.wants.push(want);
            }
            Err(failure) if requests.len() == 1 => return Err(failure),
            Err(failure) => {
                console.note(&format!("potluck: {}: {}", request.game, failure.message));
                failures.push((request.game.clone(), failure));
            }
        }
    }
    if !manner.no_wait {
        watch.until_settled(console).await?;
    }
    let mut exits: Vec<Exit> = failures.iter().map(|(_, failure)| failure.exit).collect();
    for want in &watch.wants {
        exits.push(want.exit(manner.no_wait));
        if console.json {
            continue;
        }
        for line in want.report() {
            if want.exit(manner.no_wait) == Exit::Done { console.say(&line)? } else { console.note(&line) }
        }
    }
    if console.json {
        console.document(&document(&watch.wants, &failures))?;
    } else if session.own && !manner.stay && watch.wants.iter().any(Want::has_come) {
        console.say("Done. Not sharing any more; --stay keeps sharing.")?;
    }
    Ok(exits.into_iter().find(|exit| *exit != Exit::Done).unwrap_or(Exit::Done))
}

/// Asks for one game, again and again while nobody is known to have it.
async fn ask_for(
    session: &Session,
    request: &GetRequest,
    deadline: Instant,
    console: &mut Console,
) -> Result<Want, Failure> {
    let mut told = false;
    loop {
        match session.call(Command::Get(request.clone())).await {
            Ok(reply) => return Want::of(reply, request.after),
            Err(failure) if failure.exit == Exit::NotFound && Instant::now() < deadline => {
                if !told {
                    console.note(&format!("Looking for {} in the room…", request.game));
                    told = true;
                }
                sleep(FIND_PAUSE).await;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Follows transfers until each has an outcome.
struct Watch {
    handle: Handle,
    events: Events,
    wants: Vec<Want>,
}

impl Watch {
    /// Listens from now on, so that nothing that follows an order is missed.
    fn new(session: &Session) -> Self {
        Self { handle: session.handle.clone(), events: session.handle.events(), wants: Vec::new() }
    }

    async fn until_settled(&mut self, console: &mut Console) -> Result<(), Failure> {
        let mut progress = Progress::new(console);
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once, and nothing has happened yet.
        second.tick().await;
        while !self.wants.iter().all(Want::is_settled) {
            tokio::select! {
                biased;
                event = self.events.next() => self.on_event(event)?,
                changed = self.handle.changed() => {
                    let snapshot = changed.map_err(|Stopped| Failure::stopped())?;
                    self.on_snapshot(&snapshot);
                    progress.draw(&self.wants);
                }
                _ = second.tick() => {
                    let snapshot = self.handle.snapshot();
                    self.wants.iter_mut().for_each(|want| want.on_second(&snapshot));
                    progress.second(&self.wants, console)?;
                }
            }
        }
        Ok(())
    }

    fn on_event(&mut self, event: Result<Result<Event, Missed>, Stopped>) -> Result<(), Failure> {
        match event {
            Ok(Ok(event)) => self.wants.iter_mut().for_each(|want| want.on_event(&event)),
            // The snapshot says the same a little later.
            Ok(Err(Missed { .. })) => {}
            Err(Stopped) => return Err(Failure::stopped()),
        }
        Ok(())
    }

    fn on_snapshot(&mut self, snapshot: &Snapshot) {
        for want in &mut self.wants {
            want.on_snapshot(snapshot);
        }
    }
}

/// Waits for the repair of a game, and makes sure by checking it again.
pub(super) async fn repaired(session: &Session, game: &str, console: &mut Console) -> Result<Exit, Failure> {
    let mut watch = Watch::new(session);
    watch.wants.push(Want::repair(game, &session.snapshot()));
    session.is_at(Some(Work::Getting));
    watch.until_settled(console).await?;
    if let Some(want) = watch.wants.iter().find(|want| want.exit(false) != Exit::Done) {
        console.note(&want.sentence().unwrap_or_default());
        return Ok(want.exit(false));
    }
    let reply = busy(session, Command::Verify { game: game.to_owned(), repair: false }, console).await?;
    let is_good = matches!(reply, Reply::Verified(report) if report.bad.is_empty() && report.bad_chunks == 0);
    Ok(if is_good { Exit::Done } else { Exit::Failed })
}

/// What came from where, for each game and in all.
fn document(wants: &[Want], failures: &[(String, Failure)]) -> Value {
    let mut games: Vec<Value> = wants.iter().map(Want::document).collect();
    games.extend(
        failures
            .iter()
            .map(|(name, failure)| json!({ "game": name, "result": "failed", "error": failure.as_command_error() })),
    );
    let mut sources: BTreeMap<&str, SourceView> = BTreeMap::new();
    let mut reused = 0;
    for want in wants {
        let (bytes, from) = want.account();
        reused += bytes;
        for source in from {
            sources.entry(&source.peer).or_insert_with(|| SourceView { bytes: 0, ..source.clone() }).bytes +=
                source.bytes;
        }
    }
    let fetched: u64 = sources.values().map(|source| source.bytes).sum();
    let sources: Vec<Value> = sources.values().map(want::source).collect();
    json!({ "games": games, "sources": sources, "reused": reused, "fetched": fetched })
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::api;

    fn wish() -> Wish {
        Wish::Games(vec![GetRequest { game: "x".into(), ..GetRequest::default() }])
    }

    /// What is said when `get` is interrupted a while after the running potluck answered so.
    async fn said_after(reply: Reply) -> Option<&'static str> {
        let (handle, mut end) = api::channel(Snapshot::default());
        let session = Session::attached(client::Attached { handle, run: Box::pin(std::future::pending()) });
        let mut console = Console::buffers(io::sink(), io::sink(), "");
        let asked = async {
            let call = end.commands.recv().await.unwrap();
            assert_eq!(session.goes_on(), None, "nothing was promised yet");
            call.reply.send(Ok(reply)).unwrap();
            sleep(Duration::from_millis(20)).await;
        };
        tokio::select! {
            biased;
            _ = get_all(&session, wish(), Manner::default(), &mut console) => {}
            () = asked => {}
        }
        session.goes_on()
    }

    #[tokio::test]
    async fn an_interrupted_get_says_that_the_running_potluck_goes_on() {
        let queued = Reply::Queued { game: "x".into(), content: "c0".into(), version: "1".into(), size: 9 };
        let expect = "It goes on in the potluck that runs here; potluck cancel GAME ends it.";
        assert_eq!(said_after(queued).await, Some(expect));
        let here = Reply::AlreadyHere { game: "x".into(), content: "c0".into(), version: "1".into() };
        assert_eq!(said_after(here).await, None);
    }

    #[tokio::test]
    async fn an_interrupted_order_goes_on_in_the_running_potluck() {
        let (handle, mut end) = api::channel(Snapshot::default());
        let session = Session::attached(client::Attached { handle, run: Box::pin(std::future::pending()) });
        let mut console = Console::buffers(io::sink(), io::sink(), "");
        let order = Command::Install { game: "x".into(), drop_archives: false };
        {
            let mut work = std::pin::pin!(busy(&session, order, &mut console));
            let call = tokio::select! {
                biased;
                _ = &mut work => panic!("nobody has answered"),
                call = end.commands.recv() => call.unwrap(),
            };
            assert_eq!(session.goes_on(), Some("It goes on in the potluck that runs here."));
            call.reply.send(Ok(Reply::Done { message: String::new() })).unwrap();
            work.await.unwrap();
        }
        assert_eq!(session.goes_on(), None);
    }
}
