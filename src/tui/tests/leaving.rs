//! Leaving: when it asks, and what it asks.

use super::*;

fn check_left(attached: Option<&str>, snapshot: &Snapshot, keys: &str, expect: Option<Exit>) {
    let seat = Seat::with(snapshot, 100, 30, GlyphLevel::Blocks, attached).keys(keys);
    assert_eq!(seat.left, expect, "{keys}");
}

#[test]
fn leaving_asks_where_something_would_be_lost() {
    let (room, nothing) = (fixture::room(), fixture::nothing());
    check_left(None, &nothing, "q", Some(Exit::Quit));
    check_left(None, &room, "q", None);
    check_left(None, &room, "q<Esc>", None);
    check_left(None, &room, "qy", Some(Exit::Quit));
    check_left(None, &room, "qb", Some(Exit::Background));
    check_left(Some("nas-01"), &room, "qb", Some(Exit::Detached));
    check_left(None, &room, ":background<Enter>", Some(Exit::Background));
    check_left(None, &nothing, ":background<Enter>", Some(Exit::Background));
    check_left(Some("nas-01"), &room, ":background<Enter>", None);
    check_left(None, &room, "<Ctrl-c>", None);
    check_left(None, &room, "<Ctrl-c><Ctrl-c>", Some(Exit::Quit));
    check_left(Some("nas-01"), &room, "q", Some(Exit::Detached));
    check_left(None, &room, "/q", None);
    check_left(None, &room, "?q", None);
    let mut demo = fixture::room();
    let mut me = (*demo.me).clone();
    me.demo = true;
    demo.me = Arc::new(me);
    check_left(None, &demo, "q", Some(Exit::Quit));
    check_left(None, &demo, ":background<Enter>", None);
    // Also where nothing can be drawn.
    let mut tiny = Seat::new(&nothing, 39, 9);
    assert!(tiny.picture().contains("q quits"));
    tiny = tiny.keys("q");
    assert_eq!(tiny.left, Some(Exit::Quit));
    // A question nobody can see would lock people in.
    assert_eq!(Seat::new(&room, 39, 9).keys("q").left, Some(Exit::Quit));
}

#[test]
fn a_second_ctrl_c_counts_only_soon_after_the_first() {
    let mut seat = busy(80, 24).keys("<Ctrl-c>");
    let later = Moment { unix_ms: seat.model.now.unix_ms + 3_000, offset_s: 0 };
    seat.tell(Msg::Time(later));
    assert_eq!(seat.keys("<Ctrl-c>").left, None);
}
