//! How a command ends: an exit code, and where it is not 0 a sentence that names the thing and the
//! remedy.

use crate::{
    api::{Candidate, CommandError, ErrorCode},
    config::ConfigError,
    control::client::ClientError,
};

/// What the operating system is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// It was done.
    Done,
    /// It was tried and failed.
    Failed,
    /// The command line, environment or config file is wrong.
    Usage,
    /// No such game or peer.
    NotFound,
    /// Refused, or more than one thing is meant.
    Refused,
    /// It would have to wait.
    WouldWait,
    /// SIGINT or SIGTERM.
    Interrupted,
    /// As the process behind this one, which had the work to do, ended.
    Behind(u8),
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Refused => 4,
            Self::WouldWait => 5,
            Self::Interrupted => 130,
            Self::Behind(code) => code,
        }
    }
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    /// For people; empty when there is nobody to read it.
    pub(super) message: String,
    /// What could have been meant.
    pub(super) candidates: Vec<Candidate>,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), candidates: Vec::new() }
    }

    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The runtime is gone in the middle of something.
    pub(super) fn stopped() -> Self {
        Self::new(Exit::Failed, "potluck has ended; start it again")
    }

    /// The runtime answered what was not asked: it is another version of potluck.
    pub(super) fn other_answer() -> Self {
        Self::new(Exit::Failed, "potluck answered something else than was asked; is what runs here of another version?")
    }

    /// As programs know it.
    pub(super) fn as_command_error(&self) -> CommandError {
        let code = match self.exit {
            Exit::Done | Exit::Failed | Exit::Interrupted | Exit::Behind(_) => ErrorCode::Failed,
            Exit::Usage => ErrorCode::Usage,
            Exit::NotFound => ErrorCode::NotFound,
            Exit::Refused if self.candidates.is_empty() => ErrorCode::Refused,
            Exit::Refused => ErrorCode::Ambiguous,
            Exit::WouldWait => ErrorCode::WouldWait,
        };
        CommandError { code, message: self.message.clone(), candidates: self.candidates.clone() }
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        let exit = match error.code {
            ErrorCode::Failed => Exit::Failed,
            ErrorCode::Usage => Exit::Usage,
            ErrorCode::NotFound => Exit::NotFound,
            ErrorCode::Ambiguous | ErrorCode::Refused => Exit::Refused,
            ErrorCode::WouldWait => Exit::WouldWait,
        };
        Self { exit, message: error.message, candidates: error.candidates }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::new(Exit::Failed, error.to_string())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<&clap::Error> for Failure {
    /// The sentence alone: its mark, the usage and where to find help are for people.
    fn from(error: &clap::Error) -> Self {
        let text = error.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let end = ["Usage:", "For more information"].iter().filter_map(|rest| text.find(rest)).min();
        Self::usage(text[..end.unwrap_or(text.len())].trim())
    }
}

impl From<super::LaunchError> for Failure {
    fn from(error: super::LaunchError) -> Self {
        match error {
            super::LaunchError::Held { message } => Self::new(Exit::Refused, message),
            super::LaunchError::Mistaken { message } => Self::usage(message),
            super::LaunchError::Failed { message } => Self::new(Exit::Failed, message),
        }
    }
}
