//! Why a batch cannot be run.

use muster_store::StoreError;

use super::input::InputError;
use crate::service::CoreError;

/// A batch cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The pool.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The records.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Lines were to come still.
    #[error("stopped before the end of the lines; those that were read have their results")]
    Stopped,
}
