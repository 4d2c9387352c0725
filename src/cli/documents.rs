//! What is made from the definition of the command line: completions, the manual page, and
//! `docs/cli.md`.

use clap::CommandFactory as _;

use super::{Args, Console, Exit, exit::Failure};

/// Columns of help texts in documents, whatever terminal they are made on.
const WIDTH: usize = 100;

pub(super) fn completions(shell: clap_complete::Shell, console: &mut Console) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "potluck", &mut script);
    console.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

pub(super) fn man(console: &mut Console) -> Result<Exit, Failure> {
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(Args::command()).render(&mut page);
    rendered.map_err(|error| Failure::new(Exit::Failed, format!("cannot make the manual page: {error}")))?;
    let mut page = String::from_utf8_lossy(&page).into_owned();
    for (name, help) in commands() {
        page += &format!(".SH \"{}\"\n.nf\n", name.to_uppercase());
        for line in help.lines() {
            let line = line.replace('\\', "\\e").replace('-', "\\-");
            page += &format!("\\&{line}\n");
        }
        page += ".fi\n";
    }
    console.text(&page)?;
    Ok(Exit::Done)
}

/// The text of `docs/cli.md`.
#[must_use]
pub fn document() -> String {
    let mut text = String::from(HEAD);
    let help = help_of(Args::command());
    text += &format!("```text\n{help}```\n");
    for (name, help) in commands() {
        text += &format!("\n## {name}\n\n```text\n{help}```\n");
    }
    text
}

const HEAD: &str = "\
# The command line

<!-- Generated from src/cli/args.rs: `UPDATE_DOCUMENTS=1 cargo test --test documents` writes it. -->

Names and exit codes are an interface: scripts may rely on them. With `--json` a command prints one JSON document on
the standard output, also when it fails (`{\"error\": {\"code\", \"message\", \"candidates\"}}`); progress and messages for
people go to the standard error output. While a potluck holds the home every command goes through its control socket
(see [control.md](control.md)); otherwise a command starts a short one of its own.

| exit code | means |
|---|---|
| 0 | done |
| 1 | tried and failed |
| 2 | the command line, environment or config file is wrong |
| 3 | no such game or peer |
| 4 | refused, or more than one thing is meant |
| 5 | it would have to wait |
| 130 | interrupted; what is verified is kept |

";

/// Each command's full name and help, in order, without the options they all share.
fn commands() -> Vec<(String, String)> {
    let mut root = Args::command().term_width(WIDTH);
    root.build();
    let commands = root.get_subcommands().filter(|command| command.get_name() != "help");
    commands.map(|command| (format!("potluck {}", command.get_name()), help_of(own_options(command.clone())))).collect()
}

fn own_options(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg })
}

fn help_of(command: clap::Command) -> String {
    let help = command.term_width(WIDTH).render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}
