//! The cells of a map as they are laid out, for a cursor to walk over. Driven by the caller's update, not by drawing.

use super::{Cell, MapMode, regroup};

/// Where to move a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MapStep {
    /// To the cell before.
    Left,
    /// To the cell after.
    Right,
    /// To the row above.
    Up,
    /// To the row below.
    Down,
}

/// The cells of a map in reading order, and how many make a row.
///
/// ```
/// use potluck_widgets::{ChunkMap, ChunkState, MapStep, Run, Runs, aggregate};
///
/// let runs = [Run { len: 1000, state: ChunkState::Here }];
/// let cells = aggregate(&Runs::new(&runs), 100);
/// let grid = ChunkMap::new(&cells).grid(20, 5);
/// assert_eq!(grid.step(0, MapStep::Down).map(|cell| cell.chunks()), Some(200..210));
/// assert_eq!(grid.step(0, MapStep::Left).map(|cell| cell.chunks()), Some(0..10));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapGrid {
    cells: Vec<Cell>,
    columns: usize,
}

impl MapGrid {
    /// These cells as a map of this mode and size lays them out. For who does not draw: [`ChunkMap::grid`] knows also
    /// where a map without colours is drawn in another mode.
    ///
    /// [`ChunkMap::grid`]: super::ChunkMap::grid
    #[must_use]
    pub fn new(cells: &[Cell], mode: MapMode, width: u16, height: u16) -> Self {
        let (columns, rows) = mode.shape(width, height);
        Self { cells: regroup(cells, columns * rows), columns }
    }

    /// The cells in reading order. Where there are fewer chunks than cells, one chunk takes several.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The cell that holds `chunk`, or the one nearest to it; none if there are no cells.
    #[must_use]
    pub fn cell_of(&self, chunk: u32) -> Option<Cell> {
        self.cells.get(self.place(chunk)).copied()
    }

    /// The cell one step from the one that holds `chunk`: the new place of the cursor is its first chunk. At an edge it
    /// is the cell itself. A step always leaves the chunk if that way there is another one.
    #[must_use]
    pub fn step(&self, chunk: u32, step: MapStep) -> Option<Cell> {
        let here = self.place(chunk);
        let from = self.cells.get(here)?;
        let columns = self.columns.max(1);
        let other = |at: &usize| self.cells[*at].first != from.first;
        let found = match step {
            MapStep::Left => (0..here).rev().find(other),
            MapStep::Right => (here..self.cells.len()).find(other),
            MapStep::Up => (0..=here).rev().step_by(columns).find(other),
            MapStep::Down => (here..self.cells.len()).step_by(columns).find(other),
        };
        Some(found.map_or(*from, |at| self.cells[at]))
    }

    fn place(&self, chunk: u32) -> usize {
        let before = self.cells.partition_point(|cell| cell.chunks().end <= chunk);
        before.min(self.cells.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{ChunkMap, ChunkState, aggregate},
        *,
    };

    fn check(chunks: usize, size: (u16, u16), chunk: u32, expect: [u32; 4]) {
        let cells = aggregate(vec![ChunkState::Here; chunks].as_slice(), chunks);
        let grid = ChunkMap::new(&cells).grid(size.0, size.1);
        let steps = [MapStep::Left, MapStep::Right, MapStep::Up, MapStep::Down];
        assert_eq!(steps.map(|step| grid.step(chunk, step).map_or(u32::MAX, |cell| cell.first)), expect, "{grid:?}");
    }

    #[test]
    fn steps_stop_at_the_edges() {
        check(12, (4, 3), 5, [4, 6, 1, 9]);
        check(12, (4, 3), 0, [0, 1, 0, 4]);
        check(12, (4, 3), 11, [10, 11, 7, 11]);
        check(24, (4, 3), 10, [8, 12, 2, 18]);
        check(12, (0, 0), 5, [u32::MAX; 4]);
        check(0, (4, 3), 5, [u32::MAX; 4]);
    }

    #[test]
    fn steps_leave_a_chunk_that_takes_several_cells() {
        check(3, (4, 3), 1, [0, 2, 0, 2]);
        check(2, (4, 4), 0, [0, 1, 0, 1]);
        check(2, (4, 4), 1, [0, 1, 0, 1]);
    }
}
