//! What this process may use of the machine. Called once by `runtime::driver` before anything is
//! opened; it changes limits of the process itself and nothing else.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than are ever open at once (links, files being served and written, watches); beyond that a
/// higher limit only makes other programs' habits slow, which close every number up to it.
const OPEN_FILES_WANTED: u64 = 65_536;

/// Raises the number of files this process may have open as far as it may, and gives the number.
/// 1,024, the usual start, is little for many peers and large swarms.
pub fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let (soft, wanted) = (limit.current, wanted(limit));
    if soft.is_some_and(|soft| soft < wanted) {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "cannot raise the limit of open files");
        }
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

fn wanted(limit: Rlimit) -> u64 {
    limit.maximum.map_or(OPEN_FILES_WANTED, |hard| hard.min(OPEN_FILES_WANTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_and_never_lowered() {
        let check = |current, maximum, expect| assert_eq!(wanted(Rlimit { current, maximum }), expect);
        check(Some(1_024), Some(4_096), 4_096);
        check(Some(1_024), Some(1 << 30), OPEN_FILES_WANTED);
        check(Some(1_024), None, OPEN_FILES_WANTED);
        let before = getrlimit(Resource::Nofile);
        let now = raise_open_files();
        assert!(now >= before.current.unwrap_or(u64::MAX) && now >= wanted(before));
        assert_eq!(getrlimit(Resource::Nofile).maximum, before.maximum);
    }
}
