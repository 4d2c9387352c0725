//! The Debian package: made of the binary under test by the script that makes it for users, put into a
//! scratch root by dpkg, and taken out again. Where dpkg is not there the tests say so and pass.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::{process::Seat, say};

fn run(program: &str, words: &[&str]) -> Result<String, String> {
    let said = |output: Output| String::from_utf8_lossy(&output.stderr).into_owned();
    // Compressing is most of the time, and not what is tested.
    let output = Command::new(program).args(words).env("DPKG_DEB_COMPRESSOR_TYPE", "none").output();
    match output {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => Err(format!("{program} {words:?}: {}", said(output))),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

fn built(folder: &Path) -> Option<PathBuf> {
    if let Err(why) = run("dpkg-deb", &["--version"]) {
        say(&format!("no package is built here: {why}"));
        return None;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/deb");
    let made = run(script, &[env!("CARGO_BIN_EXE_potluck"), folder.to_str().unwrap()]).unwrap();
    Some(PathBuf::from(made.trim()))
}

#[test]
fn the_package_goes_in_and_out_without_a_trace() {
    let folder = TempDir::new().unwrap();
    let Some(package) = built(folder.path()) else { return };
    let package = package.to_str().unwrap();
    let fields = run("dpkg-deb", &["--field", package]).unwrap();
    let version = format!("Version: {}-1", env!("CARGO_PKG_VERSION"));
    for line in ["Package: potluck", version.as_str(), "Depends: libc6"] {
        assert!(fields.contains(line), "{fields}");
    }

    let root = folder.path().join("root");
    let before = ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "var/log"];
    before.iter().for_each(|part| fs::create_dir_all(root.join(part)).unwrap());
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    let into = format!("--root={}", root.display());
    // What it depends on is not in the scratch root; whoever runs the tests may not be root.
    let alone = [&into, "--force-depends", "--force-not-root", "--force-script-chrootless", "--force-bad-path"];
    let dpkg = |words: &[&str]| run("dpkg", &[&alone, words].concat());
    dpkg(&["--install", package]).unwrap();
    let program = root.join("usr/bin/potluck");
    assert_eq!(fs::metadata(&program).unwrap().permissions().mode() & 0o777, 0o755);
    assert!(run(program.to_str().unwrap(), &["--version"]).unwrap().contains(env!("CARGO_PKG_VERSION")));
    for (path, holds) in [
        ("usr/share/bash-completion/completions/potluck", "_potluck()"),
        ("usr/share/zsh/vendor-completions/_potluck", "#compdef potluck"),
        ("usr/share/fish/vendor_completions.d/potluck.fish", "complete -c potluck"),
        ("usr/lib/systemd/user/potluck.service", "Type=notify"),
        ("usr/share/doc/potluck/copyright", "UnRAR source code may be used"),
        ("usr/share/doc/potluck/operators.md", "potluck"),
    ] {
        let text = fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(text.contains(holds), "{path} lacks {holds}");
    }
    let page = fs::read(root.join("usr/share/man/man1/potluck.1.gz")).unwrap();
    assert_eq!(page[..2], [0x1f, 0x8b], "the page is compressed");

    dpkg(&["--purge", "potluck"]).unwrap();
    for gone in ["usr/bin/potluck", "usr/share/doc/potluck", "usr/lib/systemd/user/potluck.service"] {
        assert!(!root.join(gone).exists(), "{gone} stays");
    }
}

#[test]
fn the_unit_of_the_package_confines_as_the_one_that_is_written() {
    let package = include_str!("../../packaging/potluck.service");
    let written = Seat::new().does(&["service", "install", "--print"]).stdout;
    let of_this_machine =
        |line: &&str| line.starts_with("ExecStart=") || line.starts_with("ReadWritePaths=") || line.starts_with('#');
    for line in written.lines().filter(|line| !of_this_machine(line)) {
        assert!(package.lines().any(|own| own == line), "the package's unit lacks {line}");
    }
}
