//! Executions that made room for newer ones at a limit, or were not let in: those who run them are told, and those who watch.

use std::sync::Weak;

use muster_store::{CancelResult, Displaced};

use super::supervisor::Supervisor;
use crate::notify::sweep::notify_rows;

/// Tells of all that are displaced in this process, until the supervisor is gone.
pub(super) async fn tell_for_ever(supervisor: Weak<Supervisor>) {
    loop {
        let Some(store) = supervisor.upgrade().map(|supervisor| supervisor.store.clone()) else {
            return;
        };
        let displaced = store.displaced().await;
        let Some(supervisor) = supervisor.upgrade() else { return };
        let mut over = Vec::new();
        for one in displaced {
            match one {
                Displaced::Over(id) => over.push(id),
                Displaced::Asked { attempt, owner, reason } => {
                    let asked = CancelResult::Requested { attempt, owner };
                    supervisor.tell_owner(attempt.execution_id, asked, Some(reason)).await;
                }
            }
        }
        if !over.is_empty() {
            notify_rows(store, &supervisor.core.bus, over);
        }
    }
}
