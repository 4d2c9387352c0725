//! Every edge of moving: each key in each situation, and where that leads. The table is a snapshot, to be read.

use super::*;
use crate::api::{GameView, TransferView};

/// The keys that move, and those that mark and move.
const KEYS: [&str; 10] = ["j", "k", "<Ctrl-d>", "<Ctrl-u>", "<PgDn>", "<PgUp>", "gg", "G", "<Space>", "l"];

/// Makes the same seat again and again.
type Situation = Box<dyn Fn() -> Seat>;

#[test]
fn the_table_of_edges() {
    let games = |count| move || Seat::new(&fixture::many(count), 80, 24);
    let small = || Seat::new(&fixture::many(30), 40, 10);
    let room = || busy(100, 30);
    let log = || (0..40).fold(busy(100, 30), |seat, at| seat.event(Level::Info, &format!("fact {at}"))).keys("5");
    let situations: Vec<(&str, Situation)> = vec![
        ("no game", Box::new(games(0))),
        ("one game", Box::new(games(1))),
        ("two games, on the last", Box::new(move || games(2)().keys("G"))),
        ("a page of games", Box::new(games(17))),
        ("a page of games, on the last", Box::new(move || games(17)().keys("G"))),
        ("one more than a page", Box::new(games(18))),
        ("one more than a page, on the last", Box::new(move || games(18)().keys("G"))),
        ("100 games, in the middle", Box::new(move || games(100)().keys("<PgDn><PgDn><PgDn>"))),
        ("the smallest screen, first", Box::new(small)),
        ("the smallest screen, last", Box::new(move || small().keys("G"))),
        ("a filter that shows some", Box::new(move || games(100)().keys("/9<Enter>"))),
        ("a filter that shows one", Box::new(move || games(100)().keys("/00042<Enter>"))),
        ("a filter that shows none", Box::new(move || games(100)().keys("/zzz<Enter>"))),
        ("a range begun in the middle", Box::new(move || games(100)().keys("<PgDn>v"))),
        ("rows under the cursor vanished", Box::new(move || games_left(games(100)().keys("G"), 3))),
        ("rows above the cursor vanished", Box::new(move || games_gone(games(100)().keys("<PgDn><PgDn>"), 20))),
        ("all rows vanished", Box::new(move || games_left(games(100)().keys("G"), 0))),
        ("all rows vanished and some came", Box::new(move || games_left(games_left(games(100)().keys("G"), 0), 5))),
        ("a window made smaller around the cursor", Box::new(move || resized(games(100)().keys("<PgDn>"), 40, 10))),
        ("details of a game", Box::new(move || busy(100, 16).keys("jjjjl"))),
        ("details of a game, scrolled down", Box::new(move || busy(100, 16).keys("jjjjlG"))),
        ("no transfer", Box::new(|| Seat::new(&fixture::nothing(), 100, 30).keys("2"))),
        ("transfers, first", Box::new(move || room().keys("2"))),
        ("transfers, last", Box::new(move || room().keys("2G"))),
        ("transfers, the last one ended", Box::new(move || transfers_left(room().keys("2G"), 5))),
        ("the map, first cell", Box::new(move || room().keys("2lgg"))),
        ("the map, last cell", Box::new(move || room().keys("2lG"))),
        ("the map, zoomed in", Box::new(move || room().keys("2lgg++"))),
        ("the map, its transfer ended", Box::new(move || transfers_left(room().keys("2l"), 0))),
        ("no peer", Box::new(|| Seat::new(&fixture::nothing(), 100, 30).keys("3"))),
        ("peers, last", Box::new(move || room().keys("3G"))),
        ("links, last", Box::new(move || room().keys("4G"))),
        ("free space, last", Box::new(move || room().keys("FG"))),
        ("what came and went", Box::new(move || linked(room()).keys("4l"))),
        ("an empty log", Box::new(|| Seat::new(&fixture::nothing(), 100, 30).keys("5"))),
        ("a log that follows", Box::new(log)),
        ("a log, its first lines", Box::new(move || log().keys("gg"))),
        ("a log, held", Box::new(move || log().keys("p"))),
        ("a log with a filter", Box::new(move || log().keys("/3<Enter>"))),
    ];
    let mut table = String::new();
    for (name, seat) in situations {
        let before = at(&seat(), name);
        table += &format!("{name}: {before}\n");
        let ways = KEYS.map(|key| (key, at(&seat().keys(key), &format!("{name}, {key}"))));
        let mut seen = vec![&before];
        for (_, to) in &ways {
            if seen.contains(&to) {
                continue;
            }
            seen.push(to);
            let keys: Vec<&str> = ways.iter().filter(|(_, place)| place == to).map(|(key, _)| *key).collect();
            table += &format!("    {:<32} {to}\n", keys.join(" "));
        }
    }
    check_text("edges", &table);
}

/// Where the cursor is, in words. Fails unless its row is in view.
fn at(seat: &Seat, what: &str) -> String {
    let model = &seat.model;
    let shown = seat.picture();
    let Some(table) = model.table(model.screen) else {
        let (lines, view) = model.log.drawn();
        let first = shown.lines().nth(2).unwrap_or_default().trim_start();
        let held = if view.is_held() { format!("held, {} newer", view.newer(lines)) } else { "follows".to_owned() };
        return format!("{held}; first line {first:?}");
    };
    let rows = table.rows().len();
    let marker: Vec<usize> =
        (0_usize..).zip(shown.lines()).filter(|(_, line)| line.starts_with('▌')).map(|(at, _)| at).collect();
    let mut place = match (table.list.at(), marker.as_slice()) {
        (Some(row), [line]) if row < rows => format!("row {} of {rows}, on line {line}", row + 1),
        (None, []) if rows == 0 => "no row".to_owned(),
        other => panic!("{what}: {other:?} of {rows} in\n{shown}"),
    };
    if !table.list.marks.is_empty() {
        place += &format!(", {} marked", table.list.marks.len());
    }
    if model.focus == Focus::Pane {
        place += &match (model.screen, model.map.cursor()) {
            (Screen::Transfers, Some(chunk)) => format!("; in the map at chunk {chunk}"),
            (Screen::Library | Screen::Transfers | Screen::Peers | Screen::Links | Screen::Log | Screen::Space, _) => {
                format!("; in the pane at line {}", table.details_from + 1)
            }
        };
    }
    if model.notice.level == Some(Level::Warning) {
        place += &format!("; says: {}", model.notice.text);
    }
    place
}

fn with_games(mut seat: Seat, change: impl FnOnce(&mut Vec<GameView>)) -> Seat {
    let mut snapshot = seat.model.snapshot.clone();
    let mut games = (*snapshot.games).clone();
    change(&mut games);
    snapshot.games = Arc::new(games);
    seat.tell(Msg::Snapshot(Arc::new(snapshot)));
    seat
}

/// Only the first so many games are left.
fn games_left(seat: Seat, count: usize) -> Seat {
    let many = (*fixture::many(count).games).clone();
    with_games(seat, |games| *games = many)
}

/// The first so many games are gone.
fn games_gone(seat: Seat, count: usize) -> Seat {
    with_games(seat, |games| drop(games.drain(..count)))
}

fn transfers_left(mut seat: Seat, count: usize) -> Seat {
    let mut snapshot = seat.model.snapshot.clone();
    let left: Vec<TransferView> = snapshot.transfers.iter().take(count).cloned().collect();
    snapshot.transfers = Arc::new(left);
    seat.tell(Msg::Snapshot(Arc::new(snapshot)));
    seat
}

fn resized(mut seat: Seat, width: u16, height: u16) -> Seat {
    seat.tell(Msg::Resize(Size::new(width, height)));
    seat
}
