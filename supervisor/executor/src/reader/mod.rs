//! One worker's life: taken over, read until it ends, reaped.
//!
//! Reading never waits for anything but the worker. Frames are read before stderr and before the news of its
//! death, so that a reply followed by an exit is a reply.

mod frames;
mod printed;

use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::OptionFuture;
use muster_core::execution::MemoryJudge;
use muster_core::pool::{ProcessExit, WorkerEvent};
use muster_core::process::{ExitStatus, ProcessUsage};
use muster_protocol::wire::WireDecoder;
use muster_system::process::{ExitWatch, LeafMemory, ProcessTree, SpawnedChild, abandon, cpu_time};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::time::Instant;

use super::executor_loop::ExecutorLoop;
use super::late::LateLog;
use super::launcher::Behind;
use super::link::WorkerLink;
use super::stderr::StderrLines;
use super::template::{ExitNews, exit_status};

/// One read takes so much at most.
const READ_BYTES: usize = 64 * 1024;
/// What one worker may have of the thread before it is the turn of all others: each message is a unit, and so is each
/// of its [`UNIT_BYTES`]. A worker that writes without end has no larger share than any other.
const TURN_UNITS: usize = 32;
/// So many bytes of a message cost about as much as taking one.
const UNIT_BYTES: usize = 2 * 1024;
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
        turn_left: TURN_UNITS,
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
    /// How much of its turn is left: see [`TURN_UNITS`].
    turn_left: usize,
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
}

/// Reads once without waiting, straight from the descriptor: the runtime may not have heard of new bytes yet.
fn read_now(pipe: &pipe::Receiver, buffer: &mut [u8]) -> usize {
    rustix::io::retry_on_intr(|| rustix::io::read(pipe, &mut *buffer)).unwrap_or(0)
}
