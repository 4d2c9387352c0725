//! Boxes over a screen: the help, made from the action table, and questions.

use potluck_widgets::{Align, Hint, Modal, ModalStyles};
use ratatui::{
    layout::{Position, Rect},
    text::Line,
    widgets::Widget,
};

use crate::api::{Finding, Verdict};

use super::{
    super::{
        action::{ACTIONS, Group, places},
        model::{
            Model,
            completion::Choices,
            overlay::{Overlay, Question},
        },
        theme::{Role, Theme},
        update::{Entry, entries},
        words,
    },
    canvas::{Canvas, Pen},
};

/// Lines of the palette, and of what is offered for a word, in view.
const LIST_ROWS: usize = 10;
/// The widest the help gets.
const HELP_WIDTH: u16 = 96;

/// What is done to a text that is only read.
const READING: [Hint<'_>; 2] = [Hint::new("j k", "Scroll"), Hint::new("Esc", "Close")];

pub(super) fn help(canvas: &mut Canvas<'_>, model: &Model, from: usize, area: Rect) {
    reading(canvas.pen, "Keys", &help_lines(canvas.pen, model)).scroll(from).render(area, canvas.buf);
}

pub(super) fn doctor(canvas: &mut Canvas<'_>, findings: &[Finding], from: usize, area: Rect) {
    reading(canvas.pen, "Doctor", &doctor_lines(canvas.pen, findings)).scroll(from).render(area, canvas.buf);
}

/// How far the text that is read can be scrolled.
pub(crate) fn scroll_max(model: &Model) -> usize {
    let plain = Theme::plain();
    let pen = Pen::new(&plain, model.setting.glyphs);
    let (title, lines) = match &model.overlay {
        Some(Overlay::Help { .. }) => ("Keys", help_lines(pen, model)),
        Some(Overlay::Doctor { findings, .. }) => ("Doctor", doctor_lines(pen, findings)),
        Some(Overlay::Question(_) | Overlay::Prompt(_) | Overlay::Palette { .. }) | None => return 0,
    };
    reading(pen, title, &lines).scroll_max(super::dialog_area(Rect::from((Position::ORIGIN, model.size))))
}

fn reading<'a>(pen: Pen<'_>, title: &'a str, lines: &'a [Line<'a>]) -> Modal<'a> {
    modal(pen, title, lines, &READING).width_max(HELP_WIDTH)
}

/// What does not work first; what it means and the command that mends it below each.
fn doctor_lines(pen: Pen<'_>, findings: &[Finding]) -> Vec<Line<'static>> {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    let mut lines = Vec::new();
    for finding in sorted {
        let (word, role) = match finding.verdict {
            Verdict::Bad => ("BAD ", Role::Error),
            Verdict::Warn => ("warn", Role::Warning),
            Verdict::Unknown => ("?   ", Role::Dim),
            Verdict::Ok => ("ok  ", Role::Dialog),
        };
        lines.push(Line::from(vec![pen.span(format!("{word} "), role), pen.span(finding.what.clone(), Role::Dialog)]));
        if !finding.why.is_empty() {
            lines.push(Line::from(pen.span(format!("     {}", finding.why), Role::Dim)));
        }
        if !finding.fix.is_empty() {
            lines.push(Line::from(vec![pen.span("     $ ", Role::Dim), pen.span(finding.fix.clone(), Role::Key)]));
        }
    }
    lines
}

pub(super) fn question(canvas: &mut Canvas<'_>, question: &Question, area: Rect) {
    let lines: Vec<Line<'_>> = question.lines.iter().map(|line| Line::from(line.as_str())).collect();
    let keys: Vec<(String, &str)> =
        question.answers.iter().map(|answer| (answer.key.name(), answer.label.as_str())).collect();
    let mut choices: Vec<Hint<'_>> = keys.iter().map(|(key, label)| Hint::new(key, label)).collect();
    choices.push(Hint::new("Esc", question.esc));
    modal(canvas.pen, &question.title, &lines, &choices).render(area, canvas.buf);
}

/// The actions that match what is typed, above the line it is typed in.
pub(super) fn palette(canvas: &mut Canvas<'_>, model: &Model, typed: &str, at: usize, area: Rect) {
    let found = entries(model, typed);
    let title = words::count(found.len() as u64, "action");
    let at = at.min(found.len().saturating_sub(1));
    let pen = canvas.pen;
    let mut lines: Vec<Line<'_>> = found.iter().map(|entry| entry_line(pen, model, entry)).collect();
    let chosen = (!lines.is_empty()).then_some(at);
    if lines.is_empty() {
        lines.push(Line::from(pen.span("No action is called that.", Role::Dim)));
    }
    list(canvas, &title, &lines, chosen, area);
}

/// What is offered for the word that is typed, above the line it is typed in.
pub(super) fn choices(canvas: &mut Canvas<'_>, choices: &Choices, area: Rect) {
    if choices.words().is_empty() {
        return;
    }
    let pen = canvas.pen;
    let lines: Vec<Line<'_>> =
        choices.words().iter().map(|word| Line::from(pen.span(word.as_str(), Role::Dialog))).collect();
    list(canvas, &words::count(lines.len() as u64, "choice"), &lines, choices.at(), area);
}

/// Lines at the bottom of an area, as many as there are and fit, with the chosen one in view.
fn list(canvas: &mut Canvas<'_>, title: &str, lines: &[Line<'_>], chosen: Option<usize>, area: Rect) {
    let rows = (lines.len().min(LIST_ROWS) as u16).min(area.height.saturating_sub(1));
    let place = Rect { y: area.bottom() - rows - 1, height: rows + 1, ..area };
    for cell in place.positions() {
        canvas.buf[cell].reset();
    }
    canvas.fill(place, Role::Dialog);
    canvas.rule(Rect { height: 1, ..place }, title, "");
    let from = chosen.map_or(0, |at| (at + 1).saturating_sub(usize::from(rows)));
    for (row, (at, line)) in place.rows().skip(1).zip(lines.iter().enumerate().skip(from)) {
        canvas.line(Rect { x: row.x + 1, width: row.width.saturating_sub(2), ..row }, line, Align::Left);
        if chosen == Some(at) {
            canvas.fill(row, Role::Selected);
        }
    }
}

/// `limit-up RATE          Lu    Limit what is sent to everybody`.
fn entry_line(pen: Pen<'_>, model: &Model, entry: &Entry) -> Line<'static> {
    let name = match entry.wants {
        Some(wants) => format!("{} {wants}", entry.row.name),
        None => entry.row.name.to_owned(),
    };
    let key = model.setting.keymap.shown(entry.row.action).unwrap_or_default();
    let (role, help) = match &entry.why {
        Some(why) => (Role::Dim, why.clone()),
        None => (Role::Dialog, entry.row.help.to_owned()),
    };
    Line::from(vec![
        pen.span(format!("{name:<20} "), role),
        pen.span(format!("{key:<9} "), Role::Key),
        pen.span(help, role),
    ])
}

/// The actions of this screen first, then those of the others.
fn help_lines(pen: Pen<'_>, model: &Model) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for group in Group::ALL {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::from(pen.span(group.name(), Role::DialogTitle)));
        for row in ACTIONS.iter().filter(|row| row.group == group) {
            let here = row.screens.contains(&model.screen);
            let keys = model.setting.keymap.keys(row.action).join(" ");
            let (key, text) = if here { (Role::Key, Role::Dialog) } else { (Role::Dim, Role::Dim) };
            let mut line = Line::from(vec![pen.span(format!("  {keys:<12}"), key), pen.span(row.help, text)]);
            if !here {
                line.push_span(pen.span(format!(" ({})", places(row.screens)), Role::Dim));
            }
            lines.push(line);
        }
    }
    lines
}

fn modal<'a>(pen: Pen<'_>, title: &'a str, lines: &'a [Line<'a>], choices: &'a [Hint<'a>]) -> Modal<'a> {
    Modal::new(title, lines, choices).level(pen.level).styles(ModalStyles {
        text: pen.style(Role::Dialog),
        border: pen.style(Role::DialogBorder),
        title: pen.style(Role::DialogTitle),
        key: pen.style(Role::Key),
        key_text: pen.style(Role::KeyText),
    })
}
