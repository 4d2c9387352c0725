//! The first start: where games go. Asked once, before there is a runtime; `main` keeps the answer.

use std::path::Path;

use potluck_widgets::GlyphLevel;
use ratatui::backend::CrosstermBackend;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    ScreenError,
    input::{Heard, Input},
    keymap::Key,
    model::overlay::{Prompt, Purpose, whole_path},
    painter::Painter,
    terminal,
    theme::Theme,
    view::question,
};

/// The question and what was answered so far.
#[derive(Debug)]
pub(crate) struct FirstStart {
    folder: String,
    free: fn(&Path) -> Option<u64>,
    make: fn(&Path) -> Result<(), String>,
    home: Option<String>,
    prompt: Option<Prompt>,
    why: String,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answered {
    /// Games go there.
    Folder(String),
    /// The user would rather not start.
    Quit,
}

impl FirstStart {
    /// Suggests a folder.
    pub(crate) fn new(
        suggested: &str,
        free: fn(&Path) -> Option<u64>,
        make: fn(&Path) -> Result<(), String>,
        home: Option<String>,
    ) -> Self {
        Self { folder: suggested.to_owned(), free, make, home, prompt: None, why: String::new() }
    }

    /// The folder as it stands.
    pub(crate) fn folder(&self) -> &str {
        &self.folder
    }

    /// The bytes free where the folder is or would be made, where known.
    pub(crate) fn free(&self) -> Option<u64> {
        (self.free)(Path::new(&self.folder))
    }

    /// The line being typed.
    pub(crate) fn prompt(&self) -> Option<&Prompt> {
        self.prompt.as_ref()
    }

    /// What was wrong with the last one.
    pub(crate) fn why(&self) -> &str {
        &self.why
    }

    /// Takes a key; the end of the question, if it was that.
    pub(crate) fn on_key(&mut self, key: Key) -> Option<Answered> {
        let name = key.name();
        if name == "Ctrl-c" {
            return Some(Answered::Quit);
        }
        let Some(mut prompt) = self.prompt.take() else {
            match name.as_str() {
                "Enter" => match (self.make)(Path::new(&self.folder)) {
                    Ok(()) => return Some(Answered::Folder(self.folder.clone())),
                    Err(why) => self.why = why,
                },
                "q" | "Esc" => return Some(Answered::Quit),
                "e" => {
                    self.prompt = Some(Prompt::new(Purpose::Library, &self.folder));
                }
                _ => {}
            }
            return None;
        };
        self.why.clear();
        match name.as_str() {
            "Esc" => return None,
            "Enter" => match whole_path(&prompt.line.text(), self.home.as_deref()) {
                Ok(folder) => {
                    self.folder = folder;
                    return None;
                }
                Err(why) => {
                    self.why = why;
                    return None;
                }
            },
            _ => prompt.line.edit(key),
        };
        self.prompt = Some(prompt);
        None
    }

    /// Takes pasted text.
    pub(crate) fn on_paste(&mut self, text: &str) {
        if let Some(prompt) = &mut self.prompt {
            prompt.line.insert(text.trim());
        }
    }
}

/// Asks on the terminal. A signal is no answer and starts nothing.
pub(super) async fn ask(
    mut state: FirstStart,
    theme: &Theme,
    level: GlyphLevel,
) -> Result<Option<String>, ScreenError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ScreenError::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(ScreenError::Signals)?;
    let _taken = terminal::take(false).map_err(ScreenError::Take)?;
    let mut painter = Painter::new(CrosstermBackend::new(terminal::output()));
    let mut size = painter.size().map_err(ScreenError::Draw)?;
    let mut input = Input::new().map_err(ScreenError::Read)?;
    loop {
        painter.draw(size, |buf| question::draw(&state, theme, level, buf)).map_err(ScreenError::Draw)?;
        let event = tokio::select! {
            biased;
            _ = terminate.recv() => None,
            _ = hangup.recv() => None,
            event = input.next() => event,
        };
        let Some(event) = event else { return Ok(None) };
        let answered = match event.map_err(ScreenError::Read)? {
            Heard::Key(key) => state.on_key(key),
            Heard::Paste(text) => {
                state.on_paste(&text);
                None
            }
            Heard::Resized => {
                size = painter.size().map_err(ScreenError::Draw)?;
                None
            }
            Heard::Pointed(_) | Heard::Synchronizes => None,
        };
        match answered {
            Some(Answered::Folder(folder)) => return Ok(Some(folder)),
            Some(Answered::Quit) => return Ok(None),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::keymap::tests::script, *};

    fn free(folder: &Path) -> Option<u64> {
        folder.ends_with("LAN").then_some(7_000_000_000)
    }

    fn make(folder: &Path) -> Result<(), String> {
        if folder.starts_with("/proc") { Err(format!("cannot make {}", folder.display())) } else { Ok(()) }
    }

    fn check(keys: &str, expect: Option<&str>) -> FirstStart {
        let mut state = FirstStart::new("/home/ann/Games", free, make, Some("/home/ann".into()));
        let mut answered = None;
        for key in script(keys) {
            answered = state.on_key(key);
        }
        let expect = expect.map(|folder| match folder {
            "" => Answered::Quit,
            folder => Answered::Folder(folder.to_owned()),
        });
        assert_eq!(answered, expect, "{keys}");
        state
    }

    #[test]
    fn it_is_answered_by_a_folder_or_not_at_all() {
        check("<Enter>", Some("/home/ann/Games"));
        check("x", None);
        check("q", Some(""));
        check("<Ctrl-c>", Some(""));
        check("e<Ctrl-u>~/LAN<Enter><Enter>", Some("/home/ann/LAN"));
        check("e<Ctrl-u>/srv/games<Esc><Enter>", Some("/home/ann/Games"));
        check("e<Ctrl-u>q", None);
        let state = check("e<Ctrl-u>here<Enter>", None);
        assert!(state.why().contains("not a whole path"));
        check("e<Ctrl-u>here<Enter><Enter>", Some("/home/ann/Games"));
        let state = check("e<Ctrl-u>~/LAN<Enter>", None);
        assert_eq!(check("e<Ctrl-u>/proc/x<Enter><Enter>", None).why(), "cannot make /proc/x");
        check("e<Ctrl-u>/proc/x<Enter><Enter>e<Ctrl-u>/srv/games<Enter><Enter>", Some("/srv/games"));
        assert_eq!(state.free(), Some(7_000_000_000), "of the folder that was typed");
    }

    #[test]
    fn it_is_drawn_at_any_size() {
        let theme = Theme::plain();
        for (width, height) in [(80, 24), (40, 10), (10, 3), (1, 1)] {
            let state = check("e", None);
            let mut buf = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, width, height));
            question::draw(&state, &theme, GlyphLevel::Blocks, &mut buf);
            let state = check("", None);
            question::draw(&state, &theme, GlyphLevel::Ascii, &mut buf);
        }
    }
}
