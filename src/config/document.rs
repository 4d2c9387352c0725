//! What is made from the table of settings: `docs/config.md`, the commented template, and the
//! effective settings with where each came from.

use std::fmt::Write as _;

use super::{
    Settings,
    table::{ROWS, Row},
};

/// The text of `docs/config.md`.
#[must_use]
pub fn document() -> String {
    let mut text = String::from(HEAD);
    for row in ROWS {
        let flag = row.flag.map_or_else(|| "–".to_owned(), |flag| format!("`{flag}`"));
        push(&mut text, &format!("\n## `{}`\n\n{}\n\n", row.key, row.help));
        push(&mut text, "| value | default | environment | flag |\n|---|---|---|---|\n");
        push(&mut text, &format!("| {} | {} | `{}` | {flag} |\n", row.kind, row.default, row.variable()));
    }
    push(&mut text, "\n## The template\n\n`potluck config --template` prints it.\n\n```toml\n");
    push(&mut text, &template());
    push(&mut text, "```\n");
    text
}

const HEAD: &str = "\
# Settings

<!-- Generated from src/config/table.rs: `UPDATE_DOCUMENTS=1 cargo test --test documents` writes it. -->

potluck needs no settings. Where you want one, it can stand in `config.toml`, in the environment or on the command
line; a flag wins over the environment, the environment over the file. `potluck config` prints what is in effect and
where each value came from. An unknown key or a value that does not fit is an error that names the line.

| what | with `--home DIR` (or `POTLUCK_HOME`) | otherwise |
|---|---|---|
| config | `DIR/config.toml`, `DIR/catalog.toml` | `$XDG_CONFIG_HOME/potluck/`, usually `~/.config/potluck/` |
| state (key, index) | `DIR/` | `$XDG_STATE_HOME/potluck/`, usually `~/.local/state/potluck/` |
| control socket | `DIR/control.sock` | `$XDG_RUNTIME_DIR/potluck/control.sock`, else in the state folder |
| logs | `DIR/logs/` | in the state folder |
| games | `--library`, else `~/Games` | `--library`, else `~/Games` |

Games may lie in several folders, say on several disks:

```toml
[[library]]
path = \"~/Games\"
min_free = \"20 GB\"

[[library]]
path = \"/mnt/usb/games\"
```

A new game goes to the first that has room for it beside what is to stay free (`min_free`, and always 64 MiB more for
journals, lists and the log); an update stays where the game is. Where none has room, the download waits (`disk full`) and
says how much is lacking where. A folder that is not there at the start is reported
and used as soon as it is there: for a disk that is not always plugged in name a folder *on* it, because its empty mount
point looks like a library without games. A game lives in one library; where two have a folder of its name, the first
one counts and the other is reported. Put a new folder behind the others: the hashes of files are remembered by the
name of the first one, and another first one has everything hashed once more. `potluck status` shows them all.

In the environment a list has commas between its items, and a switch is `true` or `false`. `~/` is your home folder;
in the config file a relative path begins at the file's own folder.
";

/// A config file with every setting, each explained and commented out.
#[must_use]
pub fn template() -> String {
    let mut text = String::from("# Settings of potluck. A line without its `#` counts.\n");
    let mut section = "";
    for row in ROWS {
        let (in_section, name) = row.key.split_once('.').unwrap_or(("", row.key));
        if in_section != section {
            section = in_section;
            push(&mut text, &format!("\n[{section}]\n"));
        }
        push(&mut text, "\n");
        for line in wrap(&format!("{} It is {}; by default {}.", row.help, row.kind, row.default)) {
            push(&mut text, &format!("# {line}\n"));
        }
        push(&mut text, &format!("#{name} = {}\n", row.example));
    }
    text
}

/// The settings in effect as a config file, each with where it came from.
#[must_use]
pub fn effective(settings: &Settings) -> String {
    let mut text = String::new();
    let places = &settings.places;
    for (what, path) in
        [("config", &places.config), ("state", &places.state), ("socket", &places.socket), ("logs", &places.log)]
    {
        push(&mut text, &format!("# {what:<7} {}\n", path.display()));
    }
    let width = ROWS.iter().map(|row| line_of(row, settings).chars().count()).max().unwrap_or(0);
    let mut section = "";
    for row in ROWS {
        let in_section = row.key.split_once('.').map_or("", |(section, _)| section);
        if in_section != section {
            section = in_section;
            push(&mut text, &format!("\n[{section}]\n"));
        }
        let line = line_of(row, settings);
        push(&mut text, &format!("{line:<width$}  # {}\n", settings.origin(row.key)));
    }
    text
}

/// The settings in effect as one JSON document: `{"settings": {KEY: {"value", "from"}}, "places": ..}`.
#[must_use]
pub fn effective_json(settings: &Settings) -> serde_json::Value {
    let rows = ROWS.iter().map(|row| {
        let shown = (row.show)(settings);
        // What `show` writes is a TOML value; the few types settings have mean the same in JSON.
        let value = toml::from_str::<toml::Table>(&format!("v = {shown}")).ok().and_then(|mut table| table.remove("v"));
        let value = value.map_or(serde_json::Value::Null, |value| serde_json::json!(value));
        (row.key.to_owned(), serde_json::json!({ "value": value, "from": settings.origin(row.key).to_string() }))
    });
    let places = &settings.places;
    serde_json::json!({
        "settings": rows.collect::<serde_json::Map<_, _>>(),
        "places": { "config": places.config, "state": places.state, "socket": places.socket, "logs": places.log },
    })
}

fn line_of(row: &Row, settings: &Settings) -> String {
    let name = row.key.split_once('.').map_or(row.key, |(_, name)| name);
    let value = (row.show)(settings);
    if value.is_empty() { format!("# {name} is {}", row.default) } else { format!("{name} = {value}") }
}

/// Characters of a comment line.
const WIDTH: usize = 96;

fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a last line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= WIDTH {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

fn push(text: &mut String, more: &str) {
    write!(text, "{more}").expect("writing into a string cannot fail");
}
