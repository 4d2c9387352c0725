//! The service under a real systemd: one that is the first process of namespaces of its own, with no units but ours, on
//! a root that forgets what is written to it. Nothing of this machine is started or changed. Needs root, systemd,
//! util-linux and a kernel with overlayfs and cgroup 2; where that is missing, or systemd does not come up, the test
//! says so and passes.

#![allow(clippy::print_stderr, reason = "a test that tests nothing must say so")]

use std::{
    env, fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Ended, PATIENCE, finish, until, wait_until};

/// Where the test's own folder is in there.
const INSIDE: &str = "/srv/potluck-test";
const UNIT: &str = "potluck@nobody.service";
/// The user `nobody` of every Linux.
const NOBODY: u32 = 65_534;
/// How long a systemd without units takes to come up, many times over.
const BOOT_TIME: Duration = Duration::from_secs(20);

/// What a unit needs of a system that has nothing else.
const TARGETS: [&str; 4] = ["test.target", "sysinit.target", "basic.target", "shutdown.target"];
/// Begins the namespaces, in a cgroup of its own.
const UNSHARE: &str = r#"
echo $$ > "$CGROUP/cgroup.procs"
exec unshare --mount --pid --uts --ipc --net --cgroup --fork --kill-child sh -c "$BOOT"
"#;
/// In them: this machine's files under a layer in memory, a `/dev` of the harmless devices, and nothing of the
/// kernel's to write to. `/proc/sys` would be the whole machine's.
const BOOT: &str = r#"
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$LAYER"
mkdir "$LAYER/upper" "$LAYER/work" "$LAYER/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$LAYER/upper,workdir=$LAYER/work" "$LAYER/root"
cd "$LAYER/root"
mkdir -p ".$INSIDE" old proc sys dev run tmp
mount --bind "$SHARED" ".$INSIDE"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for folder in dev run tmp; do mount -t tmpfs -o mode=755 tmpfs $folder; done
for device in null zero full random urandom; do touch dev/$device; mount --bind /dev/$device dev/$device; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
pivot_root . old
umount -l old
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin "SYSTEMD_UNIT_PATH=$INSIDE/units" \
    "$SYSTEMD" --unit=test.target
"#;

/// A systemd and what runs under it; gone when dropped.
struct Machine {
    folder: TempDir,
    cgroup: PathBuf,
    unshare: Child,
    /// Its first process, as we number it.
    init: String,
}

impl Machine {
    fn up() -> Option<Self> {
        Self::try_up()
            .map_err(|why| eprintln!("no systemd of its own, so the service is not tested under one: {why}"))
            .ok()
    }

    fn try_up() -> Result<Self, String> {
        let systemd = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"].iter().find(|path| Path::new(path).exists());
        let systemd = systemd.ok_or("there is none here")?;
        let failed = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
        let cgroup = own_cgroup()?.join(format!("potluck-test-{}", std::process::id()));
        let folder = TempDir::new().map_err(|error| failed("a folder", &error))?;
        let (shared, layer) = (folder.path().join("shared"), folder.path().join("layer"));
        for path in [&layer, &shared.join("units"), &shared.join("home"), &shared.join("library")] {
            fs::create_dir_all(path).map_err(|error| failed("a folder", &error))?;
        }
        for name in ["home", "library"] {
            chown(shared.join(name), Some(NOBODY), Some(NOBODY)).map_err(|error| failed("another user", &error))?;
        }
        fs::copy(env!("CARGO_BIN_EXE_potluck"), shared.join("potluck"))
            .map_err(|error| failed("the program", &error))?;
        for target in TARGETS {
            let text = "[Unit]\nDefaultDependencies=no\n";
            fs::write(shared.join("units").join(target), text).map_err(|error| failed(target, &error))?;
        }
        fs::create_dir(&cgroup).map_err(|error| failed("a cgroup", &error))?;
        let mut unshare = Command::new("sh");
        unshare.args(["-c", UNSHARE]).env("BOOT", BOOT).env("CGROUP", &cgroup).env("LAYER", &layer);
        unshare.env("SHARED", &shared).env("INSIDE", INSIDE).env("SYSTEMD", systemd);
        unshare.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let unshare = unshare.spawn().map_err(|error| failed("a shell", &error))?;
        let mut machine = Self { folder, cgroup, unshare, init: String::new() };
        let pid = machine.unshare.id();
        let children = format!("/proc/{pid}/task/{pid}/children");
        let came_up = until(BOOT_TIME, || {
            machine.init = fs::read_to_string(&children).ok()?.split_whitespace().next()?.to_owned();
            // Before it has its own root, the question would be this machine's to answer.
            let question = format!("test -e {INSIDE}/units/test.target && systemctl is-system-running");
            machine.enter(&["sh", "-c", &question]).stdout.starts_with("running").then_some(())
        });
        came_up.map(|()| machine).ok_or_else(|| "it does not come up".to_owned())
    }

    /// A path of the test's folder, from outside.
    fn shared(&self, name: &str) -> PathBuf {
        self.folder.path().join("shared").join(name)
    }

    /// Runs a command in there, as root.
    fn enter(&self, words: &[&str]) -> Ended {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--target", &self.init]).args(words);
        nsenter.env("USER", "nobody").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env_remove("XDG_RUNTIME_DIR");
        nsenter.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        finish(nsenter.spawn().expect("a program of util-linux"), PATIENCE)
    }

    /// potluck as the user of the service.
    fn potluck(&self, words: &[&str]) -> Ended {
        let (program, home, library) =
            (format!("{INSIDE}/potluck"), format!("{INSIDE}/home"), format!("{INSIDE}/library"));
        let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        let flags = [program.as_str(), "--home", &home, "--library", &library, "--no-mdns"];
        self.enter(&[&user[..], &flags, words].concat())
    }

    fn systemctl(&self, words: &[&str]) -> String {
        let ended = self.enter(&[&["systemctl"], words].concat());
        if ended.code != Some(0) {
            let status = self.enter(&["systemctl", "status", "--no-pager", UNIT]).stdout;
            panic!("systemctl {words:?}: {}\n{status}\n{}", ended.stderr, self.log());
        }
        ended.stdout
    }

    fn is(&self, property: &str) -> String {
        self.systemctl(&["show", "--value", "--property", property, UNIT]).trim().to_owned()
    }

    /// What the service wrote.
    fn log(&self) -> String {
        fs::read_to_string(self.shared("log")).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It takes everything in its namespaces along.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
        // Those of processes that are ending cannot go yet.
        let _ = until(Duration::from_secs(5), || remove_cgroup(&self.cgroup).is_ok().then_some(()));
    }
}

/// The folder of this process's group in the hierarchy of version 2.
fn own_cgroup() -> Result<PathBuf, String> {
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let mounts = read("/proc/self/mounts")?;
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mount = mounts.lines().map(words).find(|words| words.get(2).is_some_and(|kind| kind == "cgroup2"));
    let groups = read("/proc/self/cgroup")?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    let (mount, group) = mount.zip(group).ok_or("there is no cgroup 2 here")?;
    Ok(Path::new(&mount[1]).join(group))
}

fn remove_cgroup(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_cgroup(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

/// A game whose payload is an archive.
fn make_archive(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let mut archive = tar::Builder::new(fs::File::create(folder.join("data.tar")).unwrap());
    let mut header = tar::Header::new_gnu();
    header.set_size(5);
    header.set_mode(0o644);
    archive.append_data(&mut header, "bin/data", &b"12345"[..]).unwrap();
    archive.finish().unwrap();
}

#[test]
fn the_service_lives_under_systemd_within_its_confines() {
    let Some(machine) = Machine::up() else { return };
    let printed = machine.potluck(&["service", "install", "--system", "--print"]);
    assert_eq!(printed.code, Some(0), "{printed:#?}");
    // A library that was added later; and what a test waits for comes sooner.
    let outside = machine.shared("outside");
    fs::create_dir(&outside).unwrap();
    chown(&outside, Some(NOBODY), Some(NOBODY)).unwrap();
    let unit = printed.stdout.replace(" serve\n", &format!(" --library {INSIDE}/outside serve\n"));
    let unit = unit.replace("WatchdogSec=60", "WatchdogSec=2").replace("RestartSec=5", "RestartSec=1");
    let to_log = format!("[Service]\nStandardOutput=append:{INSIDE}/log\nStandardError=append:{INSIDE}/log\n");
    fs::create_dir(machine.shared(&format!("units/{UNIT}.d"))).unwrap();
    fs::write(machine.shared(&format!("units/{UNIT}.d/log.conf")), to_log).unwrap();
    fs::write(machine.shared(&format!("units/{UNIT}")), unit).unwrap();
    machine.systemctl(&["daemon-reload"]);

    machine.systemctl(&["start", UNIT]);
    assert_eq!(machine.is("ActiveState"), "active");
    // Started means that whoever comes next is answered.
    let status = machine.potluck(&["status", "--json"]);
    assert_eq!(status.code, Some(0), "{status:#?}\n{}", machine.log());
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(machine.is("MainPID"), status["me"]["pid"].to_string(), "{status}");
    wait_until("systemd is told how it goes", || machine.is("StatusText").starts_with("serves; 0 games"));
    let status = machine.potluck(&["status"]).stdout;
    assert!(status.contains(&format!("{INSIDE}/outside cannot be written to")), "{status}");
    assert!(status.contains("let `potluck service install` give it this one"), "{status}");

    // What reads archives confines itself further, which the unit lets it.
    make_archive(&machine.shared("boxed"));
    for words in [&["add", &format!("{INSIDE}/boxed"), "--version", "1"][..], &["install", "boxed"]] {
        let ended = machine.potluck(words);
        assert_eq!(ended.code, Some(0), "{ended:#?}\n{}", machine.log());
    }
    assert_eq!(fs::read(machine.shared("library/boxed/local/bin/data")).unwrap(), b"12345");

    let first = machine.is("MainPID");
    machine.enter(&["kill", "-STOP", &first]);
    wait_until("one that hangs is started anew", || {
        let now = machine.is("MainPID");
        now != first && now != "0" && machine.is("ActiveState") == "active"
    });

    let begun = Instant::now();
    machine.systemctl(&["stop", UNIT]);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(4), "it took {took:?} to stop");
    assert_eq!((machine.is("Result"), machine.is("ExecMainStatus")), ("success".into(), "0".into()));
}
