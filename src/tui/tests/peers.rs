//! Peers and links: their order, and what is asked of the runtime.

use super::*;

#[test]
fn peers_and_links_in_their_orders() {
    check_selected("3spgg", "nas-01");
    check_selected("3stgg", "seat-31");
    check_selected("3sfgg", "nas-01");
    check_selected("3shgg", "日本の友達");
    check_selected("3shsngg", "nas-01");
    check_selected("4", "nas-01");
    check_selected("4sngg", "alice");
    check_selected("4slgg", "alice");
    check_selected("4spgg", "nas-01");
    check_selected("4stgg", "seat-09");
    check_selected("4sfSG", "nas-01");
    check_selected("4saG", "seat-09");
    check_selected("4/is:draining", "seat-09");
    check_selected("4/is:routed", "alice");
    check_selected("4/10.0.4", "seat-63");
    check_selected("4sngg<Enter>", "alice");
    check_selected("3G", "seat-90");
    check_selected("3/@nas", "nas-01");
    // Enter on a peer shows what it has.
    check_selected("3<Enter>gg", "0 A.D.");
}

#[test]
fn keys_ask_for_peers() {
    check_asked("3a10.0.9.1:47800<Enter>", &[Command::Connect { addr: "10.0.9.1:47800".into() }]);
    check_asked("3T", &[Command::Trust { peer: "k3v9q2aaqqqq".into(), trust: false }]);
    check_asked("3jT", &[Command::Trust { peer: "p7d1mm4sqqqq".into(), trust: true }]);
    check_asked("3b", &[Command::Block { peer: "k3v9q2aaqqqq".into(), block: true }]);
    check_asked("3Gkb", &[Command::Block { peer: "t6g3a7lpqqqq".into(), block: false }]);
}

#[test]
fn limits_and_quiet() {
    let limit = |peer: Option<&str>, up, down| Command::Limit { peer: peer.map(str::to_owned), up, down };
    let some = Some(LimitTo::Bps(20_000_000));
    check_asked("Lu20<Enter>", &[limit(None, some, None)]);
    check_asked("2Ld20 MB/s<Enter>", &[limit(None, None, some)]);
    check_asked("Luoff<Enter>", &[limit(None, Some(LimitTo::Off), None)]);
    check_asked("3Lu20<Enter>", &[limit(Some("k3v9q2aaqqqq"), some, None)]);
    check_asked(
        "3<Space><Space>Ld20<Enter>",
        &[limit(Some("k3v9q2aaqqqq"), None, some), limit(Some("p7d1mm4sqqqq"), None, some)],
    );
    check_asked("Lu0.1<Enter>", &[]);
    check_asked("Lufast<Enter>", &[]);
    check_asked("Lu<Enter>", &[]);
    check_asked("Lu20<Esc>", &[]);
    check_asked("z", &[Command::Quiet { on: true }]);
    let mut room = fixture::room();
    let totals = crate::api::Totals { quiet: true, ..(*room.totals).clone() };
    room.totals = Arc::new(totals);
    let seat = Seat::new(&room, 80, 24).keys("z");
    assert!(seat.picture().contains("quiet"));
    assert_eq!(seat.asked, [Command::Quiet { on: false }]);
}

#[test]
fn an_address_nobody_answered_from_has_no_age() {
    let mut room = fixture::room();
    let peer = crate::api::PeerView { addr: "10.9.9.9:47800".into(), ..crate::api::PeerView::default() };
    room.peers = Arc::new(vec![peer]);
    let picture = Seat::new(&room, 120, 30).keys("3").picture();
    assert!(picture.contains("Offline, not met yet"), "{picture}");
}
