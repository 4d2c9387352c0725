//! The text of the unit. Everything but potluck's own folders is read-only for it, and it may have no
//! rights beyond its user's. System calls are not filtered here: the process that reads archives
//! confines itself further, by Landlock and a filter of its own.

use std::path::{Path, PathBuf};

/// For whom the unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Of the user's own manager.
    User,
    /// Of the machine's, run as the user.
    System,
}

/// What a unit is made of.
#[derive(Debug)]
pub(super) struct Unit<'a> {
    pub(super) scope: Scope,
    /// Who it runs as.
    pub(super) user: &'a str,
    /// The binary.
    pub(super) program: &'a Path,
    /// What stands between it and `serve`.
    pub(super) flags: &'a [String],
    /// Folders of games; one may be a disk that is not plugged in at the start.
    pub(super) libraries: &'a [PathBuf],
    /// Other folders it may write to; they exist.
    pub(super) writable: &'a [PathBuf],
}

/// A path or flag that a unit cannot hold.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "systemd cannot be told of `{word}`: quotes, backslashes and control characters mean something to it; rename it"
)]
pub(super) struct Unspeakable {
    word: String,
}

/// What a user's own manager needs before it can keep anything from being written: without it, those before systemd
/// 254 leave out without a word what the lines below it say.
const FOR_USER: &str = "PrivateUsers=yes\n";
/// What also a user's own manager can do, without rights of its own.
const FOR_ALL: &str = "\
NoNewPrivileges=yes
ProtectSystem=strict
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
";
/// What takes the rights of the machine's manager.
const FOR_SYSTEM: &str = "\
CapabilityBoundingSet=
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
";

impl Scope {
    /// What starts it with the machine, or with the user.
    pub(super) fn target(self) -> &'static str {
        match self {
            Self::User => "default.target",
            Self::System => "multi-user.target",
        }
    }
}

impl Unit<'_> {
    /// The unit's file.
    pub(super) fn text(&self) -> Result<String, Unspeakable> {
        let mut start = vec![quoted(&self.program.to_string_lossy(), true)?];
        for flag in self.flags {
            start.push(quoted(flag, true)?);
        }
        let libraries = self.libraries.iter().map(|path| format!("-{}", path.display()));
        let folders = libraries.chain(self.writable.iter().map(|path| path.display().to_string()));
        let folders: Vec<String> = folders.map(|folder| quoted(&folder, false)).collect::<Result<_, _>>()?;
        let mut writable = format!("ReadWritePaths={}\n", folders.join(" "));
        let (user, network, more) = match self.scope {
            Scope::User => {
                // For the control socket; made anew at every start, as the folder above it is.
                writable += "RuntimeDirectory=potluck\nRuntimeDirectoryMode=0700\n";
                (String::new(), "", FOR_USER)
            }
            Scope::System => (
                format!("User={}\n", self.user),
                "Wants=network-online.target\nAfter=network-online.target\n",
                FOR_SYSTEM,
            ),
        };
        let (start, target) = (start.join(" "), self.scope.target());
        Ok(format!(
            "# Written by `potluck service install`; run it again when libraries or flags change.\n\
             [Unit]\n\
             Description=potluck, the games of a LAN party\n\
             {network}\n\
             [Service]\n\
             Type=notify\n\
             ExecStart={start} serve\n\
             {user}\
             Restart=on-failure\n\
             RestartPreventExitStatus=2\n\
             RestartSec=5\n\
             WatchdogSec=60\n\
             TimeoutStopSec=10\n\
             LimitNOFILE=65536\n\
             UMask=0022\n\
             \n\
             # What it may write; the rest of the machine is read-only for it.\n\
             {writable}\
             {FOR_ALL}\
             {more}\n\
             [Install]\n\
             WantedBy={target}\n"
        ))
    }
}

/// A word as systemd reads it: `%` begins a specifier, and in commands `$` a variable.
fn quoted(word: &str, in_command: bool) -> Result<String, Unspeakable> {
    if word.is_empty() || word.chars().any(|c| c.is_control() || ['"', '\'', '\\'].contains(&c)) {
        return Err(Unspeakable { word: crate::types::clean(word, 200) });
    }
    let mut text = word.replace('%', "%%");
    if in_command {
        text = text.replace('$', "$$");
    }
    let plain = text.chars().all(|c| c.is_alphanumeric() || "/._-=:@+,%$[]~".contains(c));
    Ok(if plain { text } else { format!("\"{text}\"") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(scope: Scope, flags: &[&str], libraries: &[&str]) -> Result<String, Unspeakable> {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let libraries: Vec<PathBuf> = libraries.iter().map(PathBuf::from).collect();
        let writable = [PathBuf::from("/home/alice/.local/state/potluck")];
        let program = Path::new("/usr/bin/potluck");
        Unit { scope, user: "alice", program, flags: &flags, libraries: &libraries, writable: &writable }.text()
    }

    #[test]
    fn the_unit_of_a_user() {
        insta::assert_snapshot!(unit(Scope::User, &[], &["/home/alice/Games"]).unwrap());
    }

    #[test]
    fn the_unit_of_the_machine() {
        let flags = ["--library", "/srv/My Games", "--name", "100% nas $1"];
        insta::assert_snapshot!(unit(Scope::System, &flags, &["/srv/My Games", "/srv/100%"]).unwrap());
    }

    #[test]
    fn words_that_mean_something_to_systemd_are_refused() {
        for word in ["", "a\"b", "a'b", "a\\b", "a\nExecStart=/bin/sh"] {
            assert!(quoted(word, true).is_err(), "{word:?}");
            assert!(word.is_empty() || unit(Scope::System, &[], &[word]).is_err());
        }
        assert_eq!(quoted("a b", false).unwrap(), "\"a b\"");
        assert_eq!(quoted("$a", false).unwrap(), "$a");
        assert_eq!(quoted("$a", true).unwrap(), "$$a");
    }
}
