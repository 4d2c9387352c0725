//! Precedence, origins, and what a wrong config file gets.

use std::{collections::BTreeMap, ffi::OsString, fs};

use super::*;
use crate::types::Size;

/// Loads with `file` as config file and `environment` as `K=V`; the home is a fresh folder, which
/// the answer names `HOME`.
fn load_of(file: &str, environment: &[(&str, &str)], flags: Flags) -> Result<Settings, String> {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("config.toml"), file).unwrap();
    fs::write(home.path().join("games.txt"), "# tonight\nxonotic\n\n 0 A.D. # and this\nxonotic\n").unwrap();
    let environment: BTreeMap<&str, OsString> = environment.iter().map(|(k, v)| (*k, OsString::from(v))).collect();
    let flags = Flags { home: Some(home.path().to_owned()), ..flags };
    let loaded = load_with(&flags, &|name| environment.get(name).cloned());
    loaded.map_err(|error| error.to_string().replace(&*home.path().to_string_lossy(), "HOME"))
}

#[test]
fn flags_win_over_environment_over_file() {
    let file = "name = \"file\"\nmax_active = 3\nmdns = true\npeers = [\"a\", \"b:1\"]\n[ui]\nfps = 9\n";
    let environment = [("POTLUCK_NAME", "env"), ("POTLUCK_UI_FPS", "20"), ("POTLUCK_MDNS", "no"), ("POTLUCK_LOG", "")];
    let flags = Flags { name: Some("flag".into()), ..Flags::default() };
    let settings = load_of(file, &environment, flags).unwrap();
    assert_eq!(settings.name, "flag");
    assert_eq!(settings.origin("name"), &Origin::Flag("--name"));
    assert_eq!((settings.ui.fps, settings.mdns), (Some(20), false));
    assert_eq!(settings.origin("ui.fps"), &Origin::Environment("POTLUCK_UI_FPS".into()));
    assert_eq!(settings.max_active, 3);
    assert!(matches!(settings.origin("max_active"), Origin::File { line: 2, .. }));
    assert_eq!(settings.peers, ["a:47800", "b:1"]);
    assert_eq!((settings.log.as_str(), settings.origin("log")), ("info", &Origin::Default));
}

#[test]
fn a_home_holds_everything() {
    let settings = load_of("library = \"lib\"\n", &[], Flags::default()).unwrap();
    let home = &settings.places.config;
    assert_eq!(settings.places.socket, home.join("control.sock"));
    assert_eq!(settings.places.state, *home);
    assert_eq!(settings.places.log, home.join("logs"));
    assert_eq!(settings.library(), home.join("lib"));
}

#[test]
fn several_libraries_are_tables_or_flags() {
    let libraries = |file: &str, flags: Flags| load_of(file, &[], flags).map(|settings| settings.libraries);
    let of = |path: &str, min_free: u64| LibraryFolder { path: path.into(), min_free: Size::from_bytes(min_free) };
    let tables = "[[library]]\npath = \"/a\"\n[[library]]\npath = \"/b\"\nmin_free = \"20 GB\"\n";
    let both = [of("/a", 0), of("/b", 20_000_000_000)];
    assert_eq!(libraries(tables, Flags::default()).unwrap(), both);
    assert_eq!(libraries("library = [\"/a\", \"/b\"]", Flags::default()).unwrap(), [of("/a", 0), of("/b", 0)]);
    let flags = Flags { libraries: vec!["/c".into(), "/d".into()], ..Flags::default() };
    assert_eq!(libraries(tables, flags).unwrap(), [of("/c", 0), of("/d", 0)]);
    let shown = effective(&load_of(tables, &[], Flags::default()).unwrap()).replace("catalog = ", "# ");
    assert_eq!(libraries(&shown, Flags::default()).unwrap(), both);
    for (file, expect) in [
        (
            "\n[[library]]\npath = \"/a\"\nminfree = \"1 GB\"\n",
            "HOME/config.toml, line 4: there is no setting `library.minfree`; did you mean `library.min_free`?",
        ),
        (
            "[[library]]\npath = \"/a\"\nmin_free = \"20\"\n",
            "HOME/config.toml, line 1: `library` cannot be [{ min_free = \"20\", path = \"/a\" }]: of min_free: a size is a number with its unit, like `20 GB`",
        ),
        (
            "[[library]]\nmin_free = \"20 GB\"\n",
            "HOME/config.toml, line 1: `library` cannot be [{ min_free = \"20 GB\" }]: each [[library]] needs a `path`, like \"~/Games\"",
        ),
        (
            "library = [\"/a\", \"/a\"]\n",
            "HOME/config.toml, line 1: `library` cannot be [\"/a\", \"/a\"]: /a is there twice",
        ),
        (
            "library = [\"/a\", \"/a/b\"]\n",
            "HOME/config.toml, line 1: `library` cannot be [\"/a\", \"/a/b\"]: /a/b and /a lie in one another; name folders that do not",
        ),
        (
            "library = []\n",
            "HOME/config.toml, line 1: `library` cannot be []: it names no folder; leave it out for ~/Games",
        ),
    ] {
        assert_eq!(libraries(file, Flags::default()), Err(expect.to_owned()), "{file}");
    }
}

#[test]
fn a_mirror_list_is_read() {
    let settings = load_of("mirror = \"games.txt\"\n", &[], Flags::default()).unwrap();
    let Mirror::List { games, .. } = &settings.mirror else { panic!("{:?}", settings.mirror) };
    assert_eq!(games, &["xonotic", "0 A.D."]);
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_the_remedy() {
    for (file, expect) in [
        (
            "name = \"x\"\nlibary = \"x\"\n",
            "HOME/config.toml, line 2: there is no setting `libary`; did you mean `library`?",
        ),
        ("[ui]\n\nthme = \"x\"\n", "HOME/config.toml, line 3: there is no setting `ui.thme`; did you mean `ui.theme`?"),
        (
            "[iu]\nfps = 3\n",
            "HOME/config.toml, line 1: there is no setting `iu`; `potluck config --template` lists them all",
        ),
        ("\nmax_active = 0\n", "HOME/config.toml, line 2: `max_active` cannot be 0: write a number from 1 to 16"),
        (
            "up_limit = \"9 kB/s\"\n",
            "HOME/config.toml, line 1: `up_limit` cannot be \"9 kB/s\": less than 1 MiB/s would make every peer give up; write \"none\" for no limit",
        ),
        ("name = 7\n", "HOME/config.toml, line 1: `name` cannot be 7: write it in quotes"),
        (
            "name = 1.5\n",
            "HOME/config.toml, line 1: `name` cannot be a TOML float: write a text of at most 32 characters, like `\"seat-17\"`",
        ),
        (
            "mirror = \"none.txt\"\n",
            "HOME/config.toml, line 1: `mirror` cannot be \"none.txt\": cannot read HOME/none.txt: No such file or directory (os error 2)",
        ),
        (
            "log = \"inof\"\n",
            "HOME/config.toml, line 1: `log` cannot be \"inof\": write one of off, error, warn, info, debug, trace, or directives like `potluck=debug`",
        ),
        ("ui = 3\n", "HOME/config.toml, line 1: there is no setting `ui`; `potluck config --template` lists them all"),
    ] {
        assert_eq!(load_of(file, &[], Flags::default()).map(drop), Err(expect.to_owned()), "{file}");
    }
    let syntax = load_of("name = \"a\"\nname = \n", &[], Flags::default()).unwrap_err();
    assert!(syntax.starts_with("HOME/config.toml, line 2: "), "{syntax}");
    let variable = load_of("", &[("POTLUCK_MAX_ACTIVE", "many")], Flags::default()).unwrap_err();
    assert_eq!(variable, "POTLUCK_MAX_ACTIVE: `max_active` cannot be \"many\": write a number from 1 to 16");
    let flag = load_of("", &[], Flags { listen: Some("here".into()), ..Flags::default() }).unwrap_err();
    assert_eq!(flag, "--listen: `listen` cannot be \"here\": write IP:PORT, like 0.0.0.0:47800, or only a port");
}

#[test]
fn the_template_is_valid_with_and_without_its_comments() {
    assert_eq!(load_of(&template(), &[], Flags::default()).map(|_| ()), Ok(()));
    let uncommented: Vec<&str> = template()
        .leak()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest,
            _ => line,
        })
        .filter(|line| !line.starts_with("catalog"))
        .collect();
    let settings = load_of(&uncommented.join("\n"), &[], Flags::default()).unwrap();
    assert_eq!(settings.mirror, Mirror::All);
    assert!(
        ROWS.iter().filter(|row| matches!(settings.origin(row.key), Origin::File { .. })).count() == ROWS.len() - 1
    );
}

#[test]
fn what_is_in_effect_is_a_valid_file_again() {
    let settings = load_of("up_limit = \"60\"\n[ui]\ntheme = \"a\\\"b\"\n", &[], Flags::default()).unwrap();
    let text = effective(&settings).replace("catalog = ", "# ");
    let again = load_of(&text, &[], Flags::default()).unwrap();
    assert_eq!((again.up_limit, &again.ui), (settings.up_limit, &settings.ui));
    assert_eq!(effective_json(&settings)["settings"]["ui.theme"]["value"], "a\"b");
    assert_eq!(effective_json(&settings)["settings"]["listen"]["value"], serde_json::Value::Null);
}

#[test]
fn the_chosen_library_is_remembered_and_nothing_else_changes() {
    let home = tempfile::tempdir().unwrap();
    let flags = Flags { home: Some(home.path().to_owned()), ..Flags::default() };
    let load = || load_with(&flags, &|_| None).unwrap();
    remember_library(&load(), Path::new("/srv/my \"games\"")).unwrap();
    assert_eq!(load().library(), Path::new("/srv/my \"games\""));
    fs::write(home.path().join("config.toml"), "[ui]\nfps = 3\n").unwrap();
    remember_library(&load(), Path::new("/srv/games")).unwrap();
    assert_eq!((load().library(), load().ui.fps), (Path::new("/srv/games"), Some(3)));
}
