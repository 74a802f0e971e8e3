//! A worker's process group: the unit that is signalled, so that grandchildren do not outlive it.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// The process group a worker leads. Signals are sent only while the leader is not reaped, so that its
/// number cannot belong to anyone else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    leader: Pid,
}

impl Group {
    /// The group led by `leader`.
    pub fn led_by(leader: Pid) -> Self {
        Self { leader }
    }

    /// The leader's process id, which is the group's.
    pub fn id(self) -> u32 {
        self.leader.as_raw_pid().unsigned_abs()
    }

    /// The leader.
    pub fn leader(self) -> Pid {
        self.leader
    }

    /// Asks all of the group to end.
    pub fn terminate(self) {
        // A group that is gone already is what was wanted.
        let _ = kill_process_group(self.leader, Signal::TERM);
    }

    /// Ends all of the group, and what its leader started in sessions of their own.
    pub fn kill(self) {
        let escaped = descendants(self.id());
        let _ = kill_process_group(self.leader, Signal::KILL);
        for pid in escaped {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// All living descendants of a process, found through /proc. A descendant that called setsid left the
/// group, but while its parents live it is still found here.
fn descendants(root: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for thread in threads.flatten() {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            for child in children.split_ascii_whitespace().filter_map(|text| text.parse().ok()) {
                found.push(child);
                open.push(child);
            }
        }
    }
    found
}

/// A signal's name, for messages people read.
pub fn signal_name(number: i32) -> String {
    let name = match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        31 => "SIGSYS",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}
