//! What is copied.

use super::*;

fn check_copied(keys: &str, expect: Option<&str>) {
    assert_eq!(busy(100, 30).keys(keys).copied.as_deref(), expect, "{keys}");
}

#[test]
fn what_is_copied() {
    check_copied("yp", Some("/home/ann/Games/0-a-d-"));
    check_copied("jyp", None);
    check_copied("2yp", Some("/home/ann/Games/company-of-heroes"));
    check_copied("2yi", Some("4fa1"));
    check_copied("2yc", Some("potluck get company-of-heroes --content 4fa1"));
    check_copied("2<Space><Space>yi", Some("4fa1\n4fa1"));
    check_copied("3yc", Some("potluck connect 10.0.3.2:47800"));
    check_copied("3yi", Some("k3v9q2aaqqqq"));
    check_copied("4yc", Some("potluck connect 10.0.3.2:47800"));
    check_copied("4jyc", Some("potluck connect 10.0.3.4:47800"));
    check_copied("4yi", Some("k3v9q2aaqqqq"));
    check_copied("y<Esc>", None);
    check_copied("5yi", None);
}
