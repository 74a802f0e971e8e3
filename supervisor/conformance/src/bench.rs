//! What all checks share: how the worker is started, and what it said it offers.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use muster_protocol::TEMPLATE_FD_ENV;
use muster_system::process::{ForkChannel, Launch, Spawner};

use super::failure::CheckFailure;
use super::session::{WorkerOffer, WorkerSession};

/// Starts sessions with the worker under check.
#[derive(Debug)]
pub(super) struct Workbench {
    spawner: Spawner,
    launch: Arc<Launch>,
    hanging_file: Option<PathBuf>,
    offer: OnceLock<WorkerOffer>,
}

impl Workbench {
    pub(super) fn new(spawner: Spawner, launch: Launch, hanging_file: Option<PathBuf>) -> Self {
        Self { spawner, launch: Arc::new(launch), hanging_file, offer: OnceLock::new() }
    }

    /// A workflow file that does not come back while it is loaded, if somebody gave one.
    pub(super) fn hanging_file(&self) -> Option<&Path> {
        self.hanging_file.as_deref()
    }

    /// A process that has said nothing yet.
    pub(super) async fn start(&self) -> Result<WorkerSession, CheckFailure> {
        let child = self.spawner.spawn(Arc::clone(&self.launch)).await;
        child.and_then(WorkerSession::new).map_err(|error| self.not_started(&error))
    }

    /// A process that has said nothing yet and may be a template, and our end of its channel.
    pub(super) async fn start_with_channel(&self) -> Result<(WorkerSession, ForkChannel), CheckFailure> {
        let spawned = self.spawner.spawn_with_channel(Arc::clone(&self.launch), TEMPLATE_FD_ENV).await;
        let started = spawned.and_then(|(child, channel)| Ok((WorkerSession::new(child)?, channel)));
        started.map_err(|error| self.not_started(&error))
    }

    fn not_started(&self, error: &std::io::Error) -> CheckFailure {
        let program = self.launch.program.display();
        CheckFailure::failed(format!("{program} starts"), format!("it cannot be started: {error}"))
    }

    /// A process that is Ready, with all the features it offers agreed.
    pub(super) async fn ready(&self) -> Result<WorkerSession, CheckFailure> {
        let mut session = self.start().await?;
        session.handshake().await?;
        Ok(session)
    }

    /// What the worker offers, once a session of it was Ready.
    pub(super) fn offer(&self) -> Option<&WorkerOffer> {
        self.offer.get()
    }

    /// Whether it offers the feature.
    pub(super) fn offers(&self, feature: &str) -> bool {
        self.offer().is_some_and(|offer| offer.has_feature(feature))
    }

    /// Keeps what the worker offers. The first word counts.
    pub(super) fn learn(&self, offer: WorkerOffer) {
        let _ = self.offer.set(offer);
    }
}
