//! Terminal widgets that know nothing of what they show.
//!
//! Each widget takes borrowed data, the [`Style`](ratatui::style::Style)s of its parts and a [`GlyphLevel`], and draws
//! into a buffer of any size, also an empty one. Nothing here keeps state between two frames except where a type says
//! so ([`Scroll`], [`LogBuffer`], [`LogView`]); nothing reads a clock, the environment or the terminal.
//!
//! - [`ChunkMap`]: which parts of something are here, counted exactly, never sampled
//! - [`RateGraph`] and [`sparkline`]: a rate over time
//! - [`Meter`] and [`bar`]: how far something is
//! - [`Table`]: rows asked for only while they are in view
//! - [`Modal`]: a question with its keys
//! - [`KeyHints`]: which keys do what, in one line
//! - [`LogPane`]: bounded lines that can be held still
//!
//! Text from anywhere may be given to any of them: it is clipped by what the terminal shows, not by bytes or
//! characters, and characters that would move or reorder what stands beside them are not drawn (see [`text`]).

mod level;
pub mod text;

mod chunk_map;
mod key_hints;
mod log_pane;
mod meter;
mod modal;
mod rate_graph;
mod table;

#[cfg(test)]
mod picture;

pub use crate::{
    chunk_map::{
        Cell, ChunkMap, ChunkState, ChunkStates, Counts, MapGrid, MapMode, MapStep, MapStyles, Mark, Rare, Run, Runs,
        Tint, aggregate, aggregate_range, regroup,
    },
    key_hints::{Hint, KeyHints},
    level::GlyphLevel,
    log_pane::{LogBuffer, LogLevel, LogLine, LogPane, LogStyles, LogView},
    meter::{Meter, MeterStyles, bar, percent},
    modal::{Modal, ModalStyles},
    rate_graph::{RateGraph, scale_above, sparkline},
    table::{Align, Column, Order, Row, Scroll, Table, TableStyles, column_widths},
};
