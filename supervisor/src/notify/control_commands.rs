//! Commands that come over the bus: cancels and changes of the pool.

use std::sync::Weak;

use async_trait::async_trait;
use muster_bus::{Bus, ControlCommand};
use uuid::Uuid;

/// Who carries out commands.
#[async_trait]
pub(crate) trait HandleCommand: Send + Sync {
    /// Its id: a command may name one supervisor.
    fn supervisor_id(&self) -> Uuid;

    /// Carries one out; the error is for the log.
    async fn handle_command(&self, command: ControlCommand) -> Result<(), String>;
}

/// Has commands carried out for as long as the handler lives.
pub(crate) async fn handle_commands(handler: Weak<impl HandleCommand>, bus: Bus) {
    let mut commands = bus.commands().await;
    loop {
        let addressed = commands.next().await;
        let Some(handler) = handler.upgrade() else { return };
        if addressed.supervisor.is_some_and(|named| named != handler.supervisor_id()) {
            continue;
        }
        if let Err(error) = handler.handle_command(addressed.command).await {
            tracing::warn!(error, "a command from the bus was not carried out");
        }
    }
}
