//! A worker's process group: the unit that is signalled, so that grandchildren do not outlive it.

use super::descendants::Processes;
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
        let escaped = Processes::read().descendants_of(self.id(), |_| false);
        let _ = kill_process_group(self.leader, Signal::KILL);
        for escaped in escaped.iter().filter(|escaped| escaped.group != self.id()) {
            if let Some(pid) = i32::try_from(escaped.pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}
