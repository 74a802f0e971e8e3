//! Reaping one child through its descriptor, with what the system counted of it.

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use muster_core::process::ExitStatus;

use super::descendants::read_small;

/// A child that was reaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReapedProcess {
    /// How it ended.
    pub status: ExitStatus,
    /// The most memory that it, or a child it waited for, ever had resident, in bytes. `None` where it is not known.
    pub memory_peak_bytes: Option<u64>,
}

impl ReapedProcess {
    /// One that somebody else has reaped.
    pub const UNKNOWN: Self = Self { status: ExitStatus::Unknown, memory_peak_bytes: None };

    /// One of which only this is known.
    pub fn told(status: ExitStatus) -> Self {
        Self { status, memory_peak_bytes: None }
    }
}

/// Reaps the process if it has ended and is a child of ours.
pub(super) fn reap(pidfd: BorrowedFd<'_>) -> Option<ReapedProcess> {
    let (status, peak_kibibytes) = wait(pidfd)?;
    let peak = peak_kibibytes.saturating_mul(1024);
    // Until it executes its program a child is in our memory, and the system counts that for it. So only what is more
    // than we ever had is surely its own.
    let ours = resident_peak_bytes(std::process::id()).unwrap_or(u64::MAX);
    Some(ReapedProcess { status, memory_peak_bytes: Some(peak).filter(|peak| *peak > ours) })
}

#[expect(unsafe_code, reason = "there is no safe wrapper of this system call that gives what was used")]
fn wait(pidfd: BorrowedFd<'_>) -> Option<(ExitStatus, u64)> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    let options = libc::WEXITED | libc::WNOHANG;
    // SAFETY: both pointers are to memory of ours of the right type, which outlives the call.
    let waited = unsafe {
        libc::syscall(
            libc::SYS_waitid,
            libc::P_PIDFD,
            pidfd.as_raw_fd(),
            info.as_mut_ptr(),
            options,
            usage.as_mut_ptr(),
        )
    };
    if waited != 0 {
        return None;
    }
    // SAFETY: zeroes are a value of both types, and the call writes only whole ones.
    let (info, usage) = unsafe { (info.assume_init(), usage.assume_init()) };
    // SAFETY: waitid fills in these fields, or leaves the zeroes.
    let (pid, number) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return None;
    }
    let status = match info.si_code {
        libc::CLD_EXITED => ExitStatus::Code(number),
        libc::CLD_KILLED | libc::CLD_DUMPED => ExitStatus::Signal(number),
        _ => ExitStatus::Unknown,
    };
    Some((status, u64::try_from(usage.ru_maxrss).unwrap_or_default()))
}

/// The most that a process ever had resident, in bytes.
fn resident_peak_bytes(pid: u32) -> Option<u64> {
    let status = read_small(&format!("/proc/{pid}/status"))?;
    let status = String::from_utf8_lossy(&status);
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim_end().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The CPU time of a process in all its life, with that of the children it waited for. It can be read of one that has
/// ended until it is reaped.
pub fn cpu_time(pid: u32) -> Option<Duration> {
    let stat = read_small(&format!("/proc/{pid}/stat"))?;
    let stat = String::from_utf8_lossy(&stat);
    let (_, fields) = stat.rsplit_once(')')?;
    // User and system time, its own and its children's: fields 14 to 17.
    let ticks = fields.split_ascii_whitespace().skip(11).take(4).map(str::parse::<u64>);
    let ticks: u64 = ticks.sum::<Result<u64, _>>().ok()?;
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Some(Duration::from_millis(ticks.saturating_mul(1000) / per_second))
}

/// How many processes the kernel has ended for want of memory since the machine was booted.
pub fn oom_kills() -> Option<u64> {
    let statistics = std::fs::read_to_string("/proc/vmstat").ok()?;
    statistics.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd as _;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test needs processes that end")]
    #[expect(clippy::zombie_processes, reason = "what is tested is what waits for them")]
    fn a_child_is_reaped_once_with_its_status() {
        for (script, status) in [("exit 3", ExitStatus::Code(3)), ("kill -9 $$", ExitStatus::Signal(9))] {
            let mut command = std::process::Command::new("sh");
            let child = command.args(["-c", script]).stdin(std::process::Stdio::null()).spawn().unwrap();
            let pid = rustix::process::Pid::from_child(&child);
            let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
            let deadline = std::time::Instant::now() + Duration::from_secs(20);
            let reaped = loop {
                match reap(pidfd.as_fd()) {
                    Some(reaped) => break reaped,
                    None => assert!(std::time::Instant::now() < deadline),
                }
            };
            assert_eq!(reaped.status, status, "{script}");
            assert_eq!(reap(pidfd.as_fd()), None);
        }
    }

    #[test]
    fn what_a_process_used_can_be_read() {
        let own = std::process::id();
        assert!(cpu_time(own).is_some() && cpu_time(u32::MAX).is_none());
        assert!(resident_peak_bytes(own).unwrap() > 0);
    }
}
