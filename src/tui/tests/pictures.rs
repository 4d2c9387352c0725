//! What every screen looks like at every size, with and without colours and Unicode.

use super::*;

#[test]
fn every_screen_at_every_size() {
    for (width, height) in [(80, 24), (100, 30), (160, 45), (40, 10), (39, 9)] {
        check_picture(&format!("library_{width}x{height}"), &busy(width, height).keys("jjjj"));
        check_picture(&format!("transfers_{width}x{height}"), &busy(width, height).keys("2"));
        check_picture(&format!("peers_{width}x{height}"), &busy(width, height).keys("3jj"));
        let links = linked(busy(width, height)).keys("4j<Space>");
        check_picture(&format!("links_{width}x{height}"), &links);
        let log = busy(width, height)
            .event(Level::Debug, "A link to seat-22 was made.")
            .event(Level::Info, "seat-22 is here.")
            .event(Level::Warning, "seat-90 went away. All its 83 games are still here from others.")
            .event(Level::Error, "Warsow 2.1.2: pak2.zip is broken. Get it again.")
            .keys("5");
        check_picture(&format!("log_{width}x{height}"), &log);
    }
}

#[test]
fn dialogs_and_lines() {
    check_picture("help", &busy(80, 24).keys("?"));
    check_picture("help_end", &busy(100, 30).keys("?G"));
    check_picture("question_cancel", &busy(80, 24).keys("jjjjc"));
    check_picture("question_remove", &busy(80, 24).keys("d"));
    check_picture("question_quit", &busy(80, 24).keys("q"));
    check_picture("filter", &busy(80, 24).keys("/war<Down>"));
    check_picture("chord", &busy(80, 24).keys("s"));
    check_picture("marked", &busy(80, 24).keys("j<Space>jjjjj<Space>"));
    check_picture("add_folder", &busy(80, 24).keys("a~/Games of old"));
    check_picture("waiting_selected", &busy(100, 30).keys("2jjjj"));
    check_picture("update_selected", &busy(100, 30).keys("jjjjj"));
    check_picture("two_builds_selected", &busy(100, 30).keys("/warcraft<Enter>"));
}

#[test]
fn ascii_and_the_first_minute() {
    let ascii = |keys: &str| Seat::with(&fixture::room(), 100, 30, GlyphLevel::Ascii, None).keys(keys);
    check_picture("ascii_library", &ascii("jjjj"));
    check_picture("ascii_transfers", &ascii("2"));
    check_picture("ascii_peers", &ascii("3jj"));
    check_picture("ascii_links", &linked(ascii("4")));
    for keys in ["jjjj", "2", "3", "4", "5", "?", "jjjjc"] {
        let drawn = ascii(keys).drawn(ColorDepth::Mono);
        assert!(drawn.content.iter().all(|cell| cell.symbol().is_ascii()), "{keys}");
    }
    let empty = |keys: &str| Seat::new(&fixture::nothing(), 80, 24).keys(keys);
    check_picture("empty_library", &empty(""));
    check_picture("empty_transfers", &empty("2"));
    check_picture("empty_peers", &empty("3"));
    check_picture("empty_links", &empty("4"));
    check_picture("empty_log", &empty("5"));
    check_picture("no_match", &busy(80, 24).keys("/zzz"));
    let mut scanning = fixture::nothing();
    let mut me = (*scanning.me).clone();
    me.phase = Phase::Scanning;
    me.demo = true;
    me.mdns = false;
    scanning.me = Arc::new(me);
    check_picture("demo_scanning", &Seat::new(&scanning, 80, 24));
    let attached = Seat::with(&fixture::room(), 100, 30, GlyphLevel::Blocks, Some("nas-01"));
    check_picture("attached", &attached);
}

/// The colours of the two busiest screens: what each run of cells looks like.
#[test]
fn without_colours_everything_is_still_told() {
    for (name, keys) in [("mono_library", "jjjj"), ("mono_transfers", "2"), ("mono_links", "4j")] {
        let buf = busy(80, 24).keys(keys).drawn(ColorDepth::Mono);
        let colours = buf.content.iter().filter(|cell| {
            use ratatui::style::Color::Reset;
            cell.fg != Reset || cell.bg != Reset
        });
        assert_eq!(colours.count(), 0);
        check_text(name, &text_of(&buf));
    }
}
