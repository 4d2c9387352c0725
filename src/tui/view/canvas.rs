//! What every screen draws with: a pen that knows theme and glyphs, and a canvas to draw on, with the
//! few shapes that screens share.

use std::borrow::Cow;

use potluck_widgets::{Align, GlyphLevel, MapStyles, TableStyles, text};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::super::{
    model::Focus,
    theme::{Role, Theme},
    words,
};
use crate::api::StateWord;

/// Theme and glyphs.
#[derive(Clone, Copy)]
pub(super) struct Pen<'a> {
    theme: &'a Theme,
    pub(super) level: GlyphLevel,
}

impl<'a> Pen<'a> {
    pub(super) fn new(theme: &'a Theme, level: GlyphLevel) -> Self {
        Self { theme, level }
    }

    /// What a role looks like.
    pub(super) fn style(self, role: Role) -> Style {
        self.theme.style(role)
    }

    /// Text in a role.
    pub(super) fn span<'t>(self, text: impl Into<Cow<'t, str>>, role: Role) -> Span<'t> {
        Span::styled(text, self.style(role))
    }

    /// Glyph and word of a state, the word padded so that what follows stands in a column.
    pub(super) fn state(self, state: StateWord) -> Span<'static> {
        let glyph = words::glyph(state, self.level);
        Span::styled(format!("{glyph} {:<9}", state.word()), self.style(role_of(state)))
    }

    /// `text`, or in ASCII `plain`.
    pub(super) fn either(self, text: &'static str, plain: &'static str) -> &'static str {
        words::either(self.level, text, plain)
    }

    /// The title of what stands beside or below a table, with a sign while the keys move in it.
    pub(super) fn pane_title(self, focus: Focus, title: &str) -> String {
        match focus {
            Focus::List => title.to_owned(),
            Focus::Pane => format!("{} {title}", self.either("▌", ">")),
        }
    }

    /// The styles of a table.
    pub(super) fn table_styles(self) -> TableStyles {
        TableStyles {
            header: self.style(Role::Header),
            sorted: self.style(Role::Sorted),
            selected: self.style(Role::Selected),
            marker: self.style(Role::Marker),
        }
    }

    /// The styles of a chunk map.
    pub(super) fn map_styles(self) -> MapStyles {
        MapStyles {
            here: self.style(Role::MapHave),
            partial: [self.style(Role::MapLow), self.style(Role::MapMid), self.style(Role::MapHigh)],
            missing: self.style(Role::MapMissing),
            coming: self.style(Role::MapComing),
            rare: self.style(Role::MapRare),
            bad: self.style(Role::MapBad),
            cursor: self.style(Role::MapCursor),
        }
    }
}

/// The role of a state.
pub(super) fn role_of(state: StateWord) -> Role {
    match state {
        StateWord::Available => Role::Available,
        StateWord::Getting => Role::Getting,
        StateWord::Waiting => Role::Waiting,
        StateWord::Paused => Role::Paused,
        StateWord::Checking => Role::Checking,
        StateWord::Downloaded => Role::Downloaded,
        StateWord::Installing => Role::Installing,
        StateWord::Ready => Role::Ready,
        StateWord::Failed => Role::Failed,
        StateWord::Offline => Role::Offline,
    }
}

/// Where a screen is drawn.
pub(super) struct Canvas<'a> {
    pub(super) buf: &'a mut Buffer,
    pub(super) pen: Pen<'a>,
}

impl<'a> Canvas<'a> {
    pub(super) fn new(buf: &'a mut Buffer, theme: &'a Theme, level: GlyphLevel) -> Self {
        Self { buf, pen: Pen::new(theme, level) }
    }

    /// Lays a role under an area.
    pub(super) fn fill(&mut self, area: Rect, role: Role) {
        self.buf.set_style(area, self.pen.style(role));
    }

    /// Text in a role; returns the columns used.
    pub(super) fn text(&mut self, area: Rect, text: &str, role: Role) -> u16 {
        self.line(area, &Line::from(self.pen.span(text, role)), Align::Left)
    }

    /// A line at either edge; returns the columns used.
    pub(super) fn line(&mut self, area: Rect, line: &Line<'_>, align: Align) -> u16 {
        text::draw(self.buf, area, line, align == Align::Right, self.pen.level.ellipsis())
    }

    /// A line at the left, and one at the right where it still fits beside half of the first.
    pub(super) fn pair(&mut self, area: Rect, left: &Line<'_>, right: &Line<'_>) {
        let wanted = columns(right);
        let needed = columns(left).min(area.width / 2);
        if wanted > 0 && needed.saturating_add(wanted).saturating_add(1) <= area.width {
            self.line(area, right, Align::Right);
            self.line(Rect { width: area.width - wanted - 1, ..area }, left, Align::Left);
        } else {
            self.line(area, left, Align::Left);
        }
    }

    /// A rule across the area, with words near its ends.
    pub(super) fn rule(&mut self, area: Rect, left: &str, right: &str) {
        let dash = self.pen.either("─", "-");
        let style = self.pen.style(Role::Border);
        for at in area.positions() {
            self.buf[at].set_symbol(dash).set_style(style);
        }
        let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
        let spaced = |text: &str| if text.is_empty() { String::new() } else { format!(" {text} ") };
        let left = Line::from(self.pen.span(spaced(left), Role::Title));
        let right = Line::from(self.pen.span(spaced(right), Role::Dim));
        self.pair(inner, &left, &right);
    }

    /// Replaces what stands where two rules meet.
    pub(super) fn joint(&mut self, x: u16, y: u16, symbol: &'static str) {
        let symbol = self.pen.either(symbol, "+");
        let style = self.pen.style(Role::Border);
        if let Some(cell) = self.buf.cell_mut((x, y)) {
            cell.set_symbol(symbol).set_style(style);
        }
    }
}

/// Columns that a line takes.
pub(super) fn columns(line: &Line<'_>) -> u16 {
    u16::try_from(text::line_width(line)).unwrap_or(u16::MAX)
}
