//! The second thread of a serving worker. It does two things, and on the hot path none.
//!
//! It ends the process when the supervisor is gone and user code does not notice. And it reads the supervisor's
//! messages while the first thread is inside native code that cannot: the first thread *lends* it the inbox
//! and sets an alarm clock. A run that is over before the alarm takes the inbox back without a system call and
//! without waking anyone; JavaScript never lends it, because the interpreter can look for itself.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use muster_protocol::limits::LOG_BATCH_MAX_AGE_MS;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use super::dispatch::MessageHandler;
use super::inbox::Inbox;
use crate::run::{Waker, WorkerRun};

/// How long native code runs before another thread reads for it. A call of it shortens this to nothing.
const ALARM: Duration = Duration::from_millis(2);
/// The first thread may begin a batch of log records while the second one waits for messages.
const LOOK_EVERY: Duration = Duration::from_millis(LOG_BATCH_MAX_AGE_MS);
/// From the end of stdin to the end of the process, whatever user code does.
const ORPHAN_LIFE: Duration = Duration::from_millis(1500);

/// What the first thread and the second share.
pub(crate) struct Lifeline {
    slot: Mutex<PlannedExit>,
    returned: Condvar,
    alarm: OwnedFd,
    armed: AtomicBool,
    stop: Waker,
    stopping: AtomicBool,
}

enum PlannedExit {
    /// The first thread has the inbox.
    Empty,
    /// To be taken by the second thread when the alarm rings.
    Lent(Box<Inbox>, Arc<WorkerRun>),
    /// The second thread has it.
    Reading,
    /// The second thread was asked to give it back and did.
    Returned(Box<Inbox>),
}

impl Lifeline {
    /// Starts the second thread.
    ///
    /// # Errors
    /// When the process is out of descriptors or threads.
    pub(crate) fn start(input: Arc<OwnedFd>, dispatch: Arc<MessageHandler>) -> std::io::Result<Arc<Self>> {
        let alarm =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        let lifeline = Arc::new(Self {
            slot: Mutex::new(PlannedExit::Empty),
            returned: Condvar::new(),
            alarm,
            armed: AtomicBool::new(false),
            stop: Waker::new()?,
            stopping: AtomicBool::new(false),
        });
        let shared = Arc::clone(&lifeline);
        std::thread::Builder::new()
            .name("lifeline".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || shared.watch(&input, &dispatch))?;
        Ok(lifeline)
    }

    /// Hands the inbox over for as long as native code runs.
    pub(crate) fn lend(&self, inbox: Box<Inbox>, run: Arc<WorkerRun>) {
        *self.lock() = PlannedExit::Lent(inbox, run);
        if !self.armed.swap(true, Ordering::AcqRel) {
            self.set_alarm(ALARM);
        }
    }

    /// Native code waits for the supervisor, so the second thread should read at once.
    pub(crate) fn force(&self) {
        if matches!(*self.lock(), PlannedExit::Lent(..)) {
            self.armed.store(true, Ordering::Release);
            self.set_alarm(Duration::from_nanos(1));
        }
    }

    /// Takes the inbox back. `None` only if it was never lent.
    pub(crate) fn take_back(&self) -> Option<Box<Inbox>> {
        let mut slot = self.lock();
        if matches!(*slot, PlannedExit::Reading) {
            self.stopping.store(true, Ordering::Release);
            self.stop.wake();
        }
        loop {
            match std::mem::replace(&mut *slot, PlannedExit::Empty) {
                PlannedExit::Lent(inbox, _) | PlannedExit::Returned(inbox) => return Some(inbox),
                PlannedExit::Empty => return None,
                PlannedExit::Reading => *slot = PlannedExit::Reading,
            }
            slot = self.returned.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The second thread: waits for the alarm or the supervisor's end.
    fn watch(&self, input: &OwnedFd, dispatch: &MessageHandler) {
        loop {
            // No events are asked for on the input: its end is reported anyway, and data wakes nobody.
            let mut fds = [PollFd::new(&self.alarm, PollFlags::IN), PollFd::new(input, PollFlags::empty())];
            if poll(&mut fds, None).is_err() {
                continue;
            }
            if fds[1].revents().intersects(PollFlags::HUP | PollFlags::ERR) {
                self.outlive(dispatch);
            }
            if fds[0].revents().contains(PollFlags::IN) {
                let _ = rustix::io::read(&self.alarm, &mut [0_u8; 8]);
                self.armed.store(false, Ordering::Release);
                self.read_for_the_run(dispatch);
            }
        }
    }

    /// The supervisor is gone: the first thread has this long to see it and leave in good order.
    fn outlive(&self, dispatch: &MessageHandler) -> ! {
        let end = Instant::now() + ORPHAN_LIFE;
        self.read_for_the_run(dispatch);
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
        std::process::exit(0);
    }

    /// Reads until the first thread wants the inbox back, or the stream ends.
    fn read_for_the_run(&self, dispatch: &MessageHandler) {
        let mut slot = self.lock();
        let (mut inbox, run) = match std::mem::replace(&mut *slot, PlannedExit::Reading) {
            PlannedExit::Lent(inbox, run) => (inbox, run),
            other @ (PlannedExit::Empty | PlannedExit::Reading | PlannedExit::Returned(_)) => {
                *slot = other;
                return;
            }
        };
        self.stopping.store(false, Ordering::Release);
        drop(slot);
        while !self.stopping.load(Ordering::Acquire) && !inbox.ended() {
            dispatch.pump(&mut inbox, &self.stop, &run, Some(LOOK_EVERY));
        }
        *self.lock() = PlannedExit::Returned(inbox);
        self.returned.notify_all();
    }

    fn set_alarm(&self, after: Duration) {
        let value = Timespec { tv_sec: 0, tv_nsec: i64::from(after.subsec_nanos()) };
        let timer = Itimerspec { it_interval: Timespec::default(), it_value: value };
        let _ = timerfd_settime(&self.alarm, TimerfdTimerFlags::empty(), &timer);
    }

    fn lock(&self) -> MutexGuard<'_, PlannedExit> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
