//! The shell's side of a template: the workers it was asked for, and the ends of those it made.
//!
//! A template is read as every worker is. A worker that it made is read as every worker is, too; what differs is where
//! its pipes come from and who tells of its end.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use muster_core::pool::{WorkerEvent, WorkerId};
use muster_core::process::ExitStatus;
use muster_protocol::ToWorker;
use muster_system::process::{
    ExitWatch, ForkChannel, ForkRequest, ReapedProcess, SpawnedChild, inherit_orphans, is_any_child_dead,
    reap_orphans,
};
use tokio::sync::oneshot;

use super::executor_loop::ExecutorLoop;
use super::link::{SharedDescription, WorkerLink};
use super::reader::WorkerReader;
use crate::descriptions::DescribedSet;

/// How long after the end of a worker its template may take to tell of it.
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// The channel of a process that was offered to be a template, and what is under way over it.
#[derive(Debug)]
pub(super) struct TemplateLink {
    channel: ForkChannel,
    asked: RefCell<HashMap<String, (ForkRequest, oneshot::Sender<ForkAnswer>)>>,
    /// By the number that the template knows the worker by.
    ends: RefCell<HashMap<u32, oneshot::Sender<ExitStatus>>>,
    described: SharedDescription,
}

/// The worker that was asked for and the news of its end, or why there is none.
type ForkAnswer = Result<(SpawnedChild, ExitNews), String>;
/// How a worker ended, when its template tells.
pub(super) type ExitNews = oneshot::Receiver<ExitStatus>;

impl TemplateLink {
    pub(super) fn new(channel: ForkChannel) -> Rc<Self> {
        Rc::new(Self {
            channel,
            asked: RefCell::default(),
            ends: RefCell::default(),
            described: SharedDescription::default(),
        })
    }

    /// What it described by its Ready holds for the workers it makes.
    pub(super) fn describe(&self, set: Option<DescribedSet>) {
        self.described.replace(set);
    }

    /// Asks for a worker. The streams and the question go out in one go, so both are in the same order.
    fn ask(&self, template: &WorkerLink) -> Result<oneshot::Receiver<ForkAnswer>, String> {
        let request = self
            .channel
            .request(&template.belongings())
            .map_err(|error| format!("it takes no streams: {error}"))?;
        let worker_id = request.worker_id().to_owned();
        let (answer, answered) = oneshot::channel();
        self.asked.borrow_mut().insert(worker_id.clone(), (request, answer));
        let sent = template.send(&ToWorker::Fork { worker_id });
        sent.map_err(|error| format!("Fork cannot be sent to it: {error}"))?;
        Ok(answered)
    }

    /// It has made a worker. False when it was not asked for that.
    fn forked(&self, template: &WorkerLink, worker_id: &str, pid: u32) -> bool {
        let Some((request, answer)) = self.asked.borrow_mut().remove(worker_id) else { return false };
        let Some(group) = template.group() else { return true };
        let made = self.channel.accept(request, group).map_err(|error| error.to_string()).map(|child| {
            let (told, end) = oneshot::channel();
            self.ends.borrow_mut().insert(pid, told);
            (child, end)
        });
        // Whoever asked may be gone; then the streams close, and the worker leaves.
        let _ = answer.send(made);
        true
    }

    fn failed(&self, worker_id: &str, message: String) -> bool {
        let Some((_, answer)) = self.asked.borrow_mut().remove(worker_id) else { return false };
        let _ = answer.send(Err(message));
        true
    }

    fn exited(&self, pid: u32, status: u32) {
        if let Some(told) = self.ends.borrow_mut().remove(&pid) {
            let _ = told.send(status_of(status));
        }
    }

    /// It is gone: nobody who was asked for comes, and the ends of the others are ours to see.
    pub(super) fn close(&self) {
        self.asked.borrow_mut().clear();
        self.ends.borrow_mut().clear();
    }
}

/// What `waitpid` gives.
fn status_of(status: u32) -> ExitStatus {
    let number = |value: u32| i32::try_from(value).unwrap_or_default();
    match status & 0x7f {
        0 => ExitStatus::Code(number(status >> 8 & 0xff)),
        signal => ExitStatus::Signal(number(signal)),
    }
}

/// Has the template make the worker, and stays with it to its end.
pub(super) async fn run_forked(engine: Rc<ExecutorLoop>, link: Rc<WorkerLink>, template: WorkerId) {
    let parent = engine.state.borrow().links.get(&template).cloned();
    let asked = parent.as_ref().and_then(|parent| Some((parent, parent.template.borrow().clone()?)));
    let answered = match asked {
        Some((parent, desk)) => {
            link.is_forked.set(true);
            link.inherited.replace(Rc::clone(&desk.described));
            desk.ask(parent)
        }
        None => Err("the template is gone".to_owned()),
    };
    drop(parent);
    let answer = match answered {
        Ok(answered) => answered.await.unwrap_or_else(|_| Err("the template has ended".to_owned())),
        Err(message) => Err(message),
    };
    let made = answer.and_then(|(child, end)| {
        let adopted = super::reader::adopt(&engine, &link, child).map_err(|error| error.to_string())?;
        Ok((adopted, end))
    });
    match made {
        Ok(((reader, stdout, watch), end)) => {
            link.signal_through(watch.handle().ok());
            if let Some(family) = link.family() {
                engine.spawner.settle(family, link.spec.launch.group_limits).await;
            }
            engine.worker(link.id, WorkerEvent::Spawned { pid: link.process_id().unwrap_or_default() });
            reader.read_to_the_end(stdout, watch, Some(end)).await;
            engine.state.borrow_mut().links.remove(&link.id);
        }
        Err(message) => {
            engine.state.borrow_mut().links.remove(&link.id);
            engine.worker(link.id, WorkerEvent::ForkFailed { message });
        }
    }
}

/// How a process ended: as the system tells its parent, or as its template does, which is its parent while it lives.
pub(super) async fn exit_status(watch: ExitWatch, end: Option<ExitNews>) -> ReapedProcess {
    let Some(end) = end else { return watch.reap_measured() };
    if let Some(reaped) = watch.reap_if_ours() {
        return reaped;
    }
    match tokio::time::timeout(TOLD_WITHIN, end).await {
        Ok(Ok(status)) => ReapedProcess::told(status),
        // The template ended meanwhile, so that we are the parent now.
        Ok(Err(_)) | Err(_) => watch.reap_measured(),
    }
}

impl ExecutorLoop {
    /// The workers that a template made are ours to reap when it ends before them.
    pub(super) fn inherit_workers(&self) {
        if self.inherits.replace(true) {
            return;
        }
        if let Err(error) = inherit_orphans() {
            tracing::warn!(%error, "workers of a template that ends before them leave no exit status");
        }
    }

    /// Who is inherited may be somebody whom a worker left behind, and is nobody else's to reap.
    pub(super) fn reap_inherited(&self) {
        if self.inherits.get() && is_any_child_dead() {
            self.background.spawn_blocking(reap_orphans);
        }
    }
}

impl WorkerReader {
    /// A template answers. What it was not asked for breaks the protocol.
    pub(super) fn forked(&mut self, worker_id: &str, pid: u32, recycle: bool) {
        let desk = self.link.template.borrow().clone();
        if !desk.is_some_and(|desk| desk.forked(&self.link, worker_id, pid)) {
            return self.violated(format!("Forked of {worker_id:?}, which it was not asked for"));
        }
        if recycle {
            self.send_event(WorkerEvent::TemplateStale);
        }
    }

    pub(super) fn fork_failed(&mut self, worker_id: &str, message: String) {
        let desk = self.link.template.borrow().clone();
        if !desk.is_some_and(|desk| desk.failed(worker_id, message)) {
            self.violated(format!("ForkFailed of {worker_id:?}, which it was not asked for"));
        }
    }

    pub(super) fn child_exited(&self, pid: u32, status: u32) {
        if let Some(desk) = self.link.template.borrow().as_ref() {
            desk.exited(pid, status);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_status_is_read_as_the_system_writes_it() {
        assert_eq!(status_of(0), ExitStatus::Code(0));
        assert_eq!(status_of(69 << 8), ExitStatus::Code(69));
        assert_eq!(status_of(9), ExitStatus::Signal(9));
        assert_eq!(status_of(11 | 0x80), ExitStatus::Signal(11));
    }
}
