//! Where commands write and read: the standard streams, or buffers in a test. What came from peers
//! or disks is cleaned before it is written.

use std::{
    fmt,
    io::{self, BufRead, IsTerminal as _, Write},
};

use serde::Serialize;
use serde_json::json;

use super::{exit::Exit, exit::Failure, table::Table};
use crate::types::clean;

/// Where commands write and read.
pub struct Console {
    out: Box<dyn Write>,
    errors: Box<dyn Write>,
    input: Box<dyn BufRead>,
    /// Whether `--json` was given.
    pub(super) json: bool,
    /// Whether somebody watches the output.
    pub(super) out_is_terminal: bool,
    /// Whether somebody watches the errors, where progress is drawn.
    pub(super) errors_are_terminal: bool,
    /// Whether somebody can answer a question.
    pub(super) can_ask: bool,
    /// Whether the errors go to the journal of systemd, which takes a priority in front of a line.
    errors_are_journal: bool,
}

/// A candidate's line is cut there: longer ones are made to be.
const LINE_CHARS_MAX: usize = 4_000;

impl Console {
    /// The standard streams of this process, the errors maybe the journal's.
    #[must_use]
    pub fn standard(errors_are_journal: bool) -> Self {
        Self {
            out: Box::new(io::stdout()),
            errors: Box::new(io::stderr()),
            input: Box::new(io::BufReader::new(io::stdin())),
            json: false,
            out_is_terminal: io::stdout().is_terminal(),
            errors_are_terminal: io::stderr().is_terminal(),
            can_ask: io::stdin().is_terminal() && io::stderr().is_terminal(),
            errors_are_journal,
        }
    }

    /// Buffers, and nobody at the other end.
    #[cfg(test)]
    pub(super) fn buffers(out: impl Write + 'static, errors: impl Write + 'static, input: &'static str) -> Self {
        Self {
            out: Box::new(out),
            errors: Box::new(errors),
            input: Box::new(input.as_bytes()),
            json: false,
            out_is_terminal: false,
            errors_are_terminal: false,
            can_ask: !input.is_empty(),
            errors_are_journal: false,
        }
    }

    /// A line on the standard output.
    pub(super) fn say(&mut self, text: &str) -> Result<(), Failure> {
        writeln!(self.out, "{}", clean(text, LINE_CHARS_MAX)).and_then(|()| self.out.flush()).map_err(write_failed)
    }

    /// A line for people on the standard error output; lost when nobody reads it.
    pub(super) fn note(&mut self, text: &str) {
        // Nobody is left to be told.
        let _ = writeln!(self.errors, "{}", clean(text, LINE_CHARS_MAX));
    }

    /// A table on the standard output, or a sentence in its place when it is empty.
    pub(super) fn table(&mut self, table: &Table, if_empty: &str) -> Result<(), Failure> {
        if table.is_empty() {
            return self.say(if_empty);
        }
        for line in table.lines() {
            self.say(&line)?;
        }
        Ok(())
    }

    /// A text of our own making on the standard output, as it is.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).map_err(write_failed)
    }

    /// One JSON document on the standard output.
    pub(super) fn document<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        let text =
            serde_json::to_string_pretty(value).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        self.text(&(text + "\n"))
    }

    /// One of many JSON documents on the standard output, each a line.
    pub(super) fn json_line<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        self.text(&(text + "\n"))
    }

    /// Asks; the answer comes without its line break. The end of the input is an empty answer.
    pub(super) fn ask(&mut self, question: &str) -> Result<String, Failure> {
        let asked = write!(self.errors, "{}", clean(question, LINE_CHARS_MAX)).and_then(|()| self.errors.flush());
        let mut answer = String::new();
        asked.and_then(|()| self.input.read_line(&mut answer)).map_err(write_failed)?;
        Ok(answer.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Asks what is done only on a clear yes.
    pub(super) fn agrees(&mut self, question: &str) -> Result<bool, Failure> {
        let answer = self.ask(&format!("{question} [y/N] "))?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// Reports a failure to a program.
    pub(super) fn fail_document(&mut self, failure: &Failure) {
        // A document that cannot be written has no reader.
        let _ = self.document(&json!({ "error": failure.as_command_error() }));
    }

    /// Reports a failure, and gives its exit code.
    pub(super) fn fail(&mut self, failure: &Failure) -> Exit {
        if failure.message.is_empty() {
            return failure.exit;
        }
        if self.json {
            self.fail_document(failure);
        }
        // The journal says by itself whose line it is.
        let begin = if self.errors_are_journal { "<3>" } else { "potluck: " };
        self.note(&format!("{begin}{}", failure.message));
        if !failure.candidates.is_empty() {
            let mut table = Table::new(&["", "TITLE", "VERSION", "HAVE", "CONTENT"]).right(3);
            for candidate in &failure.candidates {
                let have = if candidate.content.is_empty() { String::new() } else { candidate.have.to_string() };
                table.row([&candidate.id, &candidate.title, &candidate.version, &have, &candidate.content]);
            }
            for line in table.lines() {
                self.note(&format!("  {line}"));
            }
        }
        failure.exit
    }
}

/// A reader that went away, as `head` does, is no failure worth a message.
fn write_failed(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure::new(Exit::Failed, "");
    }
    Failure::new(Exit::Failed, format!("cannot write the output: {error}"))
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("json", &self.json).finish_non_exhaustive()
    }
}
