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
        let children = children(pid);
        open.extend(&children);
        found.extend(children);
    }
    found
}

/// The direct children of a process: those of all its threads.
pub(super) fn children(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| numbers(&list)).collect()
}

fn numbers(text: &str) -> Vec<u32> {
    text.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect()
}
