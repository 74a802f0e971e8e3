//! Where the records of a batch are while it runs, and whether they stay.

use std::path::PathBuf;

use super::failed;
use crate::cli::exit::CommandFailure;
use crate::service::DataDir;
use crate::settings::{DATABASE_FILE, Origin, Settings};

/// Where the records of this batch are.
pub(super) struct Records {
    pub(super) database: PathBuf,
    /// Removed with all that is in it when the batch is over.
    _temporary: Option<tempfile::TempDir>,
    /// Kept beyond the batch, and ours alone meanwhile.
    pub(super) kept: Option<DataDir>,
}

impl Records {
    /// Only the flag asks for records that stay: a data folder in the settings file or in the environment is that
    /// of the service, which may be running in it.
    pub(super) fn open(settings: &Settings) -> Result<Self, CommandFailure> {
        match settings.origin("data_dir") {
            Origin::Flag(_) => {
                let kept = DataDir::lock(&settings.data_dir).map_err(failed)?;
                Ok(Self { database: kept.path().join(DATABASE_FILE), _temporary: None, kept: Some(kept) })
            }
            Origin::Default | Origin::Adjusted(_) | Origin::File(_) | Origin::Environment(_) => {
                let folder = tempfile::tempdir()?;
                let database = folder.path().join("batch.sqlite");
                Ok(Self { database, _temporary: Some(folder), kept: None })
            }
        }
    }
}
