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

/// The line that is typed, and what is offered.
fn typed(seat: &Seat) -> (String, Vec<&str>) {
    let Some(Overlay::Prompt(prompt)) = &seat.model.overlay else { panic!("nothing is typed") };
    (prompt.line.text(), prompt.choices.words().iter().map(String::as_str).collect())
}

#[test]
fn tab_completes_a_path() {
    let listed = |mut seat: Seat, folder: &str, names: &[&str]| {
        assert_eq!(seat.listed.pop().as_deref(), Some(folder));
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        seat.tell(Msg::Listed { folder: folder.to_owned(), names });
        seat
    };
    let names = &[".cache/", "Downloads/", "Doom.zip", "Games/"];
    let seat = listed(busy(80, 24).keys("a<Tab>"), "/home/ann/", names);
    assert_eq!(typed(&seat), ("~/".into(), vec!["Downloads/", "Doom.zip", "Games/"]));
    check_picture("path_choices", &seat.keys("<Tab><Tab>"));
    let seat = listed(busy(80, 24).keys("a~/G<Tab>"), "/home/ann/", names);
    assert_eq!(typed(&seat), ("~/Games/".into(), vec![]));
    let seat = listed(busy(80, 24).keys("a~/D<Tab>"), "/home/ann/", names).keys("<Down><Down>");
    assert_eq!(typed(&seat), ("~/Doom.zip".into(), vec!["Downloads/", "Doom.zip"]));
    let seat = seat.keys("<Up>");
    assert_eq!(typed(&seat).0, "~/Downloads/");
    // What is typed on takes the offer away, and Enter adds what stands there.
    let seat = listed(seat.keys("x<Backspace><Tab>"), "/home/ann/Downloads/", &["Open Arena/"]);
    assert_eq!(typed(&seat), ("~/Downloads/Open Arena/".into(), vec![]));
    let seat = seat.keys("<Enter>");
    let Some(Command::Add { path, .. }) = seat.asked.last() else { panic!("nothing was added") };
    assert_eq!(path.to_str(), Some("/home/ann/Downloads/Open Arena/"));
    let seat = listed(busy(80, 24).keys("a/srv/.h<Tab>"), "/srv/", &[".hidden/", "seen/"]);
    assert_eq!(typed(&seat).0, "/srv/.hidden/");
    // No folder, nobody in it, and an answer that comes when something else is typed.
    assert_eq!(busy(80, 24).keys("ahere<Tab>").listed, Vec::<String>::new());
    assert_eq!(typed(&listed(busy(80, 24).keys("a/x/y<Tab>"), "/x/", &[])), ("/x/y".into(), vec![]));
    let late = listed(busy(80, 24).keys("a/x/<Tab>y/"), "/x/", &["z"]);
    assert_eq!(typed(&late), ("/x/y/".into(), vec![]));
}

fn check_filter(keys: &str, line: &str, offered: &[&str]) {
    let seat = busy(80, 24).keys(keys);
    assert_eq!(typed(&seat), (line.to_owned(), offered.to_vec()), "{keys}");
    assert_eq!(seat.model.filter(), line, "{keys}: the filter is what the line says");
}

#[test]
fn tab_completes_words_of_the_filter() {
    check_filter("/<Tab>", "", &["@", "is:"]);
    check_filter("/is:re<Tab>", "is:ready", &[]);
    check_filter("/is:p<Tab>", "is:p", &["is:paused", "is:pinned", "is:private"]);
    check_filter("/is:p<Tab><Tab><Tab>", "is:pinned", &["is:paused", "is:pinned", "is:private"]);
    check_filter("/war is:wa<Tab>", "war is:waiting", &[]);
    check_filter("/@na<Tab>", "@nas-01", &[]);
    check_filter("/@seat-0<Tab>", "@seat-0", &["@seat-04", "@seat-09"]);
    check_filter("/@日<Tab>", "@日本の友達", &[]);
    check_filter("/zzz<Tab>", "zzz", &[]);
    check_filter("3/is:b<Tab>", "is:blocked", &[]);
    check_filter("4/is:<Tab>", "is:", &["is:dialled", "is:draining", "is:lan", "is:routed"]);
    check_filter("5/is<Tab>", "is", &[]);
    check_filter("5/<Tab>", "", &[]);
    // What takes space is nobody's but ours.
    check_filter("F/<Tab>", "is:", &[]);
}

/// Every quality that is offered is one that something could have.
#[test]
fn what_is_offered_is_understood() {
    use super::super::model::filter::qualities;
    let mut room = fixture::room();
    let (mut games, mut transfers, mut peers) =
        ((*room.games).clone(), (*room.transfers).clone(), (*room.peers).clone());
    games[0].state = crate::api::StateWord::Installing;
    games[1].pinned = Some("1".into());
    games[2].builds[0].ours = true;
    transfers[1].state = crate::api::StateWord::Failed;
    transfers[4].state = crate::api::StateWord::Checking;
    peers[0].trusted = true;
    (room.games, room.transfers, room.peers) = (Arc::new(games), Arc::new(transfers), Arc::new(peers));
    for (number, screen) in (1..).zip(Screen::TABS) {
        for quality in qualities(screen) {
            // One of each tab is marked for the library.
            let keys = if screen == Screen::Library {
                format!("G<Space>gg/is:{quality}<Enter>")
            } else {
                format!("{number}/is:{quality}<Enter>")
            };
            let seat = Seat::new(&room, 100, 30).keys(&keys);
            let shown = seat.model.table(screen).unwrap().rows().len();
            assert!(shown > 0, "is:{quality} shows nothing on {}", screen.name());
        }
    }
}

#[test]
fn themes_are_seen_while_they_are_chosen() {
    let tried = |keys: &str| busy(80, 24).keys(keys).themes;
    let nothing: [&str; 0] = [];
    assert_eq!(tried(":theme<Enter><Esc>"), nothing, "nothing was tried, so nothing is taken back");
    assert_eq!(tried(":theme<Enter><Down>"), ["high-contrast"]);
    assert_eq!(tried(":theme<Enter><Down><Down><Up>"), ["high-contrast", "blue-orange", "high-contrast"]);
    assert_eq!(tried(":theme gru<Tab>"), ["gruvbox-dark"]);
    assert_eq!(tried(":theme mine<Enter>"), ["mine"]);
    assert_eq!(tried("::theme<Esc>"), nothing);
    // The loop answers; what is left then is what was there before, or what was chosen.
    let mut seat = busy(80, 24).keys(":theme<Enter><Up>");
    assert_eq!(seat.themes.pop().as_deref(), Some("mine"));
    seat.tell(Msg::Themed { name: "mine".into(), half_blocks: false });
    check_picture("themes", &seat);
    let back = seat.keys("<Esc>");
    assert_eq!(back.themes, ["default"]);
    let mut seat = busy(80, 24).keys(":theme<Enter><Down>");
    seat.tell(Msg::Themed { name: "high-contrast".into(), half_blocks: true });
    let seat = seat.keys("<Enter>");
    assert_eq!((seat.model.setting.theme.as_str(), seat.themes.len()), ("high-contrast", 1));
    assert!(seat.picture().contains("high-contrast until you leave."), "{}", seat.picture());
    // One that is broken says so, and nothing changes.
    let mut seat = busy(80, 24);
    seat.tell(Msg::NotThemed("theme mine, line 3: there is no role redy; the nearest is ready".into()));
    assert!(seat.picture().contains("line 3"));
    // Without colours there is nothing to choose.
    let mut seat = busy(80, 24);
    seat.model.setting.themes.clear();
    let seat = seat.keys(":theme<Enter>");
    assert!(seat.model.notice.text.contains("shows no colours"), "{}", seat.model.notice.text);
}
