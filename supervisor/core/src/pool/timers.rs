//! Deadlines in order. An alarm that moves later costs nothing: its entry stays where it is, and when it
//! comes up too early it is moved. So the three deadlines of an ordinary run touch the tree hardly ever.

use std::collections::BTreeSet;

use super::event::WorkerId;
use super::time::PoolTime;

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimerOwner {
    /// The pool's own: scale up, retire replacements, try to start again, end a drain.
    Pool,
    /// The deadline of the state a worker is in.
    Worker(WorkerId),
    /// A worker's age.
    Age(WorkerId),
}

/// One settable deadline: when it is wanted, and where its entry in [`DeadlineQueue`] stands.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    wanted: Option<PoolTime>,
    armed: Option<PoolTime>,
}

/// All entries, earliest first.
#[derive(Debug, Default)]
pub(super) struct DeadlineQueue {
    entries: BTreeSet<(PoolTime, TimerOwner)>,
}

impl DeadlineQueue {
    /// Sets or clears `alarm`, which goes by the name `timer`.
    pub(super) fn set(&mut self, alarm: &mut Deadline, timer: TimerOwner, wanted: Option<PoolTime>) {
        alarm.wanted = wanted;
        let Some(wanted) = wanted else { return };
        match alarm.armed {
            Some(armed) if armed <= wanted => {}
            Some(armed) => {
                self.entries.remove(&(armed, timer));
                self.arm(alarm, timer, wanted);
            }
            None => self.arm(alarm, timer, wanted),
        }
    }

    /// Forgets an alarm whose owner is gone.
    pub(super) fn forget(&mut self, alarm: &mut Deadline, timer: TimerOwner) {
        alarm.wanted = None;
        if let Some(armed) = alarm.armed.take() {
            self.entries.remove(&(armed, timer));
        }
    }

    /// The earliest entry. It may be earlier than anything wanted, never later.
    pub(super) fn next(&self) -> Option<PoolTime> {
        self.entries.first().map(|(time, _)| *time)
    }

    /// Takes the earliest entry if it is due. The caller hands its alarm to [`DeadlineQueue::rings`].
    pub(super) fn pop_due(&mut self, now: PoolTime) -> Option<TimerOwner> {
        let (time, _) = self.entries.first()?;
        if *time > now {
            return None;
        }
        self.entries.pop_first().map(|(_, timer)| timer)
    }

    /// True when a popped entry stands for a deadline that has passed; the alarm is cleared then. Otherwise
    /// the entry goes back in at the time wanted by now.
    pub(super) fn rings(&mut self, alarm: &mut Deadline, timer: TimerOwner, now: PoolTime) -> bool {
        alarm.armed = None;
        match alarm.wanted {
            Some(wanted) if wanted <= now => {
                alarm.wanted = None;
                true
            }
            Some(wanted) => {
                self.arm(alarm, timer, wanted);
                false
            }
            None => false,
        }
    }

    fn arm(&mut self, alarm: &mut Deadline, timer: TimerOwner, time: PoolTime) {
        self.entries.insert((time, timer));
        alarm.armed = Some(time);
    }
}
