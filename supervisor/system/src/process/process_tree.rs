//! All that one worker ever started, as far as a plain process can tell: found, and ended for certain.
//!
//! These functions read /proc and wait, so they are called where waiting holds up nobody.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::cgroup::{LeafMemory, WorkerLeaf};
use super::descendants::{ObservedProcess, ProcessTable, numbers_of_all};
use super::mark::WorkerMark;
use super::spawn_counter::{SpawnCounter, SpawnOrder};
use super::{LaunchedProgram, ProcessGroup};

/// Of no more numbers than this each is tried; beyond, the processes that live are listed, and those born since are looked at.
const PROBED_MAX: u32 = 64;
/// How far up parents are followed.
const ANCESTORS_MAX: usize = 64;
/// What a run has asked to end may take so long to do so before it counts as left.
const ENDING_BY_ITSELF: Duration = Duration::from_millis(20);
/// How long what is killed may take to be gone. Longer takes only what hangs in the kernel.
const GONE_WITHIN: Duration = Duration::from_secs(2);
/// How long a process may take from its old program to the environment of its next.
const EXECUTES_WITHIN: Duration = Duration::from_millis(50);
/// The parent of the kernel's own threads, which never have an environment.
const KERNEL_THREADS: u32 = 2;
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A worker's process and all that descends from it.
#[derive(Clone, Debug)]
pub struct ProcessTree {
    root: ProcessGroup,
    mark: WorkerMark,
    /// When the worker started: nobody older belongs to it.
    started: u64,
    /// Its control group, once it is in one.
    leaf: Arc<OnceLock<WorkerLeaf>>,
}

impl ProcessTree {
    /// The family of a worker that was started with this mark. Its leader must not be reaped.
    pub(super) fn of(root: ProcessGroup, mark: WorkerMark) -> Self {
        Self::of_seen(root, mark, ObservedProcess::read(root.id()).as_ref())
    }

    /// The family of a worker that has been looked at already.
    pub(super) fn of_seen(root: ProcessGroup, mark: WorkerMark, leader: Option<&ObservedProcess>) -> Self {
        Self { root, mark, started: leader.map_or(0, |seen| seen.started), leaf: Arc::default() }
    }

    /// When its leader started, in clock ticks since boot; `None` when it had ended before anybody looked.
    pub(super) fn started(&self) -> Option<u64> {
        Some(self.started).filter(|started| *started > 0)
    }

    /// The process group that the worker leads.
    pub fn group(&self) -> ProcessGroup {
        self.root
    }

    /// Its mark.
    pub(super) fn mark(&self) -> &WorkerMark {
        &self.mark
    }

    /// The worker is in this leaf, and all that it starts.
    pub(super) fn is_in(&self, leaf: WorkerLeaf) {
        if let Err(leaf) = self.leaf.set(leaf) {
            leaf.remove();
        }
    }

    /// Moves the worker into a leaf of its own. What it has started by now stays where it is, and is found as it is
    /// where there are no leaves.
    pub(super) fn settle(&self, leaf: WorkerLeaf) {
        let is_there = ObservedProcess::read(self.root.id())
            .is_some_and(|seen| seen.started == self.started && !seen.is_dead);
        if is_there && leaf.place(self.root.leader()).is_ok() {
            self.is_in(leaf);
        } else {
            leaf.remove();
        }
    }

    /// What its leaf says of memory, if it is in one.
    pub fn leaf_memory(&self) -> LeafMemory {
        self.leaf.get().map(WorkerLeaf::memory).unwrap_or_default()
    }

    /// Gives back its leaf. Nobody lives in it any more.
    pub fn leave(&self) {
        if let Some(leaf) = self.leaf.get() {
            leaf.remove();
        }
    }

    /// The numbers of those in its leaf.
    pub(super) fn numbers_in_leaf(&self) -> Vec<u32> {
        self.leaf.get().map(WorkerLeaf::members).unwrap_or_default()
    }

    /// Those in its leaf, without the worker itself.
    fn in_leaf(&self) -> Vec<ObservedProcess> {
        let numbers = self.numbers_in_leaf();
        let others = numbers.into_iter().filter(|number| *number != self.root.id());
        others.filter_map(ObservedProcess::read).filter(|seen| !seen.is_dead).collect()
    }

    /// The program that says it is the worker and has this number, if it is a descendant and not the worker that was
    /// started. Must be called inside a runtime.
    pub fn program(&self, number: u32) -> Option<LaunchedProgram> {
        self.probe(number)?;
        let pidfd = pidfd_open(pid(number)?, PidfdFlags::NONBLOCK).ok()?;
        // It may have ended between the two, and its number may be another's.
        self.probe(number)?;
        LaunchedProgram::watch(number, pidfd).ok()
    }

    /// All who live, without the worker itself.
    pub fn members(&self) -> Vec<ObservedProcess> {
        let known = |seen: &ObservedProcess| seen.started >= self.started && self.mark.is_on(seen.pid);
        let mut found = ProcessTable::read().descendants_of(self.root.id(), known);
        found.retain(|seen| !seen.is_dead && seen.started >= self.started);
        join(&mut found, self.in_leaf());
        found
    }

    /// Ends all who were born after a moment, whatever their parents did since. Gives those that had to be ended. `others`
    /// are the leaders of other workers, which are nobody's members: beside a thousand of them that were born since, each
    /// look would read a thousand environments.
    pub fn end_born_since(&self, since: Option<SpawnOrder>, others: &HashSet<u32>) -> Vec<ObservedProcess> {
        let births = SpawnCounter::open();
        let patience = Instant::now() + ENDING_BY_ITSELF;
        let look = || self.born_since(since, &births, others);
        let mut left = look();
        while !left.is_empty() && Instant::now() < patience {
            std::thread::sleep(LOOK_EVERY);
            left = look();
        }
        end(left, look)
    }

    /// Ends all but the worker itself, and those of an earlier look, who may have lost what binds them to it since.
    /// `since` is a moment before the worker was born: where few were born after it, only those are looked at.
    pub fn end_all(&self, since: Option<SpawnOrder>, known: Vec<ObservedProcess>) -> Vec<ObservedProcess> {
        let births = SpawnCounter::open();
        let are_few =
            since.zip(births.last()).is_some_and(|(since, now)| since.until(now, PROBED_MAX).is_some());
        let mut members =
            if are_few { self.born_since(since, &births, &HashSet::new()) } else { self.members() };
        join(&mut members, known.into_iter().filter(lives).collect());
        if let Some(leaf) = self.leaf.get() {
            join(&mut members, self.in_leaf());
            leaf.kill();
        }
        end(members, || self.members())
    }

    /// Members who were born after a moment. Whoever else lives on the machine is not looked at.
    fn born_since(
        &self,
        since: Option<SpawnOrder>,
        births: &SpawnCounter,
        others: &HashSet<u32>,
    ) -> Vec<ObservedProcess> {
        let (Some(since), Some(now)) = (since, births.last()) else { return self.members() };
        let probe = |number: u32| (!others.contains(&number)).then(|| self.probe(number)).flatten();
        let mut born: Vec<_> = match since.until(now, PROBED_MAX) {
            Some(numbers) => numbers.filter_map(probe).collect(),
            None => {
                numbers_of_all().filter(|number| since.is_before(*number, now)).filter_map(probe).collect()
            }
        };
        let mut in_leaf = self.in_leaf();
        in_leaf.retain(|seen| since.is_before(seen.pid, now));
        join(&mut born, in_leaf);
        born
    }

    /// The member with this number, if it is one. The worker itself, which has the mark, is none. Threads have numbers too, and are nobody.
    fn probe(&self, number: u32) -> Option<ObservedProcess> {
        if number == self.root.id() {
            return None;
        }
        let seen =
            ObservedProcess::read(number).filter(|seen| !seen.is_dead && seen.started >= self.started)?;
        let is_process = pid(number).is_some_and(|pid| pidfd_open(pid, PidfdFlags::empty()).is_ok());
        (is_process && (self.is_member(&seen) || self.is_member_after_exec(&seen))).then_some(seen)
    }

    /// Between two programs a process has no environment, and so no mark. One that left its parents and its group
    /// would be missed by a look at just that moment, so its next program is waited for.
    fn is_member_after_exec(&self, seen: &ObservedProcess) -> bool {
        if seen.parent == KERNEL_THREADS {
            return false;
        }
        let patience = Instant::now() + EXECUTES_WITHIN;
        while WorkerMark::is_hidden(seen.pid) && Instant::now() < patience {
            std::thread::sleep(LOOK_EVERY);
        }
        self.mark.is_on(seen.pid)
    }

    fn is_member(&self, seen: &ObservedProcess) -> bool {
        let root = self.root.id();
        if seen.group == root || self.mark.is_on(seen.pid) {
            return true;
        }
        let mut parent = seen.parent;
        for _ in 0..ANCESTORS_MAX {
            if parent == root {
                return true;
            }
            let Some(next) = ObservedProcess::read(parent).filter(|next| next.started >= self.started) else {
                return false;
            };
            if self.mark.is_on(parent) {
                return true;
            }
            parent = next.parent;
        }
        false
    }
}

/// Adds those that are not there.
fn join(to: &mut Vec<ObservedProcess>, others: Vec<ObservedProcess>) {
    for seen in others {
        if !to.iter().any(|it| it.pid == seen.pid) {
            to.push(seen);
        }
    }
}

/// Kills these, and whoever is found by looking again, until nobody is. What a killed process had started before it
/// was killed is found by the next look.
fn end(first: Vec<ObservedProcess>, look_again: impl Fn() -> Vec<ObservedProcess>) -> Vec<ObservedProcess> {
    let deadline = Instant::now() + GONE_WITHIN;
    let (mut ended, mut living) = (Vec::new(), first);
    while !living.is_empty() {
        for seen in living {
            kill(&seen);
            if !ended.iter().any(|it: &ObservedProcess| it.is_same(&seen)) {
                ended.push(seen);
            }
        }
        if Instant::now() >= deadline {
            tracing::warn!(processes = ended.len(), "killed processes of a worker are not gone yet");
            break;
        }
        living = look_again();
        living.extend(ended.iter().filter(|seen| lives(seen)).cloned());
        living.dedup_by_key(|seen| seen.pid);
        if !living.is_empty() {
            std::thread::sleep(LOOK_EVERY);
        }
    }
    ended
}

/// Kills the process that was seen, and no other: a number that was given to another process since is noticed after
/// the descriptor holds on to whoever has it.
pub(super) fn kill(seen: &ObservedProcess) {
    let Some(pid) = pid(seen.pid) else { return };
    let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    if lives(seen) {
        // One that ended by itself is what was wanted.
        let _ = pidfd_send_signal(&descriptor, Signal::KILL);
    }
}

/// True while the very process that was seen lives.
fn lives(seen: &ObservedProcess) -> bool {
    ObservedProcess::read(seen.pid).is_some_and(|now| now.started == seen.started && !now.is_dead)
}

fn pid(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw)
}
