//! What the system lets this process have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the number of files this process may have open to what the system allows it: each shared
/// game keeps its folder open. Gives the number there is now; `None` when there is no limit.
pub fn raise_open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current,
        // Without the right to, the old limit stays; large libraries then share what fits.
        Err(_) => limit.current,
    }
}
