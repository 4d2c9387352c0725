//! The log: level, filter, and following, each with the others.

use super::*;

/// A log of every level, and a line that comes later.
fn told() -> Seat {
    busy(100, 30)
        .event(Level::Debug, "A link to seat-22 was made.")
        .event(Level::Info, "seat-22 is here.")
        .event(Level::Warning, "seat-90 went away.")
        .event(Level::Error, "Warsow 2.1.2: pak2.zip is broken.")
}

fn check(keys: &str, shown: &[&str], hidden: &[&str], heading: &str) {
    let seat = told().keys(keys);
    let picture = seat.picture();
    let lines: Vec<&str> = picture.lines().collect();
    assert!(lines[1].contains(heading), "{keys}: {}", lines[1]);
    let body = lines[2..26].join("\n");
    assert!(shown.iter().all(|line| body.contains(line)), "{keys}: {body}");
    assert!(!hidden.iter().any(|line| body.contains(line)), "{keys}: {body}");
}

#[test]
fn level_filter_and_following_go_together() {
    let (link, here, gone, broken) = ("A link to", "seat-22 is here", "seat-90 went", "pak2.zip");
    check("5", &[here, gone, broken], &[link], "what matters");
    check("5fa", &[link, here, gone, broken], &[], "everything");
    check("5ft", &[gone, broken], &[link, here], "trouble");
    check("5ftfm", &[here, gone, broken], &[link], "what matters");
    check("5f<Esc>", &[here], &[link], "what matters");
    check("5fa/seat<Enter>", &[link, here, gone], &[broken], "everything · filter: seat");
    check("5ft/seat<Enter>", &[gone], &[link, here, broken], "trouble · filter: seat");
    check("5/seat<Enter>ft<Esc>", &[gone, broken], &[link, here], "trouble");
    check("5/seat<Esc>", &[here, gone, broken], &[link], "what matters");
    check("5pft/went<Enter>", &[gone], &[here, broken], "held");
    check("5p<Enter>", &[here], &[], "following");
}

#[test]
fn what_comes_while_it_is_held_waits_and_is_counted() {
    let mut seat = told().keys("5p");
    for at in 0..40 {
        seat = seat.event(Level::Warning, &format!("fact {at}"));
    }
    let held = seat.picture();
    assert!(held.contains("held, 40 newer") && !held.contains("fact 39 "), "{held}");
    // What does not match is not counted, and what is held stays held through level and filter.
    let seat = seat.keys("/fact 3<Enter>ft");
    assert!(seat.picture().contains("held, 11 newer"), "{}", seat.picture());
    let seat = seat.keys("G");
    assert!(seat.picture().contains("following") && seat.picture().contains("fact 39"), "{}", seat.picture());
    // Following goes on with what comes, as far as it matches.
    let seat = seat.event(Level::Error, "fact 3 again").event(Level::Error, "another");
    assert!(seat.picture().contains("fact 3 again"));
    assert!(!seat.picture().lines().nth(20).unwrap_or_default().contains("another"));
}
