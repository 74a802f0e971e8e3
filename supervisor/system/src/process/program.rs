//! The program behind a launcher: the worker itself, where what was started is `sh -c`, `npm run` or their like.
//!
//! A launcher may stay between, end before its program or after it, and change its exit status. So the program is watched
//! itself. It is no child of ours: how it ended the system tells whoever holds its pidfd, from Linux 6.15 on.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use muster_core::process::ExitStatus;
use rustix::process::{Signal, pidfd_send_signal};
use tokio::io::unix::AsyncFd;

/// Its parent reaps it soon after it has ended. Only then the system tells how.
const REAPED_WITHIN: Duration = Duration::from_millis(200);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Watches a program that is a descendant of what was started.
#[derive(Debug)]
pub struct LaunchedProgram {
    pidfd: AsyncFd<OwnedFd>,
    pid: u32,
}

impl LaunchedProgram {
    /// Watches it. Must be called inside a runtime.
    ///
    /// # Errors
    /// When the runtime cannot watch one more descriptor.
    pub(super) fn watch(pid: u32, pidfd: OwnedFd) -> io::Result<Self> {
        Ok(Self { pidfd: super::descriptors::watch_readable(pidfd)?, pid })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.pid
    }

    /// A handle on it, to ask it to end by.
    ///
    /// # Errors
    /// When there are no more descriptors.
    pub fn handle(&self) -> io::Result<OwnedFd> {
        self.pidfd.get_ref().try_clone()
    }

    /// Returns when it has ended.
    pub async fn ended(&self) {
        // As with every process: the readiness is never cleared, and what cannot be watched has ended.
        let _ = self.pidfd.readable().await;
    }

    /// How it ended, once it has. `None` on a kernel that does not tell, or while nobody reaps it.
    pub async fn exit_status(&self) -> Option<ExitStatus> {
        // Its launcher may have left it to us.
        if let Some(reaped) = super::reaping::reap(self.pidfd.get_ref().as_fd()) {
            return Some(reaped.status);
        }
        let told = async {
            loop {
                match exit_info(self.pidfd.get_ref().as_fd()) {
                    ExitInfo::Told(status) => return Some(status),
                    ExitInfo::NotYet => tokio::time::sleep(LOOK_EVERY).await,
                    ExitInfo::Never => return None,
                }
            }
        };
        tokio::time::timeout(REAPED_WITHIN, told).await.ok().flatten()
    }
}

/// Asks a program to end, through its handle. Its launcher may keep the signal to itself, and it may be in another group.
pub fn terminate_program(handle: &OwnedFd) {
    // One that has ended needs no signal.
    let _ = pidfd_send_signal(handle, Signal::TERM);
}

/// What the system says of a process that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExitInfo {
    Told(ExitStatus),
    /// It lives, or is not reaped.
    NotYet,
    /// This kernel does not tell.
    Never,
}

#[expect(unsafe_code, reason = "there is no safe wrapper of this request")]
fn exit_info(pidfd: BorrowedFd<'_>) -> ExitInfo {
    // SAFETY: zeroes are a value of this type, which consists of numbers.
    let mut info = unsafe { MaybeUninit::<libc::pidfd_info>::zeroed().assume_init() };
    let wanted = u64::from(libc::PIDFD_INFO_EXIT);
    info.mask = wanted;
    // SAFETY: the request takes a pointer to this type, whose size is part of its number, and keeps nothing of it.
    let asked = unsafe { libc::ioctl(pidfd.as_raw_fd(), libc::PIDFD_GET_INFO, &raw mut info) };
    if asked != 0 {
        return ExitInfo::Never;
    }
    if info.mask & wanted == 0 {
        return ExitInfo::NotYet;
    }
    ExitInfo::Told(match (info.exit_code & 0x7f, (info.exit_code >> 8) & 0xff) {
        (0, code) => ExitStatus::Code(code),
        (signal, _) => ExitStatus::Signal(signal),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    use super::*;

    /// A grandchild, which ends as the script says once its stdin does, and its reaper.
    #[expect(clippy::disallowed_methods, reason = "the test needs a process that is not its child")]
    fn grandchild(script: &str) -> (std::process::Child, LaunchedProgram) {
        let between = format!("sh -c 'echo $$; read line; {script}'; exit 0");
        let mut command = Command::new("sh");
        command.args(["-c", &between]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut parent = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(parent.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let pid: u32 = line.trim().parse().unwrap();
        assert_ne!(pid, parent.id());
        let pidfd = Pid::from_raw(pid as i32).unwrap();
        let pidfd = pidfd_open(pidfd, PidfdFlags::NONBLOCK).unwrap();
        (parent, LaunchedProgram::watch(pid, pidfd).unwrap())
    }

    #[tokio::test]
    async fn its_own_end_is_told_and_not_its_launchers() {
        for (script, status) in [("exit 7", ExitStatus::Code(7)), ("kill -9 $$", ExitStatus::Signal(9))] {
            let (mut parent, program) = grandchild(script);
            let before = exit_info(program.pidfd.get_ref().as_fd());
            assert!(matches!(before, ExitInfo::NotYet | ExitInfo::Never), "{before:?}");
            drop(parent.stdin.take());
            program.ended().await;
            let told = program.exit_status().await;
            assert!(parent.wait().unwrap().success());
            // Older kernels do not tell: then nothing is made up.
            match before {
                ExitInfo::Never => assert_eq!(told, None, "{script}"),
                ExitInfo::NotYet | ExitInfo::Told(_) => assert_eq!(told, Some(status), "{script}"),
            }
        }
    }
}
