//! Lines that are typed: the palette, pasted text; and the keys of users.

use super::*;

#[test]
fn every_action_is_in_the_palette() {
    let coh = || "company-of-heroes".to_owned();
    check_asked(":rescan<Enter>", &[Command::Rescan]);
    check_asked(":resc<Enter>", &[Command::Rescan]);
    check_asked("2:pau<Enter>", &[Command::Pause { game: coh() }]);
    // By its help, and completed.
    check_asked("2:queue<Down><Enter>", &[Command::Reorder { game: coh(), by: 1 }]);
    check_asked(
        ":limit-u<Tab>20 MB/s<Enter>",
        &[Command::Limit { peer: None, up: Some(LimitTo::Bps(20_000_000)), down: None }],
    );
    check_asked(":limit-up off<Enter>", &[Command::Limit { peer: None, up: Some(LimitTo::Off), down: None }]);
    check_asked(":add-address 10.0.9.1:47800<Enter>", &[Command::Connect { addr: "10.0.9.1:47800".into() }]);
    check_asked(":add-addr<Enter>10.0.9.1:47800<Enter>", &[Command::Connect { addr: "10.0.9.1:47800".into() }]);
    check_asked(":pause<Enter>", &[]);
    check_asked(":rescan now<Enter>", &[]);
    check_asked(":rescan<Esc>", &[]);
    check_asked(":<Backspace>R", &[Command::Rescan]);
    check_says(":pause<Enter>", "0 A.D. is not being got");
    check_says("3:later<Enter>", "Only on Transfers.");
    check_says(":zzz<Enter>", "no such action");
    check_says(":rescan now<Enter>", "wants nothing behind its name");
    check_selected(":filter warc<Enter>", "Warcraft III");
    check_screen(":links<Enter>", Screen::Links);
    check_screen(":link<Down><Up><Enter>", Screen::Links);
    let mut seat = busy(80, 24).keys(":");
    seat.tell(Msg::Paste("rescan".into()));
    assert_eq!(seat.keys("<Enter>").asked, [Command::Rescan]);
    check_picture("palette", &busy(80, 24).keys(":"));
    check_picture("palette_limit", &busy(100, 30).keys(":lim<Down>"));
    check_picture("palette_not_now", &busy(80, 24).keys(":pause"));
    check_picture("palette_none", &busy(40, 10).keys(":zzz"));
}

#[test]
fn the_users_keys_are_what_is_shown() {
    let keymap = Keymap::with("verify = [\"V\"]\nhelp = [\"g h\"]\nsort-title = [\"o t\"]\nadd-folder = []").unwrap();
    let mut seat = busy(100, 30);
    seat.model.setting.keymap = keymap;
    check_picture("own_keys", &seat);
    let seat = seat.keys("gh");
    assert!(seat.picture().contains("gh"), "{}", seat.picture());
    let seat = seat.keys("<Esc>rV");
    assert_eq!(seat.asked, [Command::Verify { game: "0-a-d-".into(), repair: false }]);
}

#[test]
fn pasted_text_is_typed_only_into_a_line() {
    let mut seat = busy(80, 24);
    seat.tell(Msg::Paste("qqq\ny".into()));
    assert_eq!((seat.left, seat.model.overlay.is_none()), (None, true));
    seat = seat.keys("a");
    seat.tell(Msg::Paste("/srv/games/old\n".into()));
    assert_eq!(seat.keys("<Enter>").asked.len(), 1);
}

/// `docs/keys.md` is made from the table; run with `UPDATE_DOCS=1` to make it anew.
#[test]
fn the_page_of_keys_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/keys.md");
    let document = super::super::keys_document();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &document).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), document, "run with UPDATE_DOCS=1");
}
