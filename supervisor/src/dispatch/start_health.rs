//! What readiness reports beside the slots: whether workers start.

use std::sync::{Mutex, PoisonError};

/// The last trouble with starting workers.
#[derive(Debug, Default)]
pub struct StartHealth {
    starts: Mutex<Option<StartTrouble>>,
}

/// Workers cannot be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartTrouble {
    /// How many starts failed in a row.
    pub consecutive: u32,
    /// The last reason.
    pub message: String,
}

impl StartHealth {
    /// One more start failed.
    pub fn start_failed(&self, consecutive: u32, message: &str) {
        let trouble = StartTrouble { consecutive, message: message.to_owned() };
        *self.starts.lock().unwrap_or_else(PoisonError::into_inner) = Some(trouble);
    }

    /// A worker started.
    pub fn starts_recovered(&self) {
        *self.starts.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The trouble, while it lasts.
    pub fn start_trouble(&self) -> Option<StartTrouble> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
