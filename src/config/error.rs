//! What can be wrong with what the user wrote. Every message names the place and the remedy.

use std::{io, path::PathBuf};

use super::Origin;

/// What can be wrong with what the user wrote.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The system does not say where the user's files go.
    #[error("this user has no home folder; say where potluck's own files go with --home DIR")]
    NoHome,
    /// The current folder is gone.
    #[error("cannot make the path `{path}` absolute: {source}; give a path that begins with `/`")]
    NoAbsolutePath {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A path that is not UTF-8.
    #[error("the path `{path}` is not UTF-8; use another name")]
    NotText {
        /// The path.
        path: PathBuf,
    },
    /// An environment variable that is not UTF-8.
    #[error("the environment variable {name} is not UTF-8")]
    VariableNotText {
        /// The variable.
        name: String,
    },
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file that is far too long for what it should be.
    #[error("{path} has more than {max} bytes; that is no file of settings or names")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Bytes allowed.
        max: u64,
    },
    /// Not TOML.
    #[error("{path}, line {line}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A key that does not exist.
    #[error("{path}, line {line}: there is no setting `{key}`{}", did_you_mean(nearest))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key as written.
        key: String,
        /// The key that was meant, if one is near.
        nearest: Option<&'static str>,
    },
    /// A value that does not fit its key.
    #[error("{}: `{key}` cannot be {value}: {why}", place(origin))]
    Value {
        /// Where it was said.
        origin: Origin,
        /// The key.
        key: &'static str,
        /// The value as written.
        value: String,
        /// What would fit.
        why: String,
    },
}

fn did_you_mean(nearest: &Option<&'static str>) -> String {
    match nearest {
        Some(key) => format!("; did you mean `{key}`?"),
        None => "; `potluck config --template` lists them all".to_owned(),
    }
}

fn place(origin: &Origin) -> String {
    match origin {
        Origin::File { path, line } => format!("{}, line {line}", path.display()),
        Origin::Default | Origin::Environment(_) | Origin::Flag(_) => origin.to_string(),
    }
}
