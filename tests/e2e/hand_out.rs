//! Handing out with the real binary, got by the real curl.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{
    process::{PATIENCE, Seat, finish, signal, wait_for},
    say,
};

/// One that runs, and what it said first.
fn hand_out(seat: &Seat, time: &str) -> (Child, BufReader<impl std::io::Read>, Value) {
    let mut command = seat.command(&["hand-out", "--for", time, "--port", "0", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let offer = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    (child, said, offer)
}

fn curl(words: &[&str]) -> Option<(bool, String)> {
    let output = Command::new("curl").args(["-sS", "--noproxy", "*", "-m", "30"]).args(words).output();
    let Ok(output) = output else {
        say("curl is not here, so nothing is got by it");
        return None;
    };
    Some((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[test]
fn a_seat_gets_this_very_program_and_nothing_else() {
    let seat = Seat::new();
    let (mut child, mut said, offer) = hand_out(&seat, "1m");
    let url = offer["urls"][0].as_str().unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/potluck"), "{url}");
    assert!(offer["needs"].as_str().unwrap().contains(std::env::consts::ARCH), "{offer}");
    let got = seat.around().join("got");
    let got_text = got.to_str().unwrap();
    let Some((worked, _)) = curl(&["-fo", got_text, url]) else { return drop(child.kill()) };
    assert!(worked);
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "{\"given_to\":\"127.0.0.1\"}\n");
    assert!(fs::read(&got).unwrap() == fs::read(env!("CARGO_BIN_EXE_potluck")).unwrap(), "other bytes");
    let sums =
        |tool: &str| Command::new(tool).arg(&got).output().map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
    if let Ok(sum) = sums("sha256sum") {
        assert!(sum.starts_with(offer["sha256"].as_str().unwrap()), "{sum}");
    }

    let base = url.trim_end_matches("/potluck");
    let code = |words: &[&str], path: &str| {
        curl(&[words, &["-o", "/dev/null", "-w", "%{http_code}", &format!("{base}{path}")]].concat()).unwrap().1
    };
    for path in ["/", "/potluck/..", "/%2e%2e/etc/passwd", "/etc/passwd"] {
        assert_eq!(code(&["--path-as-is"], path), "404", "{path}");
    }
    for method in ["POST", "PUT", "DELETE"] {
        assert_eq!(code(&["-X", method], "/potluck"), "405", "{method}");
    }

    // Those who say nothing, or read nothing, keep nobody else from it for long.
    let at = base.trim_start_matches("http://");
    let mute: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(at).unwrap()).collect();
    let mut slow = mute.last().unwrap();
    // It may have been closed at once, as too many by one machine.
    let _ = slow.write_all(b"GET /potluck HTTP/1.1\r\nHost: x\r\n\r\n");
    let _ = slow.read(&mut [0; 10]);
    drop(mute);
    assert!(curl(&["-fo", got_text, "--retry", "20", "--retry-all-errors", "--retry-delay", "1", url]).unwrap().0);

    signal(&child, "INT");
    assert_eq!(wait_for(&mut child, PATIENCE), Some(Some(0)));
    assert!(TcpStream::connect(at).is_err(), "it is closed");
    assert!(!seat.home().exists(), "it makes no home");
}

#[test]
fn it_ends_by_itself() {
    let seat = Seat::new();
    let (child, _said, _offer) = hand_out(&seat, "1s");
    assert_eq!(finish(child, PATIENCE).code, Some(0));
}
