//! Why a batch cannot be run.

use muster_store::StoreError;

use super::input::InputError;
use crate::service::CoreError;

/// Why a batch cannot be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The pool cannot be made.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The store of the batch failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be read.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The batch was stopped while lines were still to come.
    #[error("stopped before the end of the lines; those that were read have their results")]
    Stopped,
}
