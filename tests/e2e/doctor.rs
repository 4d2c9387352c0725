//! The doctor on a machine of its own kind: this one. Alone it looks itself, and beside a running
//! potluck it is that one's word; what it finds of the network depends on where the tests run.

use serde_json::Value;

use crate::process::Seat;

fn of<'a>(document: &'a Value, check: &str) -> &'a Value {
    let findings = document["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["check"] == check).unwrap_or(&Value::Null)
}

fn examine(seat: &Seat) -> Value {
    let ended = seat.run(&["doctor", "--json"]);
    assert!(matches!(ended.code, Some(0 | 1)), "{ended:#?}");
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    let is_bad = document["findings"].as_array().unwrap().iter().any(|finding| finding["verdict"] == "bad");
    assert_eq!(ended.code, Some(i32::from(is_bad)), "{ended:#?}");
    document
}

#[test]
fn the_doctor_looks_alone_and_beside_a_running_potluck() {
    let mut seat = Seat::new();
    std::fs::create_dir(seat.library().join("nul")).unwrap();
    let alone = examine(&seat);
    assert_eq!(of(&alone, "reach")["verdict"], "ok", "{alone:#}");
    assert!(of(&alone, "port")["what"].as_str().unwrap().contains("is free"), "{alone:#}");
    assert_eq!(of(&alone, "library")["verdict"], "ok", "{alone:#}");
    assert!(alone.to_string().contains("nul (") && !of(&alone, "file-system").is_null(), "{alone:#}");
    assert_eq!(seat.folders_around(), ["library"], "it makes nothing");
    assert_eq!(std::fs::read_dir(seat.library()).unwrap().count(), 1, "it leaves nothing in the library");

    seat.serve(&[]);
    let beside = examine(&seat);
    let port = format!("potluck listens on UDP port {}.", seat.addr().port());
    assert_eq!(of(&beside, "port")["what"], port.as_str());
    assert_eq!(of(&beside, "reach")["verdict"], "ok", "{beside:#}");
    seat.assert_well();
}

#[test]
fn a_library_that_is_not_there_is_the_finding() {
    let seat = Seat::new();
    std::fs::remove_dir(seat.library()).unwrap();
    let document = examine(&seat);
    let library = of(&document, "library");
    assert_eq!(library["verdict"], "bad");
    let fix = library["fix"].as_str().unwrap();
    assert!(fix.starts_with("mkdir -p '") && fix.contains("library"), "{fix}");
}
