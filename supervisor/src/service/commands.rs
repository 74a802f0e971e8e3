//! What a supervisor does about a command that came over the bus.

use async_trait::async_trait;
use muster_bus::ControlCommand;
use muster_core::pool::WorkerId;
use uuid::Uuid;

use super::supervisor::Supervisor;
use crate::api::{ApiService, RecycleTarget};
use crate::notify::control_commands::HandleCommand;

#[async_trait]
impl HandleCommand for Supervisor {
    fn supervisor_id(&self) -> Uuid {
        self.core.claimant.owner
    }

    async fn handle_command(&self, command: ControlCommand) -> Result<(), String> {
        let done = match command {
            ControlCommand::Cancel { execution_id, reason } => {
                if let Some(attempt) = self.core.in_flight.attempt_at(execution_id) {
                    self.core.dispatcher.cancel_wanted(attempt, reason.as_deref());
                    return Ok(());
                }
                // Whoever publishes here need not have asked the API, so one that waits is cancelled too.
                self.request_cancel(execution_id).await.map(drop)
            }
            ControlCommand::Recycle { worker } => {
                let number = worker.strip_prefix("worker-").unwrap_or(&worker).parse();
                let worker =
                    WorkerId(number.map_err(|_| format!("{worker:?} is no worker: give worker-NUMBER"))?);
                self.recycle(RecycleTarget::Worker(worker)).await
            }
            ControlCommand::RecycleAll => self.recycle(RecycleTarget::All).await,
            ControlCommand::Resize { min_workers, max_workers } => {
                self.resize(min_workers, max_workers).await
            }
            ControlCommand::Reload => ApiService::reload(self).await,
        };
        done.map_err(|error| error.to_string())
    }
}
