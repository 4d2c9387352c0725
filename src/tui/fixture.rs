//! A room to draw: the one of the target pictures, with names as bad as they come. Only for tests.

use std::sync::Arc;

use crate::api::{
    AfterGet, BuildView, ChunksView, Command, CompareView, Freeable, GameView, LibraryView, LinkPath, LinkView,
    LogView, MapCell, MapRequest, MapView, MeView, PeerView, Phase, Reply, Snapshot, SourceChunks, SourceView,
    SpaceItem, SpaceView, StateWord, Totals, TransferView, UpdateView, WithoutView,
};

pub(super) const NOW_MS: u64 = 1_795_288_440_000;

/// The evening of the pictures.
pub(super) fn room() -> Snapshot {
    Snapshot {
        me: Arc::new(me()),
        games: Arc::new(games()),
        transfers: Arc::new(transfers()),
        peers: Arc::new(peers()),
        links: Arc::new(links()),
        totals: Arc::new(Totals {
            down_bps: 112_600_000,
            up_bps: 48_300_000,
            free: Some(186_000_000_000),
            up_limit_bps: Some(60_000_000),
            down_limit_bps: None,
            quiet: false,
            peers: 118,
            library_trouble: None,
            libraries: vec![LibraryView {
                path: "/home/ann/Games".into(),
                games: 12,
                free: Some(186_000_000_000),
                ..LibraryView::default()
            }],
        }),
    }
}

/// Nobody is here and nothing happened.
pub(super) fn nothing() -> Snapshot {
    let totals = Totals { free: Some(412_000_000_000), ..Totals::default() };
    Snapshot { me: Arc::new(me()), totals: Arc::new(totals), ..Snapshot::default() }
}

/// So many games, and nothing else.
pub(super) fn many(count: usize) -> Snapshot {
    let game = |at: usize| GameView {
        id: format!("game-{at:05}"),
        title: format!("Game {at:05} of many"),
        version: "1.0".into(),
        size: at as u64 * 1_000_000,
        state: if at.is_multiple_of(3) { StateWord::Ready } else { StateWord::Available },
        have: (at % 200) as u32,
        ..GameView::default()
    };
    Snapshot { me: Arc::new(me()), games: Arc::new((0..count).map(game).collect()), ..Snapshot::default() }
}

fn me() -> MeView {
    MeView {
        peer: "s4w9k2m7qqqqqqqq".into(),
        name: "seat-17".into(),
        listen: vec!["[::]:47800".into(), "10.0.3.17:47800".into()],
        library: "/home/ann/Games".into(),
        home: "/home/ann/.local/state/potluck".into(),
        pid: 4711,
        version: "0.1.0".into(),
        phase: Phase::Serving,
        phase_since_ms: NOW_MS - 3_990_000,
        error: None,
        reason: None,
        since_ms: NOW_MS - 4_000_000,
        mdns: true,
        demo: false,
        after_get: AfterGet::Install,
        log: LogView { level: "info".into(), lost: 0 },
        away: false,
    }
}

fn games() -> Vec<GameView> {
    use StateWord::{Available, Checking, Downloaded, Failed, Offline, Ready};
    const MB: u64 = 1_000_000;
    /// Title, version, bytes, state, percent, how many have it.
    type Row = (&'static str, &'static str, u64, StateWord, Option<u8>, u32);
    let rows: [Row; 27] = [
        ("0 A.D.", "0.27.1", 3_400 * MB, Ready, None, 115),
        ("Armagetron Advanced", "0.2.9", 9 * MB, Available, None, 42),
        ("AssaultCube", "1.3.0.2", 52 * MB, Ready, None, 118),
        ("BZFlag", "2.4.26", 31 * MB, Available, None, 8),
        ("Company of Heroes", "2.602", 11_400 * MB, Available, None, 96),
        ("CS: Source", "1.0.71", 4_600 * MB, Ready, None, 61),
        ("FlatOut 2", "1.2", 3_100 * MB, Available, None, 104),
        ("Hedgewars", "1.0.2", 290 * MB, Downloaded, None, 57),
        ("Luanti", "5.13.0", 64 * MB, Checking, Some(71), 5),
        ("OpenRA", "20250330", 118 * MB, Ready, None, 110),
        ("OpenTTD", "15.0", 88 * MB, Ready, None, 116),
        ("Red Eclipse", "2.0.9", 1_600 * MB, Available, None, 34),
        ("Sauerbraten", "2020.12", 1_000 * MB, Ready, None, 76),
        ("SuperTuxKart", "1.5", 870 * MB, Available, None, 111),
        ("Teeworlds", "0.7.5", 24 * MB, Ready, None, 118),
        ("Tempest, a game whose title goes on and on as some do", "1", 5 * MB, Offline, None, 0),
        ("TrackMania Nations", "2.11.26", 730 * MB, Ready, None, 115),
        ("Unreal Tourn. 2004", "3369.3", 5_700 * MB, Available, None, 0),
        ("Veloren", "0.17.0", 2_200 * MB, Available, None, 4),
        ("Warcraft III", "1.29.2", 1_900 * MB, Ready, None, 101),
        ("Warsow", "2.1.2", 480 * MB, Failed, None, 9),
        ("Warzone 2100", "4.6.1", 410 * MB, Available, None, 87),
        ("Xonotic", "0.8.6", 1_300 * MB, Ready, None, 112),
        ("your-mods", "1", 1_200 * MB, Ready, None, 1),
        ("[31mred[0m", "9", 3 * MB, Available, None, 1),
        ("שלום", "1.0", 7 * MB, Available, None, 2),
        ("東方紅魔郷 ～ the Embodiment", "1.02h", 420 * MB, Ready, None, 3),
    ];
    rows.into_iter()
        .map(|(title, version, size, state, percent, have)| {
            let ours = matches!(state, Ready | Downloaded | Checking);
            let mut game = GameView {
                id: title.to_lowercase().replace([' ', '.', ':', ','], "-"),
                title: title.into(),
                version: version.into(),
                content: format!("4fa1c2d3{:08x}", size),
                size,
                files: 120,
                state,
                percent,
                have,
                builds: vec![BuildView {
                    version: version.into(),
                    content: format!("4fa1c2d3{:08x}", size),
                    size,
                    have,
                    ours,
                    vouched: true,
                    holders: ["nas-01", "seat-04", "seat-22", "seat-08"]
                        .into_iter()
                        .take(have as usize)
                        .map(str::to_owned)
                        .collect(),
                    ..BuildView::default()
                }],
                ..GameView::default()
            };
            decorate(&mut game);
            game
        })
        .collect()
}

fn decorate(game: &mut GameView) {
    match game.title.as_str() {
        "Company of Heroes" => {
            game.about = "strategy · 2–8 players · 2006".into();
            game.getting = 14;
            game.builds[0].getting = 14;
            let old = BuildView { version: "2.601".into(), have: 5, vouched: true, ..game.builds[0].clone() };
            game.builds.push(BuildView { getting: 0, ..old });
        }
        "CS: Source" => {
            game.update = Some(UpdateView {
                version: "1.0.72".into(),
                content: "aa".into(),
                size: 210_000_000,
                installed_size: None,
            });
        }
        "FlatOut 2" => game.about = "racing · 2–8 players".into(),
        "Tempest, a game whose title goes on and on as some do" => game.reason = "seat-90 went away".into(),
        "Warcraft III" => {
            game.variants = true;
            let other = BuildView {
                content: "b7e0aa11".into(),
                have: 3,
                vouched: false,
                ours: false,
                ..game.builds[0].clone()
            };
            game.builds.push(other);
        }
        "Warsow" => game.reason = "pak2.zip is broken".into(),
        "your-mods" => game.private = Some("symlinks".into()),
        _ => {}
    }
}

fn transfers() -> Vec<TransferView> {
    const MB: u64 = 1_000_000;
    let transfer = |title: &str, version: &str, state, percent: u8, size: u64, reason: &str| TransferView {
        game: title.to_lowercase().replace([' ', '.', ':', ','], "-"),
        title: title.into(),
        version: version.into(),
        content: "4fa1".into(),
        state,
        reason: reason.into(),
        percent,
        done: size * u64::from(percent) / 100,
        size,
        chunks: (size / 1_048_576) as u32,
        chunks_have: (size * u64::from(percent) / 100 / 1_048_576) as u32,
        ..TransferView::default()
    };
    let mut heroes = transfer("Company of Heroes", "2.602", StateWord::Getting, 43, 11_400 * MB, "");
    heroes.down_bps = 94_200_000;
    heroes.left_s = Some(69);
    heroes.sources = sources();
    heroes.map = map(heroes.chunks, 43, 3);
    let mut warzone = transfer("Warzone 2100", "4.6.1", StateWord::Getting, 88, 410 * MB, "");
    warzone.down_bps = 18_400_000;
    warzone.left_s = Some(3);
    warzone.sources = sources().into_iter().take(2).collect();
    warzone.map = map(warzone.chunks, 88, 255);
    warzone.reused = 120 * MB;
    let mut tux = transfer("SuperTuxKart", "1.5", StateWord::Installing, 60, 870 * MB, "file 4,120 of 6,871");
    tux.map = map(tux.chunks, 100, 255);
    let flatout = transfer("FlatOut 2", "1.2", StateWord::Waiting, 0, 3_100 * MB, "its turn comes next");
    let mut unreal =
        transfer("Unreal Tourn. 2004", "3369.3", StateWord::Waiting, 12, 5_700 * MB, "no peer has the rest");
    unreal.map = map(unreal.chunks, 12, 0);
    let mut eclipse = transfer("Red Eclipse", "2.0.9", StateWord::Paused, 8, 1_600 * MB, "by you");
    eclipse.map = map(eclipse.chunks, 8, 0);
    vec![heroes, warzone, tux, flatout, unreal, eclipse]
}

/// A map that is full at its beginning and thinner and thinner, some of it coming.
fn map(chunks: u32, percent: u32, rarest: u8) -> Vec<MapCell> {
    const CELLS: u32 = 1_024;
    let bound = |at: u32| (u64::from(chunks) * u64::from(at) / u64::from(CELLS)) as u32;
    (0..CELLS)
        .map(|at| {
            let (first, all) = (bound(at), bound(at + 1) - bound(at));
            // A fixed scatter stands for which chunks came first.
            let scatter = at.wrapping_mul(2_654_435_761) >> 24;
            let have = match percent {
                100 => all,
                _ if at * 100 < CELLS * percent / 2 => all,
                _ => all * (scatter * percent / 64).min(255) / 255,
            };
            let coming = if matches!(percent, 43 | 88) && at % 97 == 96 { (all - have).min(2) } else { 0 };
            let rarest = match rarest {
                0 => 0,
                3 if at == 680 => 1,
                _ => 9,
            };
            let fewest = if rarest == 9 { 2 + (scatter % 6) as u8 } else { rarest };
            let rarest = if have == all { 255 } else { rarest };
            let held = u64::from(all) * (u64::from(fewest) + u64::from(scatter % 2));
            MapCell { first, all, have, coming, bad: 0, rarest, held, fewest }
        })
        .collect()
}

/// What a runtime would say of a game or of a peer.
pub(super) fn of_the_room(command: &Command) -> Reply {
    if let Command::Without { game } = command {
        let names = ["seat-09", "seat-31", "seat-40", "seat-58", "seat-77", "seat-91", "tv-1", "日本の友達"];
        return Reply::Without(WithoutView { game: game.clone(), count: 9, names: names.map(str::to_owned).into() });
    }
    if *command == Command::Space {
        return Reply::Space(space());
    }
    let Command::Compare { peer } = command else { panic!("{command:?} is no question of a pane") };
    Reply::Compared(CompareView {
        peer: peer.clone(),
        more: 3,
        more_titles: ["FlatOut 2", "Veloren", "BZFlag"].map(str::to_owned).into(),
        lacks: 5,
        lacks_titles: ["Company of Heroes", "東方紅魔郷", "Xonotic", "OpenRA", "OpenTTD"].map(str::to_owned).into(),
    })
}

/// What takes space, the largest first.
pub(super) fn space() -> SpaceView {
    const MB: u64 = 1_000_000;
    let download = || Freeable::Download { content: "4fa1".into() };
    let rows: [(&str, &str, Freeable, u64, u32); 10] = [
        ("CS: Source", "1.0.71", Freeable::Game, 9_700 * MB, 60),
        ("0 A.D.", "0.27.1", Freeable::Game, 7_100 * MB, 114),
        ("CS: Source", "1.0.71", Freeable::Payload, 4_600 * MB, 60),
        ("Battlefield 2", "1.41", download(), 2_900 * MB, 3),
        ("Warcraft III", "1.29.2", Freeable::Game, 1_900 * MB, 100),
        ("Warcraft III", "1.28", download(), 1_100 * MB, 0),
        ("東方紅魔郷 ～ the Embodiment", "1.02h", Freeable::Game, 840 * MB, 0),
        ("Hedgewars", "1.0.2", Freeable::Game, 290 * MB, 1),
        ("Xonotic", "", Freeable::Replaced, 41 * MB, 0),
        ("OpenTTD", "", Freeable::Replaced, 12_288, 0),
    ];
    let item = |(title, version, what, bytes, others): (&str, &str, Freeable, u64, u32)| {
        let game = title.to_lowercase().replace([' ', '.', ':', ','], "-");
        let below = match what {
            Freeable::Download { .. } => "/.potluck/incoming/4fa1",
            Freeable::Replaced => "/.potluck/replaced",
            Freeable::Payload | Freeable::Game => "",
        };
        let path = format!("/home/ann/Games/{game}{below}");
        let last_played = (others % 50 != 0).then(|| NOW_MS - u64::from(others) * 3_700_000);
        SpaceItem {
            game,
            title: title.into(),
            version: version.into(),
            what,
            bytes,
            shared: 0,
            path,
            others,
            last_played,
        }
    };
    SpaceView { free: None, items: rows.map(item).into(), more: 0 }
}

/// What a runtime would answer: every third chunk is here, one comes now and then, one is rare.
pub(super) fn map_view(request: &MapRequest) -> MapView {
    const CHUNKS: u32 = 10_871;
    let end = request.first.saturating_add(request.len).min(CHUNKS);
    let cell = |range: std::ops::Range<u32>| {
        let mut cell =
            MapCell { first: range.start, all: range.len() as u32, rarest: 255, fewest: 4, ..MapCell::default() };
        for chunk in range {
            let rare = chunk % 401 == 0;
            cell.held += if rare { 1 } else { 2 + u64::from(chunk % 7) };
            cell.fewest = cell.fewest.min(if rare { 1 } else { 2 + (chunk % 7) as u8 });
            match chunk % 12 {
                _ if rare => cell.rarest = 1,
                0..4 => cell.have += 1,
                4 => cell.coming += 1,
                _ => cell.rarest = cell.rarest.min(3),
            }
        }
        cell
    };
    let count = request.cells.min(end - request.first);
    let bound =
        |at: u32| request.first + (u64::from(end - request.first) * u64::from(at) / u64::from(count.max(1))) as u32;
    MapView {
        game: request.game.clone(),
        content: "4fa1".into(),
        chunks: CHUNKS,
        cells: (0..count).map(|at| cell(bound(at)..bound(at + 1))).collect(),
        about: request.about.map(|(first, len)| ChunksView {
            cell: cell(first..first + len),
            files: vec!["WW2/Archive.sga".into()],
            file_count: 1,
            coming: vec![("seat-22".into(), 1)],
            scarce: 1,
            holders: vec!["nas-01".into()],
        }),
        sources: source_chunks(request.source_cells, count),
    }
}

/// What each source holds, thinner towards the end; something comes from the first three in turn.
fn source_chunks(holds: u32, cells: u32) -> Vec<SourceChunks> {
    let sources = sources();
    let of = |(number, source): (u32, &SourceView)| SourceChunks {
        peer: source.peer.clone(),
        holds: (0..holds).map(|at| source.holds.saturating_sub((at * 7 % 50) as u8)).collect(),
        coming: (0..cells).filter(|cell| number < 3 && cell % 3 == number).collect(),
    };
    if holds == 0 { Vec::new() } else { (0..).zip(&sources).map(of).collect() }
}

fn sources() -> Vec<SourceView> {
    let rows: [(&str, u8, u64, u64, u64); 9] = [
        ("nas-01", 100, 41_000_000, 240, 12),
        ("seat-04", 100, 22_600_000, 410, 8),
        ("seat-22", 61, 9_800_000, 390, 4),
        ("seat-08", 44, 7_100_000, 400, 4),
        ("seat-63", 40, 4_100_000, 510, 3),
        ("seat-31", 33, 3_900_000, 420, 3),
        ("seat-09", 30, 2_900_000, 430, 3),
        ("alice", 12, 1_900_000, 14_200, 3),
        ("日本の友達", 9, 900_000, 900, 3),
    ];
    rows.into_iter()
        .map(|(name, holds, bps, rtt_us, coming)| SourceView {
            peer: format!("id-of-{name}"),
            name: name.into(),
            holds,
            bytes: bps * 50,
            bps,
            coming: coming * 1_000_000,
            rtt_us,
        })
        .collect()
}

fn peers() -> Vec<PeerView> {
    let peer = |name: &str, id: &str, addr: &str, rtt_us, down: u64, up: u64, games| PeerView {
        id: id.into(),
        name: name.into(),
        addr: format!("{addr}:47800"),
        online: true,
        since_ms: NOW_MS - 72 * 60_000,
        rtt_us,
        down_bps: down * 100_000,
        up_bps: up * 100_000,
        down: down * 100_000_000,
        up: up * 100_000_000,
        mtu: 1_500,
        links: 1,
        games,
        ..PeerView::default()
    };
    let mut peers = vec![
        peer("nas-01", "k3v9q2aaqqqq", "10.0.3.2", 240, 502, 0, 212),
        peer("seat-04", "p7d1mm4sqqqq", "10.0.3.4", 410, 226, 0, 96),
        peer("seat-22", "id-of-seat-22", "10.0.3.22", 390, 98, 26, 71),
        peer("seat-63", "6nyc3k7qqqqq", "10.0.4.63", 510, 92, 0, 88),
        peer("seat-31", "m1t6p9gsqqqq", "10.0.3.31", 420, 0, 194, 48),
        peer("seat-09", "b7m2xq4eqqqq", "10.0.3.9", 430, 0, 116, 61),
        peer("alice", "n4c8d2wjqqqq", "10.0.9.140", 14_200, 0, 0, 12),
        peer("日本の友達", "q9z2a7lpqqqq", "fd00:1:2:3::140", 900, 0, 0, 1_250),
        peer("mallory", "t6g3a7lpqqqq", "10.0.4.66", 900, 0, 0, 3),
        peer("seat-90", "t6g3a7lpssss", "10.0.4.90", 0, 0, 0, 83),
    ];
    peers[2].getting = Some(("Company of Heroes".into(), 61));
    peers[4].getting = Some(("Xonotic".into(), 72));
    peers[5].getting = Some(("Xonotic".into(), 31));
    peers[0].trusted = true;
    peers[6].note = "its clock is 4 h ahead".into();
    peers[8].blocked = true;
    peers[8].online = false;
    peers[9].online = false;
    peers[9].since_ms = NOW_MS - 2 * 60_000;
    peers
}

fn links() -> Vec<LinkView> {
    const MB: u64 = 1_000_000;
    let link = |(number, name, addr, minutes, rtt_us): (u64, &str, &str, u64, u64)| LinkView {
        link: number,
        peer: peers().into_iter().find(|peer| peer.name == name).map(|peer| peer.id).unwrap_or_default(),
        name: name.into(),
        addr: addr.into(),
        path: if rtt_us > 10_000 { LinkPath::Routed } else { LinkPath::Lan },
        dialled: number % 2 == 0,
        since_ms: NOW_MS - minutes * 60_000,
        bytes_in: 5_020 * MB / number,
        bytes_out: 9 * MB * number,
        rtt_us,
        loss_permille: if name == "alice" { 12 } else { 0 },
        mtu: 1_500,
        draining: false,
    };
    let mut links: Vec<LinkView> = [
        (1, "nas-01", "10.0.3.2:47800", 72, 240),
        (2, "seat-04", "10.0.3.4:50110", 71, 410),
        (3, "seat-22", "10.0.3.22:47800", 70, 390),
        (5, "seat-63", "10.0.4.63:47800", 64, 510),
        (8, "seat-31", "10.0.3.31:39904", 55, 420),
        (9, "seat-09", "10.0.3.9:47800", 41, 430),
        (13, "alice", "10.0.9.140:47800", 12, 14_200),
        (14, "日本の友達", "[fd00:1:2:3::140]:47800", 3, 900),
        (15, "seat-09", "[fe80::9%2]:47800", 0, 0),
    ]
    .into_iter()
    .map(link)
    .collect();
    links[8].draining = true;
    links
}
