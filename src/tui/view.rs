//! The picture of a model. Pure: the same model and theme give the same cells; nothing is decided here
//! that a key depends on.

mod ascii;
mod canvas;
mod chrome;
mod details;
mod dialog;
mod empty;
mod library;
mod links;
mod log;
mod map;
mod peers;
pub(crate) mod question;
mod space;
mod transfers;

use potluck_widgets::GlyphLevel;
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect, Size},
};

use self::canvas::Canvas;
pub(crate) use self::{
    chrome::tab_at, details::scroll_max as details_scroll_max, dialog::scroll_max as reading_scroll_max,
};
use super::{
    action::Screen,
    layout,
    model::{Model, overlay::Overlay},
    theme::{Role, Theme},
};

/// Draws the model into the whole buffer; where the cursor is, if it is seen.
pub(crate) fn view(model: &Model, theme: &Theme, buf: &mut Buffer) -> Option<Position> {
    let cursor = draw(model, theme, buf);
    if model.setting.glyphs == GlyphLevel::Ascii {
        ascii::only(buf);
    }
    cursor
}

fn draw(model: &Model, theme: &Theme, buf: &mut Buffer) -> Option<Position> {
    let area = buf.area;
    let mut canvas = Canvas::new(buf, theme, model.setting.glyphs);
    canvas.fill(area, Role::Text);
    let Some(chrome) = layout::chrome(Size::new(area.width, area.height)) else {
        too_small(&mut canvas, area);
        return None;
    };
    chrome::top(&mut canvas, model, chrome.top);
    match model.screen {
        Screen::Library => library::draw(&mut canvas, model, chrome.body, chrome.foot),
        Screen::Transfers => transfers::draw(&mut canvas, model, chrome.body),
        Screen::Peers => peers::draw(&mut canvas, model, chrome.body),
        Screen::Links => links::draw(&mut canvas, model, chrome.body),
        Screen::Space => space::draw(&mut canvas, model, chrome.body),
        Screen::Log => log::draw(&mut canvas, model, chrome.body),
    }
    if let (Some(foot), false) = (chrome.foot, model.screen == Screen::Library) {
        canvas.rule(foot, "", "");
    }
    chrome::status(&mut canvas, model, chrome.status);
    chrome::hints(&mut canvas, model, chrome.hints);
    match &model.overlay {
        None => {
            chrome::message(&mut canvas, model, chrome.message);
            None
        }
        Some(Overlay::Prompt(prompt)) => {
            dialog::choices(&mut canvas, &prompt.choices, dialog_area(area));
            Some(chrome::prompt(&mut canvas, prompt, chrome.message))
        }
        Some(Overlay::Palette { prompt, at }) => {
            dialog::palette(&mut canvas, model, &prompt.line.text(), *at, dialog_area(area));
            Some(chrome::prompt(&mut canvas, prompt, chrome.message))
        }
        Some(Overlay::Help { from }) => {
            chrome::message(&mut canvas, model, chrome.message);
            dialog::help(&mut canvas, model, *from, dialog_area(area));
            None
        }
        Some(Overlay::Doctor { findings, from }) => {
            chrome::message(&mut canvas, model, chrome.message);
            dialog::doctor(&mut canvas, findings, *from, dialog_area(area));
            None
        }
        Some(Overlay::Question(question)) => {
            chrome::message(&mut canvas, model, chrome.message);
            dialog::question(&mut canvas, question, dialog_area(area));
            None
        }
    }
}

/// Dialogs leave the tabs and the lines below free.
fn dialog_area(area: Rect) -> Rect {
    Rect { y: area.y + 1, height: area.height.saturating_sub(4), ..area }
}

fn too_small(canvas: &mut Canvas<'_>, area: Rect) {
    let needs = layout::SIZE_MIN;
    let lines = [
        format!("potluck needs {} x {}.", needs.width, needs.height),
        format!("This is {} x {}.", area.width, area.height),
        "q quits.".to_owned(),
    ];
    for (line, row) in lines.iter().zip(area.rows()) {
        canvas.text(row, line, Role::Text);
    }
}
