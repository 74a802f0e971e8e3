//! A template makes workers of itself: each is welcomed and runs as any other, its end is told, and it lives on without
//! the template.

use muster_protocol::{ToSupervisor, ToWorker, feature};
use muster_system::process::{ForkChannel, WorkerBelongings};

use super::drain::{drain, leaves};
use crate::bench::Workbench;
use crate::failure::{CheckFailure, Checked};
use crate::session::{WorkerSession, shown, welcome};

/// What `waitpid` tells of a process that exited with 0.
const EXITED: u32 = 0;
/// What `waitpid` tells of a process that was killed.
const KILLED: u32 = 9;

/// A template that has said Ready, and our end of its channel.
struct StandingTemplate {
    session: WorkerSession,
    channel: ForkChannel,
}

/// A worker that it made and that has said Ready.
struct MadeWorker {
    session: WorkerSession,
    /// What it is to be known by.
    worker_id: String,
    /// The number the template has for its process.
    pid: u32,
}

pub(crate) async fn fork(bench: &Workbench) -> Checked {
    let mut template = StandingTemplate::of(bench).await?;
    // Both at once: what is let go is killed, and its template tells of that.
    let workers = [template.make_worker().await?, template.make_worker().await?];
    for mut made in workers {
        made.session.still_works("a Fork").await?;
        let process = made.session.group().id();
        if !shows(process, &made.worker_id) {
            let expected = format!(
                "/proc/{process}/environ shows MUSTER_WORKER_ID={}, the worker_id of its Fork",
                made.worker_id
            );
            return Err(made.session.fault(expected, "another id, or none").await);
        }
    }
    Ok(())
}

pub(crate) async fn exited(bench: &Workbench) -> Checked {
    let mut template = StandingTemplate::of(bench).await?;
    let killed = template.make_worker().await?;
    killed.session.group().kill();
    template.must_tell_of_the_end(killed.pid, KILLED, "SIGKILL").await?;
    let mut left = template.make_worker().await?;
    left.session.hang_up();
    template.must_tell_of_the_end(left.pid, EXITED, "the end of its stdin").await
}

pub(crate) async fn leaving(bench: &Workbench) -> Checked {
    let mut template = StandingTemplate::of(bench).await?;
    let mut made = template.make_worker().await?;
    template.session.send(&drain()).await?;
    let expected = "Goodbye of a template in answer to Drain, while a worker it made lives";
    match template.session.expect_message(expected).await? {
        ToSupervisor::Goodbye { .. } => leaves(&mut template.session).await?,
        other => return Err(template.session.fault(expected, shown(&other)).await),
    }
    made.session.still_works("the end of its template").await
}

impl StandingTemplate {
    /// Whether a worker can be a template is told only where there is a channel.
    async fn of(bench: &Workbench) -> Result<Self, CheckFailure> {
        let (mut session, channel) = bench.start_with_channel().await?;
        let introduction = session.hello().await?;
        if !introduction.features.iter().any(|offered| offered == feature::TEMPLATE) {
            let reason = format!("does not offer the feature {}", feature::TEMPLATE);
            return Err(CheckFailure::NotChecked(reason));
        }
        session.send(&welcome(&introduction.features)).await?;
        session.hear_ready().await?;
        Ok(Self { session, channel })
    }

    async fn make_worker(&mut self) -> Result<MadeWorker, CheckFailure> {
        let unasked = |error| CheckFailure::NotChecked(format!("no streams for another worker: {error}"));
        let request = self.channel.request(&WorkerBelongings::default()).map_err(unasked)?;
        let worker_id = request.worker_id().to_owned();
        self.session.send(&ToWorker::Fork { worker_id: worker_id.clone() }).await?;
        let expected = format!("Forked of {worker_id}, in answer to its Fork");
        let pid = match self.session.expect_message(&expected).await? {
            ToSupervisor::Forked { worker_id: made, pid, .. } if made == worker_id => pid,
            other => return Err(self.session.fault(expected, shown(&other)).await),
        };
        let accepted = self.channel.accept(request, self.session.group());
        let mut session = match accepted.and_then(WorkerSession::new) {
            Ok(session) => session,
            Err(error) => {
                let expected = "the worker_id and a pidfd of the child come over the channel before Forked";
                return Err(self.session.fault(expected, error.to_string()).await);
            }
        };
        let offer = session.handshake().await?;
        if offer.has_feature(feature::TEMPLATE) {
            let expected = "the Hello of a worker that was made by a fork is without the feature template";
            return Err(session.fault(expected, "it offers it").await);
        }
        Ok(MadeWorker { session, worker_id, pid })
    }

    async fn must_tell_of_the_end(&mut self, pid: u32, status: u32, cause: &str) -> Checked {
        let expected = format!("Exited of process {pid} with status {status}, after {cause}");
        match self.session.expect_message(&expected).await? {
            ToSupervisor::Exited { pid: ended, status: told } if (ended, told) == (pid, status) => Ok(()),
            other => Err(self.session.fault(expected, shown(&other)).await),
        }
    }
}

/// True when the environment a process is known by has this id.
fn shows(process: u32, worker_id: &str) -> bool {
    let wanted = format!("MUSTER_WORKER_ID={worker_id}");
    let environment = std::fs::read(format!("/proc/{process}/environ"));
    environment.is_ok_and(|variables| variables.split(|byte| *byte == 0).any(|one| one == wanted.as_bytes()))
}
