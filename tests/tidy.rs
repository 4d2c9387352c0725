//! Holds the sources to the rules of the house: who may import whom, what a core may not do, how a
//! file is laid out, and that generated documents are not stale. The rules are data in
//! `tidy/rules.rs`; every one of them is shown here to refuse a bad source.

#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use rules::{LAYERS, PRODUCTION_LINES_MAX, check};
use source::SourceFile;

#[test]
fn the_sources_keep_the_rules() {
    let files = source_files();
    assert!(files.len() > 20, "only {} files found: are the source folders where this test looks?", files.len());
    let crates = external_crates(&read("Cargo.toml"));
    let findings: Vec<String> =
        files.iter().flat_map(|file| check(file, &crates)).map(|finding| finding.to_string()).collect();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn every_module_has_a_row_in_the_import_table() {
    let declared: Vec<String> = read("src/lib.rs")
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned))
        .collect();
    assert!(!declared.is_empty());
    for module in declared {
        assert!(LAYERS.iter().any(|(name, _)| *name == module), "`{module}` has no row in tests/tidy/rules.rs");
    }
}

#[test]
fn the_architecture_shows_the_table_that_is_enforced() {
    let path = root().join("docs/architecture.md");
    if !path.exists() {
        return;
    }
    let shown = table_in(&read(path));
    let enforced: BTreeMap<String, Vec<String>> = LAYERS
        .iter()
        .map(|(name, allowed)| ((*name).to_owned(), sorted(allowed.iter().map(|name| (*name).to_owned()))))
        .collect();
    assert_eq!(shown, enforced, "docs/architecture.md and tests/tidy/rules.rs disagree");
}

/// The rows of the table headed `| module | what it is | may import |`, except `main`, which may all.
fn table_in(markdown: &str) -> BTreeMap<String, Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        line.trim().trim_matches('|').split('|').map(|cell| cell.replace('`', "").trim().to_owned()).collect()
    };
    let rows = markdown.lines().skip_while(|line| cells(line)[0] != "module").skip(2);
    rows.take_while(|line| line.trim().starts_with('|'))
        .map(cells)
        .filter(|cells| cells[0] != "main")
        .map(|cells| {
            let name = cells[0].split_whitespace().next().unwrap_or_default().to_owned();
            let allowed =
                cells[2].split(',').map(str::trim).filter(|name| LAYERS.iter().any(|(known, _)| known == name));
            (name, sorted(allowed.map(str::to_owned)))
        })
        .collect()
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn source_files() -> Vec<SourceFile> {
    let mut paths = Vec::new();
    for folder in ["src", "widgets/src"] {
        collect(&root().join(folder), &mut paths);
    }
    paths.sort();
    let mut files: Vec<SourceFile> = paths
        .iter()
        .map(|path| {
            let relative = path.strip_prefix(root()).expect("collected below the root");
            SourceFile::new(&relative.to_string_lossy(), &read(relative))
        })
        .collect();
    let tests: Vec<Vec<String>> = files
        .iter()
        .flat_map(|file| file.test_modules().into_iter().map(|name| [file.module(), vec![name]].concat()))
        .collect();
    let placed_tests: Vec<String> = files.iter().flat_map(SourceFile::placed_tests).collect();
    for file in &mut files {
        if tests.iter().any(|test| file.module().starts_with(test)) || placed_tests.contains(&file.path) {
            file.mark_as_test();
        }
    }
    files
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.map(|entry| entry.expect("a readable folder").path()) {
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// Names under `[dependencies]`, as paths write them.
fn external_crates(manifest: &str) -> Vec<String> {
    let lines = manifest.lines().skip_while(|line| line.trim() != "[dependencies]").skip(1);
    lines
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('=').map(|(name, _)| name.trim().replace('-', "_")))
        .collect()
}

fn read(relative: impl AsRef<Path>) -> String {
    let path = root().join(relative);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `source` at `path` gives exactly the findings whose texts contain `expect`, in order.
fn finds(path: &str, source: &str, expect: &[&str]) {
    let source = if source.starts_with("//!") { source.to_owned() } else { format!("//! A header.\n{source}") };
    let crates = ["tokio", "bytes", "thiserror", "serde"].map(str::to_owned);
    let found: Vec<String> = check(&SourceFile::new(path, &source), &crates).iter().map(ToString::to_string).collect();
    let agrees = found.len() == expect.len() && found.iter().zip(expect).all(|(found, part)| found.contains(part));
    assert!(agrees, "{path}: {source}\nfound {found:#?}\nexpected {expect:#?}");
}

#[test]
fn imports_outside_the_table_are_found() {
    finds("src/core/queue.rs", "use crate::types::GameId;\nuse crate::core::limits::Bucket;", &[]);
    finds("src/core/queue.rs", "use crate::io::disk;", &["core may import types"]);
    finds(
        "src/core/queue.rs",
        "use crate::{types::GameId, io::{disk, hash}};",
        &["crate::io::disk", "crate::io::hash"],
    );
    finds("src/core/queue.rs", "fn f() { crate::runtime::links::go() }", &["src/core/queue.rs:2: `crate::runtime"]);
    finds("src/core/queue.rs", "type A = Vec<crate::wire::frame::Frame>;", &["crate::wire::frame::Frame"]);
    finds("src/core/queue.rs", "use super::super::io;", &["crate::io"]);
    finds("src/core/queue.rs", "use super::limits;", &[]);
    finds("src/core/queue.rs", "mod inner { use super::super::limits; }", &[]);
    finds("src/core/queue.rs", "mod inner { use super::super::super::api; }", &["crate::api"]);
    finds("src/core/queue.rs", "mod inner { mod deep {} }\nuse super::limits;", &[]);
    finds("src/core/queue.rs", "use self::super::super::api::Event;", &["crate::api::Event"]);
    finds("src/core.rs", "use super::*;", &["crate::*"]);
    finds("src/core/queue.rs", "use crate as c;", &["names the crate root"]);
    finds("src/core/queue.rs", "use super::super as c;", &["names the crate root"]);
    finds("src/tui/view.rs", "use crate::Thing;", &["crate::Thing"]);
    finds("src/tui/view.rs", "use potluck_widgets::Meter;\nuse crate::api::Event;", &[]);
    finds("src/cli/get.rs", "use potluck_widgets::Meter;", &["cli may import api, control, types, config"]);
    finds("src/tui/view.rs", "use potluck::core::queue;", &["potluck::core::queue"]);
    finds("src/tui/view.rs", "#[cfg(test)] mod tests { use crate::io::disk; }", &["crate::io::disk"]);
    finds("widgets/src/meter.rs", "use crate::table::Table;\nuse ratatui::Frame;", &[]);
    finds("widgets/src/meter.rs", "use potluck::types::Rate;", &["widgets may import nothing of ours"]);
    finds("src/newcomer.rs", "use crate::types::Rate;", &["`newcomer` has no row"]);
    finds("src/main.rs", "use potluck::runtime;", &[]);
    finds("src/types/rate.rs", "// use crate::io::disk;\nconst A: &str = \"crate::io::disk\";", &[]);
}

#[test]
fn an_impure_core_is_found() {
    let impure: &[(&str, &str)] = &[
        ("async fn f() {}", "not async"),
        ("use std::future::Future;", "not async"),
        ("fn f() -> std::time::Instant { std::time::Instant::now() }", "no clock"),
        ("fn f(t: std::time::Instant) { t.elapsed(); }", "no clock"),
        ("fn f(t: Option<Instant>) { t.unwrap_or_else(Instant::now); }", "no clock"),
        ("type T = SystemTime;", "no clock"),
        ("fn f() { let mut b = [0]; getrandom(&mut b); }", "no randomness"),
        ("fn f() { rand::random() }", "no randomness"),
        ("use std::{thread, fmt};", "neither spawns nor locks"),
        ("struct S(Mutex<u8>);", "neither spawns nor locks"),
        ("use std::sync::atomic;", "neither spawns nor locks"),
        ("static mut COUNT: u8 = 0;", "neither spawns nor locks"),
        ("use std::fs;", "no disk"),
        ("fn f() { std::env::var(\"A\"); }", "no disk"),
        ("fn f() { std::fs::read(\"a\"); }", "no disk"),
        ("use std::net::UdpSocket;", "no disk"),
        ("use bytes::Bytes;", "of other crates core uses only"),
        ("use std as s;", "`std` under another name"),
    ];
    for (source, expect) in impure {
        finds("src/core/queue.rs", source, &[expect]);
        finds(
            "src/core/queue.rs",
            &format!("#[cfg(test)]\nmod tests {{ {source} }}"),
            match *expect {
                "`std` under another name" => &["`std` under another name"],
                _ => &[],
            },
        );
    }
    finds("src/core/queue.rs", "use tokio::sync::mpsc;", &["of other crates", "not async"]);
    finds(
        "src/core/queue.rs",
        "use std::*;",
        &[
            "not async",
            "not async",
            "no clock",
            "neither",
            "neither",
            "neither",
            "disk",
            "disk",
            "disk",
            "disk",
            "disk",
        ],
    );
    finds("src/core/queue.rs", "use std::net::SocketAddr;\nuse std::time::{Duration, Instant};", &[]);
    finds("src/runtime/driver.rs", "use std::time::Instant;\nasync fn f() -> Instant { Instant::now() }", &[]);
}

#[test]
fn tasks_outside_their_owner_are_found() {
    let started = "fn f() { tokio::spawn(g()); }";
    finds("src/runtime/links.rs", started, &["runtime/tasks.rs"]);
    finds("src/runtime/tasks.rs", started, &[]);
    finds("src/io/hash.rs", "fn f() { std::thread::spawn::<_, ()>(g); }", &["runtime/tasks.rs"]);
    finds("src/io/hash.rs", "fn f() { tokio::task::spawn_blocking(g); }", &["runtime/tasks.rs"]);
    finds("src/io/hash.rs", "#[cfg(test)]\nmod tests { fn f() { tokio::spawn(g()); } }", &[]);
    finds("src/io/hash.rs", "struct Spawn; fn spawned() {}", &[]);
    finds("src/runtime/tasks/pool.rs", "fn f() { std::thread::spawn(g); }", &[]);
    finds(
        "src/runtime/links.rs",
        "fn f(x: &X) { x.tasks.spawn(\"links\", g()); x.tasks().spawn(\"links\", g()); }",
        &[],
    );
    finds("src/runtime/links.rs", "fn f(x: &X) { x.handle.spawn(g()); }", &["runtime/tasks.rs"]);
}

#[test]
fn unbounded_channels_and_hidden_modules_are_found() {
    finds("src/api/handle.rs", "fn f() { mpsc::unbounded_channel::<u8>(); }", &["bounded by a named constant"]);
    finds("src/api/handle.rs", "fn f() { mpsc::channel(); }", &["bounded by a named constant"]);
    finds("src/api/handle.rs", "fn f() { mpsc::channel(EVENTS_MAX); }", &[]);
    finds("src/api.rs", "#[path = \"../io/disk.rs\"] mod disk;", &["stand where their name says"]);
    finds("src/api.rs", "include!(\"io/disk.rs\");", &["stand where their name says"]);
}

#[test]
fn a_badly_laid_out_file_is_found() {
    let check_text = |path: &str, text: &str, expect: &[&str]| {
        let found = check(&SourceFile::new(path, text), &[]);
        assert_eq!(found.len(), expect.len(), "{found:?}");
        assert!(found.iter().zip(expect).all(|(found, part)| found.what.contains(part)), "{found:?}");
    };
    check_text("src/io/disk.rs", "use std::fs;\n", &["`//!` header"]);
    check_text("src/io/disk.rs", "//!\nuse std::fs;\n", &["`//!` header"]);
    check_text("src/io/disk.rs", "", &["`//!` header"]);
    check_text("widgets/src/meter.rs", "/// Not a header.\nfn f() {}", &["`//!` header"]);
    check_text("src/io/mod.rs", "//! Ports.", &["`mod.rs`"]);
    check_text("src/io/util.rs", "//! Things.", &["the module `util`"]);
    check_text("src/io/helpers/disk.rs", "//! Things.", &["the module `helpers`"]);
    check_text("src/io/disk.rs", "//! Disk.\nmod manager {}", &["the module `manager`"]);
    let lines = |count: usize| format!("//! Long.\n{}", "fn f() {}\n".repeat(count - 1));
    check_text("src/io/disk.rs", &lines(PRODUCTION_LINES_MAX), &[]);
    check_text("src/io/disk.rs", &lines(PRODUCTION_LINES_MAX + 1), &["801 production lines"]);
    let tested = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", lines(PRODUCTION_LINES_MAX), "// why\n\n".repeat(900));
    check_text("src/io/disk.rs", &tested, &[]);
    check_text("src/io/disk.rs", &format!("{tested}fn after() {{}}\n"), &["801 production lines"]);
}

#[test]
fn the_table_is_read_from_markdown() {
    let markdown = "text\n| module | what it is | may import |\n|---|---|---|\n| `io` | ports | `types`, `wire` |\n\
                    | `types` | words | – |\n| `main` | all | all |\n\n| module | other |\n";
    let expect = [("io", vec!["types", "wire"]), ("types", vec![])];
    let expect = expect.map(|(name, allowed)| (name.to_owned(), allowed.into_iter().map(str::to_owned).collect()));
    assert_eq!(table_in(markdown), BTreeMap::from(expect));
}

#[test]
fn literals_and_comments_are_no_code() {
    for hidden in [
        "// crate::io::x",
        "/* /* crate::io::x */ */",
        "const A: &str = \"\\\" crate::io::x\";",
        "const A: &str = r#\"crate::io::x \" crate::io::y\"#;",
        "const A: &[u8] = b\"crate::io::x\";",
        "const A: char = '\"'; const B: char = '\\''; // \" crate::io::x",
        "fn f<'a>(x: &'a str) {} // 'crate::io::x",
    ] {
        finds("src/core/queue.rs", hidden, &[]);
    }
    finds("src/core/queue.rs", "fn f<'a>(x: &'a crate::io::X) -> char { '\"' }", &["crate::io::X"]);
}
