//! The service: what the service manager is told by the real binary, and the unit that is written,
//! checked by systemd's own tool where there is one.

use std::{
    fs,
    os::unix::net::UnixDatagram,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    process::{PATIENCE, Seat, finish, signal, wait_until},
    say,
};

fn told(manager: &UnixDatagram) -> String {
    let mut bytes = [0; 1_000];
    let len = manager.recv(&mut bytes).expect("something is told");
    String::from_utf8(bytes[..len].to_vec()).unwrap()
}

#[test]
fn the_service_manager_is_told_of_start_and_end() {
    let seat = Seat::new();
    let path = seat.around().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = seat.command(&["serve"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1000000").stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let first = told(&manager);
    assert!(first.starts_with("READY=1\nSTATUS="), "{first}");
    // Told after the socket is there: what comes next may ask it.
    assert_eq!(seat.does(&["status"]).code, Some(0));
    let until = |word: &str| {
        let mut last = told(&manager);
        while !last.starts_with(word) {
            assert!(last.starts_with("STATUS=") || last == "WATCHDOG=1\n", "{last}");
            last = told(&manager);
        }
    };
    // At once, and again before it would be missed.
    until("WATCHDOG=1");
    until("WATCHDOG=1");
    signal(&child, "TERM");
    until("STOPPING=1");
    assert_eq!(finish(child, PATIENCE).code, Some(0));
    manager.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(manager.recv(&mut [0; 10]).is_err(), "nothing is told after the end");
}

#[test]
fn a_unit_is_written_looked_at_and_removed() {
    let mut seat = Seat::new();
    let file = seat.around().join(".config/systemd/user/potluck.service");
    let printed = seat.does(&["service", "install", "--print"]).stdout;
    assert!(!file.exists(), "printing writes nothing");
    assert_eq!(seat.run(&["service", "status"]).code, Some(3));
    let said = seat.does(&["service", "install"]).stdout;
    assert!(said.contains("systemctl --user enable --now potluck.service") && said.contains("enable-linger"), "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), printed);
    let writable = format!("ReadWritePaths=-{} {}\n", seat.library().display(), seat.home().display());
    let program = fs::canonicalize(env!("CARGO_BIN_EXE_potluck")).unwrap();
    let start = format!("ExecStart={} --home {} --library", program.display(), seat.home().display());
    assert!(printed.contains(&writable) && printed.contains(&start), "{printed}");

    let status = seat.asks(&["service", "status"]);
    assert_eq!(
        (&status["installed"], &status["current"], &status["enabled"]),
        (&true.into(), &true.into(), &false.into())
    );
    assert!(status["running"].is_null());
    let other = seat.does(&["--name", "other", "service", "status"]).stdout;
    assert!(other.contains("writes it anew"), "{other}");
    seat.serve(&[]);
    let status = seat.asks(&["service", "status"]);
    assert_eq!((status["running"].as_u64(), &status["under_unit"]), (Some(seat.pid().into()), &false.into()));
    assert!(seat.does(&["service", "uninstall"]).stdout.contains("systemctl --user stop potluck.service"));
    assert!(!file.exists());
    assert_eq!(seat.run(&["service", "uninstall"]).code, Some(3));
    wait_until("it still serves", || seat.is_serving());
}

#[test]
fn systemd_takes_every_unit() {
    let seat = Seat::new();
    let printed = |words: &[&str]| {
        let mut print = seat.command(words);
        print.env("USER", "root").stdout(Stdio::piped()).stderr(Stdio::piped());
        let ended = finish(print.spawn().unwrap(), PATIENCE);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        ended.stdout
    };
    // Where the package is not installed there is no such program.
    let package = include_str!("../../packaging/potluck.service").replace("/usr/bin/potluck", "/bin/true");
    for (text, scope, name) in [
        (printed(&["service", "install", "--print"]), "--user", "potluck.service"),
        (printed(&["service", "install", "--system", "--print"]), "--system", "potluck@alice.service"),
        (package, "--user", "potluck-package.service"),
    ] {
        let file = seat.around().join(name);
        fs::write(&file, text).unwrap();
        // The tool looks for a manager's folder also where it asks none.
        let mut analyze = Command::new("systemd-analyze");
        analyze.env("XDG_RUNTIME_DIR", seat.around());
        let checked = analyze.args([scope, "--man=no", "verify"]).arg(&file).output();
        let Ok(checked) = checked else { return say("systemd-analyze is not here, so nothing is checked by it") };
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.success() && !said.contains(name), "{said}");
    }
}
