//! What readiness reports beside the slots: whether workers start.

use std::sync::{Mutex, PoisonError};

/// The last trouble with starting workers.
#[derive(Debug, Default)]
pub struct StartHealth {
    starts: Mutex<Option<StartTrouble>>,
}

/// Trouble with starting workers, while it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartTrouble {
    /// How many starts failed in a row.
    pub consecutive: u32,
    /// What the last failed start said.
    pub message: String,
}

impl StartHealth {
    /// Notes that one more start failed.
    pub fn start_failed(&self, consecutive: u32, message: &str) {
        let trouble = StartTrouble { consecutive, message: message.to_owned() };
        *self.starts.lock().unwrap_or_else(PoisonError::into_inner) = Some(trouble);
    }

    /// Notes that a worker started, which ends the trouble.
    pub fn starts_recovered(&self) {
        *self.starts.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Gives the trouble; `None` when workers start as they should.
    pub fn start_trouble(&self) -> Option<StartTrouble> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
