//! What is looked at on the chunk map: its layer, the part of it that fills the area, the chunk under the cursor, and the
//! part the runtime has counted for that. A cursor is a chunk number, so it survives every change of size and zoom.

use std::ops::Range;

use potluck_widgets::{Cell, Counts, GlyphLevel, MapGrid, MapMode, MapStep, Rare};

use crate::api::{
    ChunksView, MAP_REPLY_CELLS_MAX, MapCell, MapRequest, MapView, SourceChunks, SourceView, StateWord, TransferView,
};

/// With so many sources, chunks that only one of them holds are worth a warning: with fewer, nearly every chunk is like
/// that and the map would be all digits.
const SOURCES_FOR_ONE: usize = 3;
/// The same for chunks that two hold.
const SOURCES_FOR_TWO: usize = 6;

/// Cells of what a source holds: the widest column they are drawn in.
const SOURCE_CELLS: u32 = 24;
/// So many sources have a colour of their own: more are not told apart.
pub(crate) const COLOURED_SOURCES: usize = 6;

/// Whose chunks the map shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Layer {
    /// What is here.
    #[default]
    Mine,
    /// What the others hold.
    Room,
}

impl Layer {
    /// The other one.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Mine => Self::Room,
            Self::Room => Self::Mine,
        }
    }

    /// As people read it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mine => "mine",
            Self::Room => "room",
        }
    }
}

/// What is looked at.
#[derive(Debug, Default)]
pub(crate) struct MapLook {
    pub(crate) layer: Layer,
    /// Of which ContentId the rest is.
    content: String,
    /// First chunk and length of the part in view; everything when there is none.
    part: Option<(u32, u32)>,
    cursor: Option<u32>,
    /// The newest part that was counted, and what had been asked.
    counted: Option<(MapRequest, MapView)>,
    /// Asked and not answered.
    asked: bool,
    /// Asked and refused, until something changes.
    refused: Option<MapRequest>,
    /// The counts changed since the newest part was asked for.
    stale: bool,
}

impl MapLook {
    /// Looks at this content from now on: of another one, everything and without a cursor.
    pub(crate) fn follow(&mut self, content: &str) {
        if self.content != content {
            *self = Self { layer: self.layer, content: content.to_owned(), asked: self.asked, ..Self::default() };
        }
    }

    /// The chunks in view.
    pub(crate) fn range(&self, chunks: u32) -> Range<u32> {
        match self.part {
            Some((first, len)) => first.min(chunks)..first.saturating_add(len).min(chunks),
            None => 0..chunks,
        }
    }

    /// Whether only a part is in view.
    pub(crate) fn is_zoomed(&self) -> bool {
        self.part.is_some()
    }

    /// The chunk under the cursor.
    pub(crate) fn cursor(&self) -> Option<u32> {
        self.cursor
    }

    /// Everything again, and no cursor.
    pub(crate) fn leave(&mut self) {
        (self.part, self.cursor) = (None, None);
    }

    /// Puts the cursor on what needs somebody most, else on the first chunk that is not here, if it is nowhere yet.
    pub(crate) fn show_cursor(&mut self, grid: &MapGrid) {
        if self.cursor.is_none() {
            let of = |wanted: fn(&Cell) -> bool| grid.cells().iter().find(|cell| wanted(cell));
            let worst = of(|cell| cell.counts.bad > 0)
                .or_else(|| of(|cell| cell.counts.rare.is_some()))
                .or_else(|| of(|cell| cell.counts.here < cell.len))
                .or(grid.cells().first());
            self.cursor = worst.map(|cell| cell.first);
        }
    }

    /// Moves the cursor by a cell; at the edge of a part the part moves, by a row.
    pub(crate) fn step(&mut self, step: MapStep, grid: &MapGrid, rows: u32, chunks: u32) {
        self.show_cursor(grid);
        let Some(cursor) = self.cursor else { return };
        let here = grid.cell_of(cursor).map(|cell| cell.first);
        let next = grid.step(cursor, step);
        if next.map(|cell| cell.first) != here {
            // Cells that are coarser than the part may begin before it.
            self.cursor = next.map(|cell| cell.first.max(self.range(chunks).start));
            return;
        }
        let Some((first, len)) = self.part else { return };
        let row = (len / rows.max(1)).max(1);
        let to = match step {
            MapStep::Left | MapStep::Up => first.saturating_sub(row),
            MapStep::Right | MapStep::Down => first.saturating_add(row).min(chunks.saturating_sub(len)),
        };
        self.part = Some((to, len));
        // Left and right go on where the row before or after it ends or begins; up and down stay in their column.
        self.cursor = Some(match step {
            MapStep::Left if to < first => first - 1,
            MapStep::Right if to > first => first + len,
            MapStep::Up => cursor - (first - to),
            MapStep::Down => cursor + (to - first),
            MapStep::Left | MapStep::Right => cursor,
        });
    }

    /// Half as many chunks around the cursor, but not fewer than there are cells; false when it is so fine already.
    pub(crate) fn zoom_in(&mut self, chunks: u32, cells: u32) -> bool {
        let range = self.range(chunks);
        let len = (range.end - range.start).div_ceil(2).max(cells);
        len < range.end - range.start && self.show(len, chunks)
    }

    /// Twice as many chunks around the cursor, or all; false when all are in view already.
    pub(crate) fn zoom_out(&mut self, chunks: u32) -> bool {
        let range = self.range(chunks);
        self.part.is_some() && self.show((range.end - range.start).saturating_mul(2).max(1), chunks)
    }

    fn show(&mut self, len: u32, chunks: u32) -> bool {
        if len >= chunks {
            self.part = None;
        } else {
            let middle = self.cursor.unwrap_or(0);
            self.part = Some((middle.saturating_sub(len / 2).min(chunks - len), len));
        }
        true
    }

    /// The cells to draw: those that were counted for this part, else those of the snapshot that lie in it.
    pub(crate) fn cells(&self, transfer: &TransferView) -> Vec<Cell> {
        let rules = Rules::of(transfer, self.layer);
        if self.content != transfer.content {
            return transfer.map.iter().map(|cell| rules.cell(cell)).collect();
        }
        let range = self.range(transfer.chunks);
        match &self.counted {
            Some((asked, view)) if (asked.first..asked.first.saturating_add(asked.len)) == range => {
                view.cells.iter().map(|cell| rules.cell(cell)).collect()
            }
            Some(_) | None => {
                let inside = |cell: &&MapCell| cell.first < range.end && range.start < cell.first + cell.all;
                transfer.map.iter().filter(inside).map(|cell| rules.cell(cell)).collect()
            }
        }
    }

    /// What a source holds of everything, as far as that was counted.
    pub(crate) fn held_by(&self, peer: &str) -> Option<Vec<Cell>> {
        let source = self.sources().iter().find(|source| source.peer == peer)?;
        let cell = |(at, share): (u32, &u8)| {
            let counts = Counts { here: u32::from(*share), ..Counts::default() };
            Cell { first: at * 100, len: 100, counts }
        };
        Some((0..).zip(&source.holds).map(cell).collect())
    }

    /// The peer from which something of the cell that begins with this chunk is coming; of several the fastest.
    pub(crate) fn coming_from(&self, first: u32) -> Option<&str> {
        let cells = &self.counted.as_ref()?.1.cells;
        let at = u32::try_from(cells.partition_point(|cell| cell.first <= first)).unwrap_or(u32::MAX).checked_sub(1)?;
        let source = self.sources().iter().find(|source| source.coming.binary_search(&at).is_ok())?;
        Some(&source.peer)
    }

    fn sources(&self) -> &[SourceChunks] {
        self.counted.as_ref().map_or(&[], |(_, view)| &view.sources)
    }

    /// What is known by name of these chunks.
    pub(crate) fn about(&self, chunks: &Range<u32>) -> Option<&ChunksView> {
        let about = self.counted.as_ref()?.1.about.as_ref()?;
        (about.cell.first == chunks.start && about.cell.all == chunks.end - chunks.start).then_some(about)
    }

    /// The counts are others now.
    pub(crate) fn on_change(&mut self) {
        self.stale = true;
    }

    /// What to ask the runtime for a map of so many cells, if what is known will not do: finer cells than the snapshot
    /// has, a part, names for what is under the cursor, or what each source holds. One question at a time.
    pub(crate) fn ask(
        &mut self,
        transfer: &TransferView,
        grid: &MapGrid,
        cells: usize,
        of_sources: bool,
    ) -> Option<MapRequest> {
        let range = self.range(transfer.chunks);
        let len = range.end - range.start;
        let finer = cells.min(len as usize) > transfer.map.len();
        let about = self.cursor.and_then(|chunk| grid.cell_of(chunk)).map(|cell| (cell.first, cell.len));
        if self.asked || transfer.map.is_empty() || !(finer || self.is_zoomed() || about.is_some() || of_sources) {
            return None;
        }
        let cells = u32::try_from(cells).unwrap_or(u32::MAX).min(MAP_REPLY_CELLS_MAX);
        let source_cells = if of_sources { SOURCE_CELLS } else { 0 };
        let request = MapRequest { game: transfer.game.clone(), first: range.start, len, cells, about, source_cells };
        let known = self.counted.as_ref().map(|(asked, _)| asked).into_iter().chain(&self.refused);
        if !self.stale && known.into_iter().any(|asked| *asked == request) {
            return None;
        }
        self.refused = None;
        (self.asked, self.stale) = (true, false);
        Some(request)
    }

    /// The runtime answered, or had nothing to say until the next snapshot.
    pub(crate) fn on_answer(&mut self, request: MapRequest, answer: Option<MapView>) {
        self.asked = false;
        // One of what was looked at before is of no use; what is looked at now is asked for next. Who was refused
        // asks again when something changes.
        match answer.filter(|view| view.content == self.content) {
            Some(view) => self.counted = Some((request, view)),
            None => self.refused = Some(request),
        }
    }
}

/// The sources that have a colour of their own, in the order of the colours: those that gave most. Ties are broken by
/// the id, so that nothing flickers.
pub(crate) fn coloured(transfer: &TransferView) -> Vec<&str> {
    let mut sources: Vec<&SourceView> =
        transfer.sources.iter().filter(|source| source.bytes > 0 || source.coming > 0).collect();
    sources.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.peer.cmp(&b.peer)));
    sources.iter().take(COLOURED_SOURCES).map(|source| source.peer.as_str()).collect()
}

/// How the cells of a map of this area become characters.
pub(crate) fn mode(glyphs: GlyphLevel, half_blocks: bool) -> MapMode {
    match glyphs {
        GlyphLevel::Ascii => MapMode::Ascii,
        GlyphLevel::Blocks | GlyphLevel::Braille if half_blocks => MapMode::HalfBlocks,
        GlyphLevel::Blocks | GlyphLevel::Braille => MapMode::Glyphs,
    }
}

/// How the counts of a transfer become cells.
struct Rules {
    layer: Layer,
    /// From how many holders down a chunk is rare; none while nothing is asked for and so nobody counts who holds what.
    rare_max: Option<u8>,
    /// Sources that hold everything, and those that hold a part.
    whole: u64,
    part: u64,
}

impl Rules {
    fn of(transfer: &TransferView, layer: Layer) -> Self {
        // A transfer that has just begun has not heard from anybody: that is no shortage.
        let counted = match transfer.state {
            StateWord::Getting => !transfer.sources.is_empty(),
            StateWord::Waiting | StateWord::Failed => true,
            StateWord::Available
            | StateWord::Paused
            | StateWord::Checking
            | StateWord::Downloaded
            | StateWord::Installing
            | StateWord::Ready
            | StateWord::Offline => false,
        };
        let rare_max = match transfer.sources.len() {
            SOURCES_FOR_TWO.. => 2,
            SOURCES_FOR_ONE.. => 1,
            _ => 0,
        };
        let count =
            |wanted: fn(u8) -> bool| transfer.sources.iter().filter(|source| wanted(source.holds)).count() as u64;
        Self {
            layer,
            rare_max: counted.then_some(rare_max),
            whole: count(|holds| holds == 100),
            part: count(|holds| (1..100).contains(&holds)),
        }
    }

    fn cell(&self, cell: &MapCell) -> Cell {
        let counts = match self.layer {
            Layer::Mine => self.mine(cell),
            Layer::Room => self.room(cell),
        };
        Cell { first: cell.first, len: cell.all, counts }
    }

    fn rare(&self, chunks: u32, holders: u8) -> Option<Rare> {
        self.rare_max.filter(|max| chunks > 0 && holders <= *max).map(|_| Rare { chunks, holders: u32::from(holders) })
    }

    fn mine(&self, cell: &MapCell) -> Counts {
        let MapCell { first: _, all, have, coming, bad, rarest, held: _, fewest: _ } = *cell;
        let missing = all.saturating_sub(have).saturating_sub(coming).saturating_sub(bad);
        Counts { here: have, coming, bad, rare: self.rare(missing, rarest) }
    }

    /// How much of it the others hold, in chunks: those who hold everything tell nothing apart and are left out, so that
    /// what is rare stands out. All of it only where everybody holds every chunk.
    fn room(&self, cell: &MapCell) -> Counts {
        let all = u64::from(cell.all);
        let of_part = cell.held.saturating_sub(all * self.whole);
        let here = if u64::from(cell.fewest) >= self.whole + self.part {
            all
        } else {
            let share = of_part.checked_div(self.part).unwrap_or(0);
            share.max(u64::from(of_part > 0)).min(all.saturating_sub(1))
        };
        Counts { here: here as u32, coming: 0, bad: 0, rare: self.rare(cell.all, cell.fewest) }
    }
}

#[cfg(test)]
mod tests {
    use potluck_widgets::ChunkMap;
    use proptest::prelude::*;
    use ratatui::layout::Size;

    use super::*;
    use crate::api::SourceView;

    /// A transfer of so many chunks in 512 cells, a third here, with `whole` and `part` sources.
    fn transfer(chunks: u32, whole: usize, part: usize) -> TransferView {
        let cells = chunks.min(512);
        let bound = |at: u32| (u64::from(chunks) * u64::from(at) / u64::from(cells.max(1))) as u32;
        let cell = |at: u32| {
            let (first, all) = (bound(at), bound(at + 1) - bound(at));
            let have = if at.is_multiple_of(3) { all } else { 0 };
            let held = u64::from(all) * whole as u64;
            MapCell {
                first,
                all,
                have,
                rarest: if have == all { 255 } else { 9 },
                held,
                fewest: whole as u8,
                ..MapCell::default()
            }
        };
        let source = |holds| SourceView { holds, ..SourceView::default() };
        let sources = (0..whole).map(|_| source(100)).chain((0..part).map(|_| source(40))).collect();
        TransferView {
            content: "c".into(),
            state: StateWord::Getting,
            chunks,
            map: (0..cells).map(cell).collect(),
            sources,
            ..TransferView::default()
        }
    }

    const SIZE: Size = Size { width: 20, height: 5 };

    fn grid(look: &MapLook, transfer: &TransferView) -> MapGrid {
        ChunkMap::new(&look.cells(transfer)).mode(MapMode::Glyphs).grid(SIZE.width, SIZE.height)
    }

    fn looking(transfer: &TransferView) -> MapLook {
        let mut look = MapLook::default();
        look.follow(&transfer.content);
        look
    }

    #[test]
    fn zooming_keeps_the_cursor_in_the_middle_and_ends_at_a_chunk_a_cell() {
        let transfer = transfer(10_000, 2, 2);
        let mut look = looking(&transfer);
        look.cursor = Some(5_000);
        for expect in [2_500..7_500, 3_750..6_250, 4_375..5_625, 4_688..5_313, 4_844..5_157, 4_922..5_079] {
            assert!(look.zoom_in(10_000, 100));
            assert_eq!(look.range(10_000), expect);
        }
        assert!(look.zoom_in(10_000, 100) && !look.zoom_in(10_000, 100));
        assert_eq!(look.range(10_000).len(), 100);
        let mut steps = 0;
        while look.zoom_out(10_000) {
            steps += 1;
        }
        assert_eq!((steps, look.range(10_000), look.is_zoomed()), (7, 0..10_000, false));
        // A small content has nothing to zoom into.
        assert!(!looking(&transfer).zoom_in(80, 100));
    }

    #[test]
    fn the_part_follows_the_cursor_over_its_edge() {
        let transfer = transfer(10_000, 2, 2);
        let mut look = looking(&transfer);
        look.cursor = Some(5_000);
        while look.zoom_in(10_000, 100) {}
        let first = look.range(10_000).start;
        look.cursor = Some(first);
        let coarse = grid(&look, &transfer);
        look.step(MapStep::Left, &coarse, 5, 10_000);
        assert_eq!((look.range(10_000).start, look.cursor()), (first - 20, Some(first - 1)));
        for _ in 0..600 {
            let grid = grid(&look, &transfer);
            look.step(MapStep::Up, &grid, 5, 10_000);
        }
        assert_eq!(look.range(10_000).start, 0);
        assert!(look.range(10_000).contains(&look.cursor().unwrap()));
    }

    #[test]
    fn it_asks_only_for_what_it_lacks_and_once() {
        let transfer = transfer(10_000, 2, 2);
        let mut look = looking(&transfer);
        let coarse = grid(&look, &transfer);
        assert_eq!(look.ask(&transfer, &coarse, 100, false), None);
        let finer = look.ask(&transfer, &coarse, 600, false).unwrap();
        assert_eq!((finer.first, finer.len, finer.cells, finer.about), (0, 10_000, 600, None));
        assert_eq!(look.ask(&transfer, &coarse, 600, false), None, "one question at a time");
        look.on_answer(finer.clone(), Some(MapView { content: "c".into(), ..MapView::default() }));
        assert_eq!(look.ask(&transfer, &coarse, 600, false), None, "it is known");
        look.on_change();
        assert_eq!(look.ask(&transfer, &coarse, 600, false), Some(finer.clone()));
        look.on_answer(finer, None);
        assert_eq!(look.ask(&transfer, &coarse, 600, false), None, "refused until something changes");
        look.show_cursor(&coarse);
        let named = look.ask(&transfer, &coarse, 100, false).unwrap();
        let first = coarse.cells()[0];
        assert_eq!(named.about, Some((first.first, first.len)), "the first of which something is not here");
    }

    #[test]
    fn in_the_room_those_who_hold_everything_tell_nothing() {
        let rules = Rules { layer: Layer::Room, rare_max: Some(1), whole: 2, part: 4 };
        let cell = |held, fewest| rules.cell(&MapCell { all: 10, held, fewest, ..MapCell::default() }).counts;
        assert_eq!(cell(60, 6).here, 10);
        assert_eq!(cell(20, 2).here, 0);
        assert_eq!(cell(21, 2).here, 1);
        assert_eq!(cell(59, 5).here, 9);
        assert_eq!(cell(99, 5).here, 9, "counts that are older than the list of sources do not lie either");
        assert_eq!(cell(12, 1).rare, Some(Rare { chunks: 10, holders: 1 }));
    }

    proptest! {
        #[test]
        fn whatever_is_pressed_the_cursor_is_in_view(
            chunks in 1_u32..20_000, keys in proptest::collection::vec(0_u8..6, 0..60),
        ) {
            let transfer = transfer(chunks, 2, 1);
            let mut look = looking(&transfer);
            for key in keys {
                let grid = grid(&look, &transfer);
                look.show_cursor(&grid);
                match key {
                    0 => look.step(MapStep::Left, &grid, 5, chunks),
                    1 => look.step(MapStep::Right, &grid, 5, chunks),
                    2 => look.step(MapStep::Up, &grid, 5, chunks),
                    3 => look.step(MapStep::Down, &grid, 5, chunks),
                    4 => drop(look.zoom_in(chunks, 100)),
                    _ => drop(look.zoom_out(chunks)),
                }
                let range = look.range(chunks);
                prop_assert!(!range.is_empty() && range.end <= chunks);
                let cells = look.cells(&transfer);
                prop_assert!(!cells.is_empty());
                let cursor = look.cursor().unwrap();
                // The cells of the snapshot are coarser than a part: the cursor is in one of those that touch it.
                prop_assert!(cells.iter().any(|cell| cell.chunks().contains(&cursor)), "{cursor} {range:?}");
            }
        }
    }
}
