//! What the child process denies itself before it reads the first byte of an archive: every file but
//! the archives and the staging folder, sockets, programs, other processes, new rights, and more memory,
//! time and disk than the job allows. What a system does not have is said, not hidden.

use std::path::PathBuf;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::wire::extraction::{Job, Limits};

/// Seconds of processor time beyond the job's, so that the child's own word on its limit comes first.
const CPU_GRACE_SECONDS: u64 = 30;

/// Ends this process with the one that started it, which would have ended it.
pub(super) fn end_with_parent() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)) {
        // It also ends when nobody reads what it says.
        tracing::debug!(%error, "no signal when the parent ends");
    }
}

/// Confines this process for good; gives what could not be denied, in words for people.
pub(super) fn confine(job: &Job) -> Vec<String> {
    let mut missing = limit(&job.limits);
    let archives = job.files.iter().map(|file| PathBuf::from(&job.root).join(file));
    missing.extend(deny_files(archives, job.staging.as_ref().map(PathBuf::from)));
    missing.extend(deny_calls());
    missing
}

fn limit(limits: &Limits) -> Vec<String> {
    let wanted = [
        (Resource::As, limits.memory, "memory"),
        (Resource::Fsize, limits.bytes, "the size of files"),
        (Resource::Cpu, limits.seconds.saturating_add(CPU_GRACE_SECONDS), "processor time"),
        (Resource::Core, 0, "memory dumps"),
    ];
    let mut missing = Vec::new();
    for (resource, most, name) in wanted {
        let hard = getrlimit(resource).maximum;
        let most = Some(hard.map_or(most, |hard| hard.min(most)));
        if setrlimit(resource, Rlimit { current: most, maximum: most }).is_err() {
            missing.push(format!("a limit on {name}"));
        }
    }
    missing
}

#[cfg(target_os = "linux")]
fn deny_files(archives: impl Iterator<Item = PathBuf>, staging: Option<PathBuf>) -> Vec<String> {
    use landlock::{
        ABI, Access as _, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
        RulesetError, RulesetStatus, Scope,
    };

    /// The newest this was written for; the crate takes of it what the kernel has.
    const ABI_WANTED: ABI = ABI::V6;

    let restrict = || -> Result<RulesetStatus, RulesetError> {
        let special = AccessFs::Execute
            | AccessFs::MakeChar
            | AccessFs::MakeBlock
            | AccessFs::MakeFifo
            | AccessFs::MakeSock
            | AccessFs::IoctlDev;
        let mut rules = Ruleset::default()
            .handle_access(AccessFs::from_all(ABI_WANTED))?
            .handle_access(AccessNet::from_all(ABI_WANTED))?
            .scope(Scope::from_all(ABI_WANTED))?
            .create()?;
        for archive in archives {
            // One that is not there any more is missed by whoever opens it.
            let Ok(fd) = PathFd::new(&archive) else { continue };
            rules = rules.add_rule(PathBeneath::new(fd, AccessFs::ReadFile))?;
        }
        if let Some(Ok(fd)) = staging.map(PathFd::new) {
            rules = rules.add_rule(PathBeneath::new(fd, AccessFs::from_all(ABI_WANTED) & !special))?;
        }
        rules.restrict_self().map(|status| status.ruleset)
    };
    match restrict() {
        Ok(RulesetStatus::FullyEnforced) => Vec::new(),
        Ok(RulesetStatus::PartiallyEnforced) => vec!["some of what a newer kernel's Landlock denies".into()],
        Ok(RulesetStatus::NotEnforced) => vec!["files elsewhere (this kernel has no Landlock)".into()],
        Err(error) => vec![format!("files elsewhere ({error})")],
    }
}

#[cfg(not(target_os = "linux"))]
fn deny_files(_archives: impl Iterator<Item = PathBuf>, _staging: Option<PathBuf>) -> Vec<String> {
    vec!["files elsewhere (this system has no Landlock)".into()]
}

/// Calls that reading archives never needs fail from here on. What they are for is denied by the
/// kernel's own rules as well; this makes the kernel itself smaller.
#[cfg(target_os = "linux")]
fn deny_calls() -> Vec<String> {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};

    const DENIED: &[i64] = &[
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_kill,
        libc::SYS_pidfd_open,
        libc::SYS_pidfd_send_signal,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_linkat,
        libc::SYS_mknodat,
        libc::SYS_fchownat,
        libc::SYS_fchown,
        libc::SYS_setxattr,
        libc::SYS_fsetxattr,
    ];
    let said = |detail: String| vec![format!("system calls it does not need ({detail})")];
    let arch: TargetArch = match std::env::consts::ARCH.try_into() {
        Ok(arch) => arch,
        Err(_) => return said("unknown on this processor".into()),
    };
    let denied = DENIED.iter().map(|call| (*call, Vec::new())).collect();
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let program = SeccompFilter::new(denied, SeccompAction::Allow, refuse, arch).and_then(BpfProgram::try_from);
    match program
        .map_err(|error| error.to_string())
        .and_then(|program| apply_filter(&program).map_err(|e| e.to_string()))
    {
        Ok(()) => Vec::new(),
        Err(detail) => said(detail),
    }
}

#[cfg(not(target_os = "linux"))]
fn deny_calls() -> Vec<String> {
    vec!["system calls it does not need".into()]
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{fs, io::ErrorKind, net, process::Command, thread};

    use super::*;

    /// Both kinds of denial hold for the thread that asks for them, so a thread can stand for the child.
    #[test]
    fn what_is_denied_fails_and_what_is_needed_works() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("staging")).unwrap();
        fs::create_dir(at("outside")).unwrap();
        for file in ["a.zip", "b.zip", "outside/secret"] {
            fs::write(at(file), "x").unwrap();
        }
        let denied = |result: std::io::Result<()>| {
            let error = result.expect_err("denied");
            assert!(matches!(error.kind(), ErrorKind::PermissionDenied), "{error}");
        };
        let confined = thread::scope(|scope| {
            let work = || {
                let files = deny_files(std::iter::once(at("a.zip")), Some(at("staging")));
                let calls = deny_calls();
                if !files.is_empty() || !calls.is_empty() {
                    return Err([files, calls].concat());
                }
                fs::read(at("a.zip")).unwrap();
                fs::create_dir_all(at("staging/a/b")).unwrap();
                fs::write(at("staging/a/b/c"), "x").unwrap();
                fs::rename(at("staging/a/b/c"), at("staging/d")).unwrap();
                std::os::unix::fs::symlink("d", at("staging/e")).unwrap();
                fs::remove_file(at("staging/d")).unwrap();
                denied(fs::read(at("b.zip")).map(drop));
                denied(fs::read(at("outside/secret")).map(drop));
                denied(fs::read("/etc/passwd").map(drop));
                denied(fs::write(at("outside/new"), "x"));
                denied(fs::write(at("a.zip"), "x"));
                denied(fs::remove_file(at("b.zip")));
                denied(fs::hard_link(at("a.zip"), at("staging/f")));
                denied(fs::read_dir(dir.path()).map(drop));
                denied(net::UdpSocket::bind("127.0.0.1:0").map(drop));
                denied(std::os::unix::net::UnixStream::pair().map(drop));
                denied(Command::new("/bin/true").status().map(drop));
                Ok(())
            };
            scope.spawn(work).join().unwrap()
        });
        if let Err(missing) = confined {
            tracing::warn!(?missing, "this system confines less, so what is denied was not tried");
        }
        // Only that thread is confined.
        fs::read(at("outside/secret")).unwrap();
    }
}
