//! Where everything lies, worked out from the size alone. The view draws into these plans and the
//! update asks them how long a page is, so the two never disagree.

use ratatui::layout::{Rect, Size};

/// Less than this and nothing readable fits.
pub(crate) const SIZE_MIN: Size = Size { width: 40, height: 10 };
/// From this width on there is room for details beside the library.
const PANE_FROM: u16 = 100;
/// From this height on a line is spent on dividing the screen from what stands below it.
const FOOT_FROM: u16 = 28;

/// From so many lines for the transfers on, the cell under the cursor of the map has a line of its own.
const ABOUT_FROM: u16 = 22;

/// The lines around a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chrome {
    /// Tabs, name and address.
    pub(crate) top: Rect,
    /// The screen itself.
    pub(crate) body: Rect,
    /// A rule below it, where there is room.
    pub(crate) foot: Option<Rect>,
    /// The newest fact.
    pub(crate) message: Rect,
    /// Rates, room and time.
    pub(crate) status: Rect,
    /// What the keys do now.
    pub(crate) hints: Rect,
}

/// The library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LibraryPlan {
    /// The rule above the table, where there is a pane.
    pub(crate) heading: Option<Rect>,
    /// Titles and rows.
    pub(crate) table: Rect,
    /// The line between table and pane.
    pub(crate) divider: Option<Rect>,
    /// The details.
    pub(crate) pane: Option<Rect>,
    /// Without a pane: a rule that names the selection.
    pub(crate) detail_rule: Option<Rect>,
    /// Without a pane: a line about the selection.
    pub(crate) detail: Option<Rect>,
}

/// The transfers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TransfersPlan {
    /// The rule above the queue.
    pub(crate) heading: Rect,
    /// Titles and rows.
    pub(crate) table: Rect,
    /// The map of the selected one.
    pub(crate) map: Option<MapPlan>,
    /// Its sources: a rule, then titles and rows.
    pub(crate) sources: Option<(Rect, Rect)>,
}

/// A chunk map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MapPlan {
    /// The rule that names it.
    pub(crate) rule: Rect,
    /// Its cells.
    pub(crate) cells: Rect,
    /// What the cells mean; where there is no line of its own for it, also what is under the cursor.
    pub(crate) legend: Rect,
    /// What is under the cursor.
    pub(crate) about: Option<Rect>,
}

/// The peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeersPlan {
    /// The rule above the table.
    pub(crate) heading: Rect,
    /// Titles and rows.
    pub(crate) table: Rect,
    /// The selected one: a rule, then lines.
    pub(crate) details: Option<(Rect, Rect)>,
    /// What moves between us and it: from it, and to it, each a line of words above a graph.
    pub(crate) graphs: Option<[Rect; 2]>,
}

/// The links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinksPlan {
    /// The rule above the table.
    pub(crate) heading: Rect,
    /// Titles and rows.
    pub(crate) table: Rect,
    /// Those that came and went: a rule, then lines.
    pub(crate) stream: Option<(Rect, Rect)>,
}

/// What takes space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpacePlan {
    /// The rule above the table.
    pub(crate) heading: Rect,
    /// Titles and rows.
    pub(crate) table: Rect,
    /// The selected one: a rule, then lines.
    pub(crate) detail: Option<(Rect, Rect)>,
}

/// Lines cut off the top of a rectangle, one after another.
struct Cutter(Rect);

impl Cutter {
    fn cut(&mut self, lines: u16) -> Rect {
        let lines = lines.min(self.0.height);
        let cut = Rect { height: lines, ..self.0 };
        self.0 = Rect { y: self.0.y + lines, height: self.0.height - lines, ..self.0 };
        cut
    }
}

/// The lines around a screen; `None` where it is too small.
pub(crate) fn chrome(size: Size) -> Option<Chrome> {
    if size.width < SIZE_MIN.width || size.height < SIZE_MIN.height {
        return None;
    }
    let mut rest = Cutter(Rect::new(0, 0, size.width, size.height));
    let foot = u16::from(size.height >= FOOT_FROM);
    let top = rest.cut(1);
    let body = rest.cut(size.height - 4 - foot);
    let foot = (foot > 0).then(|| rest.cut(1));
    Some(Chrome { top, body, foot, message: rest.cut(1), status: rest.cut(1), hints: rest.cut(1) })
}

/// Where the parts of the library lie in `body`.
pub(crate) fn library(body: Rect) -> LibraryPlan {
    let mut rest = Cutter(body);
    if body.width >= PANE_FROM {
        let heading = rest.cut(1);
        // A third for details, but no wider than its lines are long.
        let pane_width = (body.width / 3 + 1).clamp(34, 52);
        let table = Rect { width: body.width - pane_width - 1, ..rest.0 };
        return LibraryPlan {
            heading: Some(heading),
            table,
            divider: Some(Rect { x: table.right(), width: 1, ..rest.0 }),
            pane: Some(Rect { x: table.right() + 1, width: pane_width, ..rest.0 }),
            detail_rule: None,
            detail: None,
        };
    }
    let details = if body.height >= 12 { 2 } else { 0 };
    let table = rest.cut(body.height - details);
    let mut line = || (details > 0).then(|| rest.cut(1));
    LibraryPlan { heading: None, table, divider: None, pane: None, detail_rule: line(), detail: line() }
}

/// Where the parts of the transfers lie in `body`, for so many transfers, the selected one with so many sources.
pub(crate) fn transfers(body: Rect, queue: usize, sources: usize) -> TransfersPlan {
    let (queue, sources) = (rows(queue), rows(sources));
    let mut rest = Cutter(body);
    let heading = rest.cut(1);
    let room = rest.0.height;
    if room < 10 || queue == 0 {
        return TransfersPlan { heading, table: rest.0, map: None, sources: None };
    }
    // Rule and legend of the map, rule and titles of the sources, titles of the queue.
    let with_sources = room >= 15;
    let about = u16::from(room >= ABOUT_FROM);
    let mut free = room - if with_sources { 5 } else { 3 } - about;
    let source_rows = if with_sources { sources.clamp(1, (free / 4).max(2)) } else { 0 };
    free -= source_rows;
    let map_rows = (free / 2).max(free.saturating_sub(queue)).clamp(3, 16).min(free.saturating_sub(2));
    let queue_rows = free - map_rows;
    // Where the queue is short, its room goes to the sources.
    let spare =
        if with_sources { queue_rows.saturating_sub(queue).min(sources.saturating_sub(source_rows)) } else { 0 };
    let table = rest.cut(1 + queue_rows - spare);
    let map = MapPlan {
        rule: rest.cut(1),
        cells: inset(rest.cut(map_rows)),
        legend: inset(rest.cut(1)),
        about: (about > 0).then(|| inset(rest.cut(1))),
    };
    let sources = with_sources.then(|| (rest.cut(1), rest.0));
    TransfersPlan { heading, table, map: Some(map), sources }
}

/// Where the parts of the peers lie in `body`.
pub(crate) fn peers(body: Rect, peers: usize) -> PeersPlan {
    const DETAILS: u16 = 7;
    // Lines that only some peers have: what they are to us, and a note.
    const MORE: u16 = 2;
    // Words and two rows of bars at least; higher than the most, bars are no easier to read.
    const GRAPH_MIN: u16 = 3;
    const GRAPH_MAX: u16 = 9;
    let mut rest = Cutter(body);
    let heading = rest.cut(1);
    let room = rest.0.height;
    if room < DETAILS + 6 || peers == 0 {
        return PeersPlan { heading, table: rest.0, details: None, graphs: None };
    }
    // What the table does not need is the graphs', and where it is high they have a fifth in any case.
    let table_rows = rows(peers).saturating_add(1).max(5);
    let spare = (room - DETAILS).saturating_sub(table_rows).max(if room < 30 { 0 } else { room / 5 });
    let (graph, more) = match spare {
        0..GRAPH_MIN => (0, 0),
        _ => (spare.min(GRAPH_MAX), MORE.min(spare.saturating_sub(GRAPH_MAX))),
    };
    if graph == 0 || room < DETAILS + graph + more + 5 {
        let table = rest.cut(room - DETAILS);
        return PeersPlan { heading, table, details: Some((rest.cut(1), rest.0)), graphs: None };
    }
    let table = rest.cut(room - DETAILS - more - graph);
    let details = (rest.cut(1), rest.cut(DETAILS - 1 + more));
    let inner = inset(rest.0);
    let half = inner.width.saturating_sub(2) / 2;
    let from = Rect { width: half, ..inner };
    let to = Rect { x: inner.right() - half, width: half, ..inner };
    PeersPlan { heading, table, details: Some(details), graphs: Some([from, to]) }
}

/// Where the parts of the links lie in `body`, for so many links.
pub(crate) fn links(body: Rect, links: usize) -> LinksPlan {
    // A rule, and enough lines to see a link flap.
    const STREAM_MIN: u16 = 5;
    let mut rest = Cutter(body);
    let heading = rest.cut(1);
    let room = rest.0.height;
    if room < STREAM_MIN + 4 {
        return LinksPlan { heading, table: rest.0, stream: None };
    }
    // What the table does not need is the stream's, and it has a third in any case.
    let table = (rows(links).saturating_add(1)).clamp(3, room - (room / 3).max(STREAM_MIN));
    let table = rest.cut(table);
    LinksPlan { heading, table, stream: Some((rest.cut(1), rest.0)) }
}

/// Where the parts of the free space screen lie in `body`.
pub(crate) fn space(body: Rect) -> SpacePlan {
    // What is lost, and where it lies.
    const DETAIL: u16 = 3;
    let mut rest = Cutter(body);
    let heading = rest.cut(1);
    if rest.0.height < DETAIL + 6 {
        return SpacePlan { heading, table: rest.0, detail: None };
    }
    let table = rest.cut(rest.0.height - DETAIL);
    SpacePlan { heading, table, detail: Some((rest.cut(1), rest.0)) }
}

/// Where heading and lines of the log lie in `body`.
pub(crate) fn log(body: Rect) -> (Rect, Rect) {
    let mut rest = Cutter(body);
    (rest.cut(1), rest.0)
}

/// Two blank columns at both sides.
fn inset(area: Rect) -> Rect {
    Rect { x: area.x + 2, width: area.width.saturating_sub(4), ..area }
}

fn rows(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_pictures_in_numbers() {
        let small = chrome(Size::new(80, 24)).unwrap();
        assert_eq!((small.body.height, small.foot), (20, None));
        assert_eq!(library(small.body).pane, None);
        assert_eq!(library(small.body).table.height, 18);
        let wide = chrome(Size::new(100, 30)).unwrap();
        assert_eq!(library(wide.body).pane.unwrap().width, 34);
        assert_eq!(library(wide.body).table, Rect::new(0, 2, 65, 24));
        assert_eq!(chrome(Size::new(39, 24)), None);
        assert_eq!(chrome(Size::new(80, 9)), None);
    }

    proptest! {
        #[test]
        fn nothing_overlaps_or_leaves_the_body(
            width in 40_u16..220, height in 10_u16..70, queue in 0_usize..30, sources in 0_usize..200,
        ) {
            let chrome = chrome(Size::new(width, height)).unwrap();
            let body = chrome.body;
            let library = library(body);
            let transfers = transfers(body, queue, sources);
            let peers = peers(body, queue);
            let links = links(body, queue);
            let space = space(body);
            let plans = [
                vec![Some(space.heading), Some(space.table), space.detail.map(|(rule, _)| rule), space.detail.map(|(_, lines)| lines)],
                vec![Some(library.table), library.heading, library.divider, library.pane, library.detail_rule, library.detail],
                vec![
                    Some(transfers.heading), Some(transfers.table), transfers.map.map(|map| map.rule),
                    transfers.map.map(|map| map.cells), transfers.map.map(|map| map.legend), transfers.map.and_then(|map| map.about),
                    transfers.sources.map(|(rule, _)| rule), transfers.sources.map(|(_, table)| table),
                ],
                vec![
                    Some(peers.heading), Some(peers.table), peers.details.map(|(rule, _)| rule), peers.details.map(|(_, lines)| lines),
                    peers.graphs.map(|[from, _]| from), peers.graphs.map(|[_, to]| to),
                ],
                vec![Some(links.heading), Some(links.table), links.stream.map(|(rule, _)| rule), links.stream.map(|(_, lines)| lines)],
                vec![Some(chrome.top), Some(body), chrome.foot, Some(chrome.message), Some(chrome.status), Some(chrome.hints)],
            ];
            for plan in plans {
                let parts: Vec<Rect> = plan.into_iter().flatten().collect();
                for (at, part) in parts.iter().enumerate() {
                    prop_assert!(part.right() <= width && part.bottom() <= height, "{part:?}");
                    for other in &parts[at + 1..] {
                        prop_assert!(part.intersection(*other).is_empty(), "{part:?} {other:?}");
                    }
                }
            }
            if let Some(map) = transfers.map {
                prop_assert!(map.cells.height >= 2, "{map:?}");
                prop_assert!(usize::from(transfers.table.height) > queue.min(2), "{transfers:?}");
            }
        }
    }
}
