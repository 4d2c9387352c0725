//! A process of its own for a test that counts what a whole process has: memory, threads, files. It stands here because
//! tests of every layer may name it.

use std::{env, process::Command};

/// Whether this process runs nothing but this test; if it does, the test is run once more in one of its own.
pub(crate) fn is_alone(test: &str) -> bool {
    if env::args().any(|word| word == "--exact") {
        return true;
    }
    let mut child = Command::new(env::current_exe().expect("our own program"));
    assert!(child.args(["--exact", test, "--nocapture"]).status().expect("a process").success(), "see above");
    false
}
