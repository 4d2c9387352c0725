//! The rules of the house as data, and the checks that hold a source file to them.

use std::fmt;

use super::source::{NamedPath, SourceFile, Token, tokenize};

/// A module and which others of ours it may import. `docs/architecture.md` shows the same table.
pub(crate) const LAYERS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("wire", &["types"]),
    ("core", &["types"]),
    ("api", &["types"]),
    ("io", &["types", "wire"]),
    ("runtime", &["api", "core", "io", "wire", "types", "config", "logging"]),
    ("control", &["api", "types"]),
    ("tui", &["api", "types", "widgets"]),
    ("cli", &["api", "control", "types", "config"]),
    ("config", &["types"]),
    ("logging", &["types"]),
    ("job", &[]),
    ("demo", &["api", "runtime", "config", "types"]),
    ("widgets", &[]),
];

/// The name by which the crate `widgets/` is imported.
const WIDGETS_CRATE: &str = "potluck_widgets";

/// Words and runs of tokens that production code of some places may not have.
/// A word that ends in `*` stands for all that begin so.
pub(crate) struct Ban {
    /// Path prefixes it holds for.
    pub(crate) within: &'static [&'static str],
    /// The only modules below them that may.
    pub(crate) except: &'static [&'static str],
    /// What may not occur, as tokens.
    pub(crate) tokens: &'static [&'static str],
    /// Tokens behind which it may.
    pub(crate) after: &'static [&'static str],
    /// Path prefixes that may not be named, imported or inline.
    pub(crate) paths: &'static [&'static str],
    /// Why, and what to do.
    pub(crate) why: &'static str,
}

/// Looked for in production code only: tests make their own time, threads and files.
pub(crate) const BANS: &[Ban] = &[
    Ban {
        within: &["src/core"],
        except: &[],
        tokens: &["async", "await", "futures"],
        after: &[],
        paths: &["tokio", "tokio_util", "futures", "std::future", "std::task"],
        why: "a core is not async: it takes inputs and is polled for outputs",
    },
    Ban {
        within: &["src/core"],
        except: &[],
        tokens: &[":: now", ". elapsed (", "SystemTime", "UNIX_EPOCH", "sleep"],
        after: &[],
        paths: &["std::time::SystemTime"],
        why: "a core reads no clock: time comes in as `now`",
    },
    Ban {
        within: &["src/core"],
        except: &[],
        tokens: &["getrandom", "RandomState", "thread_rng"],
        after: &[],
        paths: &["rand", "fastrand", "getrandom", "aws_lc_rs"],
        why: "a core has no randomness: a seed comes in",
    },
    Ban {
        within: &["src/core"],
        except: &[],
        tokens: &[
            "spawn*",
            "thread_local",
            "Mutex",
            "RwLock",
            "Condvar",
            "OnceLock",
            "LazyLock",
            "Atomic*",
            "static mut",
        ],
        after: &[],
        paths: &["std::thread", "std::sync::atomic", "std::sync::mpsc"],
        why: "a core has one owner: it neither spawns nor locks",
    },
    Ban {
        within: &["src/core"],
        except: &[],
        tokens: &["UdpSocket", "TcpStream", "TcpListener", "UnixStream", "ToSocketAddrs", "println", "eprintln"],
        after: &[],
        paths: &[
            "std::fs",
            "std::io",
            "std::env",
            "std::process",
            "std::os",
            "rustix",
            "cap_std",
            "s2n_quic",
            "tracing",
        ],
        why: "a core touches no disk, socket, environment or terminal: it puts out what is to be done",
    },
    Ban {
        within: &["src"],
        // The second starts a process.
        except: &["src/runtime/tasks", "src/job"],
        tokens: &["spawn (", "spawn :: <", "spawn_blocking (", "spawn_local (", "JoinSet", "TaskTracker"],
        after: &["tasks .", "tasks ( ) ."],
        paths: &[],
        why: "tasks and threads have one owner, runtime/tasks.rs: start them through it",
    },
    Ban {
        within: &["src", "widgets/src"],
        except: &[],
        tokens: &["unbounded_channel", "unbounded (", "mpsc :: channel ( )"],
        after: &[],
        paths: &["tokio::sync::mpsc::unbounded_channel", "tokio::sync::mpsc::UnboundedSender"],
        why: "channels are bounded by a named constant",
    },
    Ban {
        within: &["src", "widgets/src"],
        except: &[],
        tokens: &["# [ path", "include !", "extern crate"],
        after: &[],
        paths: &[],
        why: "modules stand where their name says, so that the import table can be checked",
    },
];

/// External crates the two innermost layers may name, all of them pure: they compute, hold and
/// compare. The rest of `Cargo.toml` is not for them.
pub(crate) const PURE_CRATES: &[(&str, &[&str])] = &[
    ("core", &["thiserror", "blake3", "slab", "strsim"]),
    ("types", &["thiserror", "data_encoding", "humansize", "unicode_normalization"]),
];

/// Names that say nothing about what a module owns.
pub(crate) const EMPTY_NAMES: &[&str] = &["util", "common", "helper", "manager", "misc"];

/// Past this a file has more than one owner's work in it.
pub(crate) const PRODUCTION_LINES_MAX: usize = 800;

/// What is wrong, where, and why it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Everything wrong with one file. `crates` are the names of the external crates of `Cargo.toml`.
pub(crate) fn check(file: &SourceFile, crates: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut report = |line: usize, what: String| findings.push(Finding { path: file.path.clone(), line, what });
    check_shape(file, &mut report);
    for path in file.paths() {
        check_import(file, &path, &mut report);
        check_crate(file, &path, crates, &mut report);
    }
    for ban in BANS {
        check_ban(file, ban, &mut report);
    }
    findings
}

fn check_shape(file: &SourceFile, report: &mut impl FnMut(usize, String)) {
    let opening = file.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if opening.strip_prefix("//!").is_none_or(|words| words.trim().is_empty()) {
        report(1, "opens without a `//!` header: say what it owns, who drives it, what it leaves to others".into());
    }
    let lines = file.production_lines();
    if lines > PRODUCTION_LINES_MAX {
        report(lines, format!("has {lines} production lines, {PRODUCTION_LINES_MAX} is the most: split it"));
    }
    if file.path.ends_with("/mod.rs") {
        report(1, "is a `mod.rs`: it belongs beside its folder, as `folder.rs`".into());
    }
    let inline = file.tokens.windows(3).filter(|three| three[0].text == "mod" && three[2].text == "{");
    let inline = inline.map(|three| (three[1].line, three[1].text.clone()));
    for (line, name) in file.module().into_iter().map(|name| (1, name)).chain(inline) {
        if EMPTY_NAMES.iter().any(|empty| name == *empty || name == format!("{empty}s")) {
            report(line, format!("the module `{name}` is not named by a noun it owns"));
        }
    }
}

fn check_import(file: &SourceFile, path: &NamedPath, report: &mut impl FnMut(usize, String)) {
    let Some(layer) = layer_of(file) else { return };
    let shown = path.parts.join("::");
    let (first, second) = (path.parts[0].as_str(), path.parts.get(1).map(String::as_str));
    let target = match (first, second) {
        (WIDGETS_CRATE, _) => "widgets",
        ("crate", _) if layer == "widgets" => return,
        ("crate" | "potluck", Some(module)) => module,
        ("crate" | "potluck", _) => {
            return report(path.line, format!("`{shown}` names the crate root: name the module that is meant"));
        }
        _ => return,
    };
    if target == layer {
        return;
    }
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
        return report(path.line, format!("`{layer}` has no row in the import table"));
    };
    if !allowed.contains(&target) {
        let list = if allowed.is_empty() { "nothing of ours".to_owned() } else { allowed.join(", ") };
        report(path.line, format!("`{shown}`: {layer} may import {list}"));
    }
}

fn check_crate(file: &SourceFile, path: &NamedPath, crates: &[String], report: &mut impl FnMut(usize, String)) {
    let Some(layer) = layer_of(file) else { return };
    let Some((_, allowed)) = PURE_CRATES.iter().find(|(name, _)| *name == layer) else { return };
    let first = path.parts[0].as_str();
    if !path.test && crates.iter().any(|name| name == first) && !allowed.contains(&first) {
        report(
            path.line,
            format!("`{}`: of other crates {layer} uses only {}", path.parts.join("::"), allowed.join(", ")),
        );
    }
    if path.imported && path.parts.len() == 1 && first == "std" {
        report(path.line, "imports `std` under another name or whole".into());
    }
}

/// The row of the import table a file stands in; `None` for the roots of the library and the
/// binary, which wire everything.
fn layer_of(file: &SourceFile) -> Option<String> {
    if file.path.starts_with("widgets/") {
        return Some("widgets".into());
    }
    file.module().first().cloned()
}

fn check_ban(file: &SourceFile, ban: &Ban, report: &mut impl FnMut(usize, String)) {
    let within =
        |prefix: &&str| file.path.strip_prefix(*prefix).is_some_and(|rest| rest.starts_with('/') || rest == ".rs");
    if !ban.within.iter().any(within) || ban.except.iter().any(within) {
        return;
    }
    for pattern in ban.tokens {
        let wanted = merge_stars(&tokenize(pattern));
        for (at, found) in file.tokens.windows(wanted.len()).enumerate() {
            let matched = found.iter().zip(&wanted).all(|(have, want)| matches(&have.text, want));
            if matched && !found[0].test && !ban.after.iter().any(|before| ends_with(&file.tokens[..at], before)) {
                let shown: String = found.iter().map(|token| token.text.as_str()).collect();
                report(found[0].line, format!("`{shown}`: {}", ban.why));
            }
        }
    }
    for path in file.paths().iter().filter(|path| !path.test) {
        for banned in ban.paths {
            let banned: Vec<&str> = banned.split("::").collect();
            let glob = path.parts.last().is_some_and(|part| part == "*");
            let covers = glob && path.parts[..path.parts.len() - 1].iter().zip(&banned).all(|(a, b)| a == b);
            let begins = path.parts.len() >= banned.len() && path.parts.iter().zip(&banned).all(|(a, b)| a == b);
            if begins || covers {
                report(path.line, format!("`{}`: {}", path.parts.join("::"), ban.why));
            }
        }
    }
}

fn ends_with(tokens: &[Token], pattern: &str) -> bool {
    let wanted = tokenize(pattern);
    let last = tokens.iter().rev().map(|token| &token.text);
    last.zip(wanted.iter().rev()).filter(|(have, want)| **have == want.text).count() == wanted.len()
}

/// A word followed by `*` becomes one pattern.
fn merge_stars(tokens: &[Token]) -> Vec<String> {
    let mut merged: Vec<String> = Vec::new();
    for token in tokens {
        match merged.last_mut() {
            Some(last) if token.text == "*" => last.push('*'),
            Some(_) | None => merged.push(token.text.clone()),
        }
    }
    merged
}

fn matches(have: &str, want: &str) -> bool {
    want.strip_suffix('*').map_or(have == want, |prefix| have.starts_with(prefix))
}
