//! Workers behind a launcher (`sh -c`, `npm run`, `uv run`): the process that was started is not the worker, and says
//! little of it. The worker is known by the number it gives in Hello, and its own end is what counts.

use std::time::Duration;

use futures_util::FutureExt as _;
use muster_core::process::ExitStatus;
use muster_system::process::{ExitWatch, LaunchedProgram};

use super::reader::WorkerReader;

/// When its program has ended a launcher gets so long to end too, before it is ended.
const LAUNCHER_ENDS_WITHIN: Duration = Duration::from_millis(500);

/// The program behind a worker's launcher.
#[derive(Debug, Default)]
pub(super) enum Behind {
    /// It has not said who it is.
    #[default]
    NotSaid,
    /// What was started is the worker, or the number it gave is nobody's we know: one of another namespace.
    Nothing,
    /// It has said that its number is this one, which is another.
    Announced(u32),
    /// It is watched.
    Watched(LaunchedProgram),
}

impl Behind {
    /// Returns when the program has ended; never where there is none.
    pub(super) async fn ended(&self) {
        match self {
            Self::NotSaid | Self::Nothing | Self::Announced(_) => std::future::pending().await,
            Self::Watched(program) => program.ended().await,
        }
    }

    /// How the program ended, where it has and the system tells.
    pub(super) async fn exit_status(&self) -> Option<ExitStatus> {
        match self {
            Self::NotSaid | Self::Nothing | Self::Announced(_) => None,
            Self::Watched(program) => program.exit_status().await,
        }
    }
}

impl WorkerReader {
    /// Watches the program that has announced itself.
    pub(super) async fn watch_announced(&mut self) {
        let Behind::Announced(pid) = self.behind else { return };
        self.behind = Behind::Nothing;
        let Some(family) = self.link.family() else { return };
        let found = self.engine.background.spawn_blocking(move || family.program(pid)).await;
        if let Ok(Some(program)) = found {
            tracing::debug!(worker = %self.link.id, pid = program.id(), "worker is behind a launcher");
            self.link.is_behind(program.handle().ok());
            // If its launcher leaves before it we are its parent, and hear how it ends.
            self.engine.inherit_workers();
            self.behind = Behind::Watched(program);
        }
    }

    /// What was started has ended. True when the worker goes on without it: it was a launcher, and has left.
    pub(super) async fn goes_on(&self) -> bool {
        if self.link.was_killed() {
            return false;
        }
        match &self.behind {
            Behind::Watched(program) => program.ended().now_or_never().is_none(),
            Behind::Announced(_) => true,
            Behind::Nothing => false,
            Behind::NotSaid => {
                let Some(family) = self.link.family() else { return false };
                let members = self.engine.background.spawn_blocking(move || family.members()).await;
                members.is_ok_and(|members| !members.is_empty())
            }
        }
    }

    /// The program has ended: its launcher has nothing left to do. What it still does is ended with the others.
    pub(super) async fn launcher_ends(&self, watch: &ExitWatch) {
        let _ = tokio::time::timeout(LAUNCHER_ENDS_WITHIN, watch.ended()).await;
    }
}
