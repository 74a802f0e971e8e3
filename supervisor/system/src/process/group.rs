//! A worker's process group: the unit that is signalled, so that grandchildren do not outlive it.

use super::descendants::ProcessTable;
use rustix::process::{Pid, Signal, kill_process_group};

/// The process group a worker leads. Signals are sent only while the leader is not reaped, so that its
/// number cannot belong to anyone else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessGroup {
    leader: Pid,
}

impl ProcessGroup {
    /// Names the group that `leader` leads, or led.
    pub fn led_by(leader: Pid) -> Self {
        Self { leader }
    }

    /// The leader's process id, which is the group's.
    pub fn id(self) -> u32 {
        self.leader.as_raw_pid().unsigned_abs()
    }

    /// The process whose id is the group's.
    pub fn leader(self) -> Pid {
        self.leader
    }

    /// Asks all of the group to end.
    pub fn terminate(self) {
        // A group that is gone already is what was wanted.
        let _ = kill_process_group(self.leader, Signal::TERM);
    }

    /// Ends all of the group. What left it is for its [`super::ProcessTree`] to find.
    pub fn kill_members(self) {
        let _ = kill_process_group(self.leader, Signal::KILL);
    }

    /// Ends all of the group, and what its leader started in sessions of their own, as far as parents lead there.
    pub fn kill(self) {
        let escaped = ProcessTable::read().descendants_of(self.id(), |_| false);
        self.kill_members();
        escaped.iter().filter(|seen| seen.group != self.id()).for_each(super::process_tree::kill);
    }
}
