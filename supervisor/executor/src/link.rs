//! The shell's end of one worker: where to write, whom to signal, whose run it is.

use std::cell::{Cell, RefCell};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use muster_core::execution::{Attempt, Secrets};
use muster_core::pool::{WorkerFeatures, WorkerId};
use muster_protocol::ToWorker;
use muster_protocol::codec::EncodeError;
use muster_protocol::wire::Spelling;
use muster_system::process::{
    ObservedProcess, ProcessGroup, ProcessTree, SpawnCounter, SpawnOrder, TreeMemory, WorkerBelongings,
    kill_group, terminate_group, terminate_program,
};
use serde::Serialize;
use tokio::sync::Notify;

use super::events::WorkerOrigin;
use super::late::KnownRuns;
use super::stdin::{StdinWriter, WriteProgress, flush};
use super::template::TemplateLink;
use super::worker_spec::WorkerSpec;
use crate::descriptions::DescribedSet;

/// One worker, from the decision to start it to its end.
#[derive(Debug)]
pub(super) struct WorkerLink {
    pub(super) id: WorkerId,
    /// What its generation is started with.
    pub(super) spec: Arc<WorkerSpec>,
    pub(super) generation: u64,
    pub(super) outgoing: Rc<RefCell<StdinWriter>>,
    /// The run it was given last, until it said Idle.
    pub(super) run: Cell<Option<(u32, Attempt)>>,
    /// And those before it, for what it says late.
    pub(super) known_runs: RefCell<KnownRuns>,
    /// What both sides have agreed on.
    pub(super) features: Cell<WorkerFeatures>,
    pub(super) identity: RefCell<Arc<AnnouncedIdentity>>,
    /// What it described, until it is Ready.
    described: RefCell<Option<DescribedSet>>,
    /// What the template that made it described, for the first of its workers to be Ready.
    pub(super) inherited: RefCell<SharedDescription>,
    ready: Cell<bool>,
    /// All that its process was ever given: what it kept of an earlier run may be shown by anything later.
    secrets: RefCell<Arc<Secrets>>,
    spelling: Cell<Spelling>,
    /// The last that was born before its process was asked for: whatever it started is younger.
    pub(super) born_after: Cell<Option<SpawnOrder>>,
    asked_at: Instant,
    pub(super) is_forked: Cell<bool>,
    /// The last that was born when it was last looked, and when that was.
    born: Cell<Option<(SpawnOrder, Instant)>>,
    group: Cell<Option<ProcessGroup>>,
    /// Signals go through this, where somebody else may reap the process.
    handle: RefCell<Option<OwnedFd>>,
    /// Its channel, if it was offered to be a template.
    pub(super) template: RefCell<Option<Rc<TemplateLink>>>,
    family: RefCell<Option<ProcessTree>>,
    /// What its process has of its own.
    belongings: RefCell<WorkerBelongings>,
    /// What it and all that it started held at the last look.
    pub(super) memory: RefCell<Option<TreeMemory>>,
    /// Who descended from it when it was signalled.
    descendants: RefCell<Vec<ObservedProcess>>,
    /// The worker itself, where what was started is a launcher.
    program: RefCell<Option<OwnedFd>>,
    /// A kill was asked for, maybe before the process existed.
    killed: Cell<bool>,
    /// Notified by a kill.
    pub(super) kills: Notify,
    /// Encoded messages pass through here, so that the hot path does not allocate.
    scratch: RefCell<Vec<u8>>,
}

/// What a template described. It counts when the first worker that it made is Ready, and is taken out then.
pub(super) type SharedDescription = Rc<RefCell<Option<DescribedSet>>>;

/// What a worker says of itself, for screens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AnnouncedIdentity {
    /// The name of the SDK or the worker.
    pub implementation: String,
    /// The version of the SDK or the worker.
    pub implementation_version: String,
    /// The language of the workflows it runs.
    pub language: String,
    /// Names it can run; empty means it decides per execution.
    pub workflows: Vec<String>,
}

impl WorkerLink {
    pub(super) fn new(id: WorkerId, spec: Arc<WorkerSpec>, generation: u64) -> Rc<Self> {
        Rc::new(Self {
            id,
            spec,
            generation,
            outgoing: Rc::default(),
            run: Cell::new(None),
            known_runs: RefCell::default(),
            features: Cell::default(),
            identity: RefCell::default(),
            described: RefCell::default(),
            inherited: RefCell::default(),
            ready: Cell::new(false),
            secrets: RefCell::default(),
            spelling: Cell::new(Spelling::Binary),
            born_after: Cell::new(None),
            asked_at: Instant::now(),
            is_forked: Cell::new(false),
            born: Cell::new(None),
            group: Cell::new(None),
            handle: RefCell::default(),
            template: RefCell::default(),
            family: RefCell::default(),
            belongings: RefCell::default(),
            memory: RefCell::default(),
            descendants: RefCell::default(),
            program: RefCell::default(),
            killed: Cell::new(false),
            kills: Notify::new(),
            scratch: RefCell::default(),
        })
    }

    /// Keeps what it describes before it is Ready; gives back what it describes later.
    pub(super) fn describe_before_ready(
        &self,
        set: DescribedSet,
        problems: &mut Vec<String>,
    ) -> Option<DescribedSet> {
        if self.ready.get() {
            return Some(set);
        }
        problems.extend(self.described.borrow_mut().get_or_insert_default().merge(set));
        None
    }

    /// It is Ready: gives what it described by now, or its template did and nobody has heard of yet.
    pub(super) fn ready(&self) -> Option<DescribedSet> {
        self.ready.set(true);
        self.described.take().or_else(|| self.inherited.borrow().take())
    }

    /// It was Ready once.
    pub(super) fn is_ready(&self) -> bool {
        self.ready.get()
    }

    /// The process exists.
    pub(super) fn spawned(&self, family: ProcessTree, belongings: WorkerBelongings) {
        self.belongings.replace(belongings);
        let group = family.group();
        self.group.set(Some(group));
        self.family.replace(Some(family));
        if self.killed.get() {
            group.kill_members();
        }
    }

    /// A run begins. While one follows the other, the look after the last one counts for the next one too.
    pub(super) fn begin_run(&self, run: u32, attempt: Attempt, births: &SpawnCounter) {
        self.run.set(Some((run, attempt)));
        self.known_runs.borrow_mut().add(run, attempt);
        let is_fresh = |(_, at): (SpawnOrder, Instant)| at.elapsed() < LOOK_COUNTS_FOR;
        if !self.born.get().is_some_and(is_fresh) {
            self.look(births);
        }
    }

    /// Looks who was born last. Gives who it was at the last look.
    pub(super) fn look(&self, births: &SpawnCounter) -> (Option<SpawnOrder>, Option<SpawnOrder>) {
        let now = births.last();
        let before = self.born.replace(now.map(|birth| (birth, Instant::now())));
        (before.map(|(birth, _)| birth), now)
    }

    /// How it came into being, and how long it took to be Ready, now that it is.
    pub(super) fn birth(&self) -> (WorkerOrigin, Duration) {
        let origin = match (self.features.get().template, self.is_forked.get()) {
            (true, _) => WorkerOrigin::Template,
            (false, true) => WorkerOrigin::Fork,
            (false, false) => WorkerOrigin::Process,
        };
        (origin, self.asked_at.elapsed())
    }

    /// All that the worker started, while it is not reaped.
    pub(super) fn family(&self) -> Option<ProcessTree> {
        self.group.get()?;
        self.family.borrow().clone()
    }

    /// Remembers who descends from it.
    pub(super) fn note_descendants(&self, descendants: Vec<ObservedProcess>) {
        self.descendants.borrow_mut().extend(descendants);
    }

    /// Who did.
    pub(super) fn take_descendants(&self) -> Vec<ObservedProcess> {
        self.descendants.take()
    }

    /// What its process has of its own.
    pub(super) fn belongings(&self) -> WorkerBelongings {
        self.belongings.borrow().clone()
    }

    /// Nobody of it lives any more: what it had goes.
    pub(super) fn give_up_belongings(&self) {
        self.belongings.take();
    }

    /// The process is about to be reaped: its number may belong to another one after this.
    pub(super) fn reaping(&self) {
        self.group.set(None);
    }

    /// It is given these secrets too. Gives all that it knows.
    pub(super) fn add_secrets(&self, new: &Secrets) -> Arc<Secrets> {
        let mut known = self.secrets.borrow_mut();
        if let Some(all) = known.with(new) {
            *known = Arc::new(all);
        }
        Arc::clone(&known)
    }

    /// All the secrets its process was ever given.
    pub(super) fn secrets(&self) -> Arc<Secrets> {
        Arc::clone(&self.secrets.borrow())
    }

    pub(super) fn set_spelling(&self, spelling: Spelling) {
        self.spelling.set(spelling);
    }

    pub(super) fn process_id(&self) -> Option<u32> {
        self.group.get().map(ProcessGroup::id)
    }

    /// The group it leads, while it is not reaped.
    pub(super) fn group(&self) -> Option<ProcessGroup> {
        self.group.get()
    }

    /// From now on it is signalled through this.
    pub(super) fn signal_through(&self, handle: Option<OwnedFd>) {
        self.handle.replace(handle);
    }

    /// It is behind a launcher.
    pub(super) fn is_behind(&self, program: Option<OwnedFd>) {
        self.program.replace(program);
    }

    /// A kill was asked for.
    pub(super) fn was_killed(&self) -> bool {
        self.killed.get()
    }

    pub(super) fn terminate(&self) {
        if let Some(program) = &*self.program.borrow() {
            terminate_program(program);
        }
        match (&*self.handle.borrow(), self.group.get()) {
            (Some(handle), Some(_)) => terminate_group(handle),
            (None, Some(group)) => group.terminate(),
            (_, None) => {}
        }
    }

    pub(super) fn kill(&self) {
        self.killed.set(true);
        self.kills.notify_one();
        match (&*self.handle.borrow(), self.group.get()) {
            (Some(handle), Some(_)) => kill_group(handle),
            (None, Some(group)) => group.kill_members(),
            (_, None) => {}
        }
    }

    /// The attempt of a run it speaks of, if that is the run it was given last.
    pub(super) fn attempt_of(&self, run: u32) -> Option<Attempt> {
        self.run.get().filter(|(current, _)| *current == run).map(|(_, attempt)| attempt)
    }

    /// Writes a message to the worker, or keeps what its pipe does not take.
    pub(super) fn send(&self, message: &ToWorker) -> Result<(), EncodeError> {
        let mut scratch = self.scratch.borrow_mut();
        scratch.clear();
        self.spelling.get().append(message, &mut scratch)?;
        let sent = self.outgoing.borrow_mut().send(&scratch);
        match sent {
            WriteProgress::Done => {}
            WriteProgress::NeedsFlush => {
                tokio::task::spawn_local(flush(Rc::clone(&self.outgoing)));
            }
            WriteProgress::Overflow => self.kill(),
        }
        if scratch.capacity() > LARGE_SCRATCH_BYTES {
            *scratch = Vec::new();
        }
        Ok(())
    }
}

/// Whoever is born between two runs of a worker counts as born in the second, if that begins so soon.
const LOOK_COUNTS_FOR: Duration = Duration::from_millis(10);

/// A scratch buffer that grew above this for one message is given back.
const LARGE_SCRATCH_BYTES: usize = 256 * 1024;
