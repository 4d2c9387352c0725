//! Documents that are made from the sources say what the sources say. `UPDATE_DOCUMENTS=1` writes
//! them anew.

use std::{env, fs, path::Path};

#[test]
fn generated_documents_are_fresh() {
    check("docs/cli.md", &potluck::cli::document());
    check("docs/config.md", &potluck::config::document());
}

fn check(path: &str, expect: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(&file, expect).expect("the document can be written");
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(found == expect, "{path} is stale; `UPDATE_DOCUMENTS=1 cargo test --test documents` writes it anew");
}
