//! One worker's life: taken over, read until it ends, reaped.
//!
//! Reading never waits for anything but the worker. Frames are read before stderr and before the news of its
//! death, so that a reply followed by an exit is a reply.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::OptionFuture;
use muster_core::execution::MemoryJudge;
use muster_core::pool::{ProcessExit, ProtocolViolation, WorkerEvent};
use muster_core::process::{ExitStatus, ProcessUsage};
use muster_protocol::codec::Decoded;
use muster_protocol::wire::{Piece, WholeMessage, WireDecoder, WireError};
use muster_system::process::{
    ExitWatch, LeafMemory, PIPE_BYTES, ProcessTree, SpawnedChild, abandon, cpu_time,
};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::time::Instant;

use super::events::LiveEvent;
use super::executor_loop::ExecutorLoop;
use super::late::LateLog;
use super::launcher::Behind;
use super::link::WorkerLink;
use super::logs;
use super::news;
use super::stderr::StderrLines;
use super::template::{ExitNews, exit_status};

/// One read takes so much at most.
const READ_BYTES: usize = 64 * 1024;
/// After the end of the process, how long its stderr may be held open by what it left behind.
const STDERR_AFTER_EXIT: Duration = Duration::from_millis(50);
/// A worker that ends its stdout must end itself within this.
const EXIT_AFTER_STDOUT: Duration = Duration::from_secs(1);

/// Takes over a process that is there.
pub(super) fn adopt(
    engine: &Rc<ExecutorLoop>,
    link: &Rc<WorkerLink>,
    child: SpawnedChild,
) -> io::Result<(WorkerReader, pipe::Receiver, ExitWatch)> {
    let group = child.group;
    let adopted = (|| {
        let watch = ExitWatch::new(group, child.pidfd)?;
        let stdin = pipe::Sender::from_owned_fd(child.stdin)?;
        let stdout = pipe::Receiver::from_owned_fd(child.stdout)?;
        let stderr = pipe::Receiver::from_owned_fd(child.stderr)?;
        Ok((watch, stdin, stdout, stderr))
    })();
    let (watch, stdin, stdout, stderr) = adopted.inspect_err(|_: &io::Error| abandon(group))?;
    if let Some(orphaned_workers) = &mut engine.state.borrow_mut().orphaned_workers
        && let Err(error) = orphaned_workers.remember(&child.family)
    {
        tracing::warn!(%error, "worker not recorded");
    }
    link.outgoing.borrow_mut().open(stdin);
    link.spawned(child.family, child.belongings);
    let reader = WorkerReader {
        engine: Rc::clone(engine),
        link: Rc::clone(link),
        decoder: WireDecoder::new(),
        input: BytesMut::with_capacity(READ_BYTES),
        frames_end: None,
        stderr,
        stderr_open: true,
        lines: StderrLines::default(),
        scratch: vec![0; READ_BYTES].into_boxed_slice(),
        unknown_messages: 0,
        late: LateLog::default(),
        behind: Behind::default(),
        launcher_left: false,
    };
    Ok((reader, stdout, watch))
}

/// Reads one worker.
pub(super) struct WorkerReader {
    pub(super) engine: Rc<ExecutorLoop>,
    pub(super) link: Rc<WorkerLink>,
    decoder: WireDecoder,
    input: BytesMut,
    /// Why no more frames are read, once that is so.
    frames_end: Option<FramesEnd>,
    stderr: pipe::Receiver,
    stderr_open: bool,
    pub(super) lines: StderrLines,
    scratch: Box<[u8]>,
    unknown_messages: u64,
    /// What it says that is in no execution's log.
    pub(super) late: LateLog,
    /// The worker itself, where what was started is a launcher.
    pub(super) behind: Behind,
    /// What was started has ended, and the worker went on.
    launcher_left: bool,
}

/// Why a worker's frames are not read any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FramesEnd {
    /// It broke the protocol; what it still writes is read and thrown away.
    Broken,
    /// It closed its stdout.
    Closed,
}

impl WorkerReader {
    /// Stays with the worker to its end. `told` brings the news of it where the worker is a template's.
    pub(super) async fn read_to_the_end(
        mut self,
        mut stdout: pipe::Receiver,
        watch: ExitWatch,
        told: Option<ExitNews>,
    ) {
        let mut must_end_at = None;
        loop {
            self.watch_announced().await;
            let closed = self.frames_end == Some(FramesEnd::Closed);
            if closed && self.launcher_left && matches!(self.behind, Behind::NotSaid | Behind::Nothing) {
                break;
            }
            if closed {
                must_end_at.get_or_insert_with(|| Instant::now() + EXIT_AFTER_STDOUT);
            }
            tokio::select! {
                biased;
                // First, because what it left behind may write for ever; what itself wrote is read after it.
                () = watch.ended(), if !self.launcher_left => {
                    if !self.goes_on().await {
                        break;
                    }
                    self.launcher_left = true;
                }
                () = self.behind.ended() => break,
                // Its launcher is not there to be killed; what is left of it is ended with what it started.
                () = self.link.kills.notified(), if self.launcher_left => break,
                read = stdout.read_buf(&mut self.input), if !closed => self.took_stdout(read.unwrap_or(0)).await,
                read = self.stderr.read(&mut self.scratch), if self.stderr_open => {
                    self.took_stderr(read.unwrap_or(0));
                    // A pipe that is always full would otherwise keep the thread from everybody else.
                    tokio::task::yield_now().await;
                }
                Some(()) = OptionFuture::from(must_end_at.map(tokio::time::sleep_until)) => {
                    self.violated("the worker closed its stdout and went on".to_owned());
                    if !self.launcher_left {
                        watch.ended().await;
                    }
                    break;
                }
            }
        }
        self.drain_stdout(&stdout).await;
        self.launcher_ends(&watch).await;
        self.reap(watch, told).await;
    }

    /// The process has ended: takes what it left, ends what it left behind, tells how it ended.
    async fn reap(mut self, watch: ExitWatch, told: Option<ExitNews>) {
        let mut descendants_left = 0;
        if let Some(template) = self.link.template.take().filter(|_| self.link.features.get().template) {
            // Those who descend from it are the workers it made, and live on.
            template.close();
        } else {
            descendants_left = self.end_descendants().await;
        }
        // The dead leader still holds its number, so the group is its own; whoever is left in it goes now.
        self.link.kill();
        let cpu = self.link.process_id().and_then(cpu_time);
        let family = self.link.family();
        let leaf = family.as_ref().map(ProcessTree::leaf_memory).unwrap_or_default();
        self.link.give_up_belongings();
        self.link.reaping();
        let _ = tokio::time::timeout(STDERR_AFTER_EXIT, self.read_stderr_to_its_end()).await;
        self.end_stderr_line();
        self.link.outgoing.borrow_mut().close();
        let secrets = self.link.secrets();
        let stderr_tail = self.lines.tail().iter().map(|line| secrets.mask(line).into_owned()).collect();
        self.launcher_ends(&watch).await;
        let own = self.behind.exit_status().await;
        let reaped = exit_status(watch, told).await;
        // That of a launcher which had left says nothing of the worker.
        let started = if self.launcher_left { ExitStatus::Unknown } else { reaped.status };
        let status = own.unwrap_or(started);
        tracing::debug!(worker = %self.link.id, %status, "worker ended");
        let exit = ProcessExit {
            status,
            stderr_tail,
            usage: ProcessUsage { cpu, memory_peak_bytes: leaf.peak_bytes.max(reaped.memory_peak_bytes) },
            descendants_left,
            memory_judge: self.memory_judge(leaf),
            memory_limit_bytes: leaf.limit_bytes,
        };
        if let Some(family) = family {
            self.engine.background.spawn_blocking(move || family.leave());
        }
        self.engine.worker(self.link.id, WorkerEvent::Exited(exit));
        self.engine.reap_inherited();
    }

    /// Who ended somebody for want of memory, as far as the system says.
    fn memory_judge(&self, leaf: LeafMemory) -> Option<MemoryJudge> {
        if leaf.ran_out {
            return Some(MemoryJudge::Cgroup);
        }
        self.engine.oom_kills.has_risen().then_some(MemoryJudge::Kernel)
    }

    /// What it says of its own number.
    pub(super) fn announced(&mut self, pid: u32) {
        let is_another = self.link.process_id().is_some_and(|started| started != pid);
        match self.behind {
            _ if is_another => self.behind = Behind::Announced(pid),
            Behind::NotSaid => self.behind = Behind::Nothing,
            Behind::Nothing | Behind::Announced(_) | Behind::Watched(_) => {}
        }
    }

    async fn took_stdout(&mut self, read: usize) {
        if read == 0 {
            if !self.input.is_empty() && self.frames_end.is_none() {
                let left = self.input.len();
                tracing::warn!(worker = %self.link.id, left, "worker's stdout ended inside a frame");
            }
            self.frames_end = Some(FramesEnd::Closed);
            return;
        }
        self.take_frames().await;
        if self.input.is_empty() && self.input.capacity() < READ_BYTES {
            // All of it was handed out: take a fresh buffer instead of creeping through reallocations.
            self.input = BytesMut::with_capacity(READ_BYTES);
        }
    }

    async fn take_frames(&mut self) {
        while self.frames_end.is_none() {
            match self.decoder.cut(&mut self.input) {
                Ok(Some(Piece::Message(whole))) => self.take_message(whole).await,
                Ok(Some(Piece::Preamble(text))) => {
                    tracing::info!(worker = %self.link.id, text, "worker printed before Hello");
                }
                Ok(None) => return,
                Err(error) => self.broke(&error),
            }
        }
        self.input.clear();
    }

    /// Reads a message and does what it leads to. A large one is read on a thread for it, one after another; nothing
    /// else of this worker is taken meanwhile.
    async fn take_message(&mut self, whole: WholeMessage) {
        let secrets = self.link.secrets();
        let read = if !news::takes_long(&whole) {
            news::read(&whole, &secrets, &self.engine.descriptions)
        } else {
            // Nobody closes it, so the turn always comes.
            let _turn = self.engine.large.acquire().await;
            let descriptions = Arc::clone(&self.engine.descriptions);
            let reading =
                self.engine.background.spawn_blocking(move || news::read(&whole, &secrets, &descriptions));
            // Only the end of the process breaks it off.
            let Ok(read) = reading.await else { return };
            read
        };
        match read {
            Ok(Decoded::Message(news)) => {
                if let Some(spelling) = self.decoder.spelling() {
                    self.link.set_spelling(spelling);
                }
                let more_follows = !self.input.is_empty();
                self.on_news(news, more_follows);
            }
            Ok(Decoded::Unknown { name }) => self.skip(&name),
            Err(error) => self.broke(&error),
        }
    }

    fn skip(&mut self, name: &str) {
        self.unknown_messages += 1;
        if self.unknown_messages == 1 {
            tracing::info!(worker = %self.link.id, name, "skipping a message of a later protocol version");
        }
    }

    fn broke(&mut self, error: &WireError) {
        if error.is_pollution() {
            let message =
                format!("{error}; stdout carries frames only: print to stderr, or let the SDK redirect it");
            self.report(ProtocolViolation::Polluted { message });
        } else {
            self.violated(error.to_string());
        }
    }

    pub(super) fn violated(&mut self, message: String) {
        self.report(ProtocolViolation::Broken { message });
    }

    fn report(&mut self, violation: ProtocolViolation) {
        let shown = format!("{violation:?}");
        let shown = self.link.secrets().mask(&shown).into_owned();
        tracing::warn!(worker = %self.link.id, violation = shown, "worker broke the protocol");
        self.frames_end = Some(FramesEnd::Broken);
        self.engine.worker(self.link.id, WorkerEvent::Violation(violation));
    }

    /// Takes all that is in the stdout pipe. All that a dead process wrote is there, whoever else holds the pipe.
    async fn drain_stdout(&mut self, stdout: &pipe::Receiver) {
        let mut taken = 0;
        while self.frames_end.is_none() && taken < PIPE_BYTES {
            let read = read_now(stdout, &mut self.scratch);
            if read == 0 {
                return;
            }
            taken += read;
            self.input.extend_from_slice(&self.scratch[..read]);
            self.take_frames().await;
        }
    }

    /// Takes all that is in the stderr pipe, without waiting: what the run wrote is there. No more than a pipe holds,
    /// because what is younger was not in it: a child that writes without end must not keep the executor's only thread.
    pub(super) fn drain_stderr(&mut self) {
        let mut taken = 0;
        while self.stderr_open && taken < PIPE_BYTES {
            let read = read_now(&self.stderr, &mut self.scratch);
            if read == 0 {
                return;
            }
            taken += read;
            self.took_stderr(read);
        }
    }

    async fn read_stderr_to_its_end(&mut self) {
        while self.stderr_open {
            let read = self.stderr.read(&mut self.scratch).await.unwrap_or(0);
            self.took_stderr(read);
            tokio::task::yield_now().await;
        }
    }

    /// Takes what was just read into the scratch buffer; nothing is the end.
    fn took_stderr(&mut self, read: usize) {
        if read == 0 {
            self.stderr_open = false;
        }
        for line in self.lines.take(&self.scratch[..read], &self.link.secrets()) {
            self.attribute(line);
        }
    }

    /// Ends a line without an end: the run is over, or the process is.
    pub(super) fn end_stderr_line(&mut self) {
        if let Some(line) = self.lines.flush() {
            self.attribute(line);
        }
    }

    /// A line belongs to the run the worker holds; between runs it goes to the supervisor's own log, without the
    /// secrets of any run that was before.
    fn attribute(&mut self, mut line: String) {
        let Some((_, attempt)) = self.link.run.get() else {
            self.link.secrets().mask_in(&mut line);
            return self.late.printed(self.link.id, &line);
        };
        if let Some(run) = self.engine.state.borrow_mut().run_mut(attempt) {
            let line = run.logs.take(logs::printed(line, &run.secrets));
            self.engine.events.show(LiveEvent::Logged(attempt, vec![line]));
        }
    }
}

/// Reads once without waiting, straight from the descriptor: the runtime may not have heard of new bytes yet.
fn read_now(pipe: &pipe::Receiver, buffer: &mut [u8]) -> usize {
    rustix::io::retry_on_intr(|| rustix::io::read(pipe, &mut *buffer)).unwrap_or(0)
}
