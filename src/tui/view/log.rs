//! The log: what happened, newest at the bottom.

use potluck_widgets::{LogPane, LogStyles};
use ratatui::{layout::Rect, widgets::Widget};

use super::{
    super::{layout, model::Model, theme::Role, words},
    canvas::Canvas,
};
use crate::api::Level;

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model, body: Rect) {
    let (heading, area) = layout::log(body);
    let (lines, view) = model.log.drawn();
    let mut left = match model.log.level() {
        Level::Debug => "everything",
        Level::Info | Level::Done => "what matters",
        Level::Warning | Level::Error => "trouble",
    }
    .to_owned();
    if !model.log.filter().is_empty() {
        left = format!("{left} · filter: {}", model.log.filter());
    }
    let right = match (view.is_held(), view.newer(lines)) {
        (false, _) => "following".to_owned(),
        (true, 0) => "held".to_owned(),
        (true, newer) => format!("held, {} newer", words::thousands(newer as u64)),
    };
    canvas.rule(heading, &left, &right);
    if lines.lines().len() == 0 {
        canvas.text(inset(area), "Nothing has happened yet.", Role::Dim);
        return;
    }
    let pen = canvas.pen;
    // The widget's levels by their order; ours are one to one with them.
    let levels = [Role::LogDebug, Role::LogInfo, Role::Ready, Role::LogWarn, Role::LogError];
    let styles = LogStyles { time: pen.style(Role::Time), levels: levels.map(|role| pen.style(role)) };
    LogPane::new(lines, view).level(pen.level).styles(styles).render(area, canvas.buf);
}

fn inset(area: Rect) -> Rect {
    Rect { x: area.x + 3, width: area.width.saturating_sub(4), ..area }
}
