//! What one worker process has of its own, for as long as it lives: a temporary folder, and a user where the supervisor
//! gives it one.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::Launch;
use crate::confinement::{Confinement, ConfinementLevel, ConfinementPlan, UserLease, WorkerUsers};
use crate::temporary::WorkerFolder;

/// The variable that names a process's temporary folder, to every program.
const TEMPORARY_ENV: &str = "TMPDIR";
/// The variable that tells a worker where to note what it loads.
const LOADING_ENV: &str = "MUSTER_LOADING_DIR";
const HOME_ENV: &str = "HOME";

/// What a worker has of its own. Dropping it takes that away, so it is dropped when the worker has ended.
#[derive(Clone, Debug, Default)]
pub struct WorkerBelongings {
    /// Its temporary folder.
    pub temporary: Option<Arc<WorkerFolder>>,
    /// Its user.
    pub user: Option<Arc<UserLease>>,
}

impl WorkerBelongings {
    /// What a process that is started gets.
    pub(super) fn of(launch: &Launch) -> io::Result<Self> {
        let Some(confinement) = &launch.confinement else { return Ok(Self::default()) };
        let user = confinement.users.as_ref().map(WorkerUsers::lease).transpose()?.map(Arc::new);
        let made = launch.temporary.as_ref().map(|folders| folders.make(user.clone()));
        let temporary = match made.transpose() {
            Ok(folder) => folder.map(Arc::new),
            Err(error) if is_needed(confinement) => {
                return Err(io::Error::other(format!("no temporary folder can be made for it: {error}")));
            }
            Err(error) => {
                tracing::warn!(%error, "a worker shares the temporary folder of all, because none can be made for it");
                None
            }
        };
        Ok(Self { temporary, user })
    }

    /// What a worker gets that a template with these makes: the same user, and a folder in the template's, by which it knows it.
    ///
    /// # Errors
    /// When no folder can be made.
    pub(super) fn of_child(&self, worker_id: &str) -> io::Result<Self> {
        let temporary = self.temporary.as_ref().map(|folder| folder.make_within(worker_id)).transpose()?;
        Ok(Self { temporary: temporary.map(Arc::new), user: self.user.clone() })
    }

    /// The walls around it: those of all, and what is its own.
    pub(super) fn plan(&self, launch: &Launch, all: &ConfinementPlan, oom_score: i32) -> ConfinementPlan {
        let mut plan = ConfinementPlan {
            oom_score: Some(oom_score),
            user: self.user.as_ref().map(|lease| lease.user().clone()),
            ..all.clone()
        };
        if plan.level >= ConfinementLevel::Strict {
            plan.own.extend(self.temporary.as_ref().map(|folder| folder.path().to_owned()));
            plan.own.extend(self.loading(launch));
        }
        plan
    }

    /// The variables that tell it.
    pub(super) fn variables(&self, launch: &Launch) -> Vec<(&'static str, OsString)> {
        let folder = self.temporary.as_ref().map(|folder| folder.path().as_os_str().to_owned());
        let has_home = launch.environment.iter().any(|(name, _)| name == HOME_ENV);
        let home = folder.clone().filter(|_| self.user.is_some() && !has_home);
        let loading = self.loading(launch).map(PathBuf::into_os_string);
        [(TEMPORARY_ENV, folder), (HOME_ENV, home), (LOADING_ENV, loading)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }

    /// Where it notes what it loads. Without that folder it learns nothing of those before it, and works.
    fn loading(&self, launch: &Launch) -> Option<PathBuf> {
        self.temporary.as_ref()?;
        launch.temporary.as_ref()?.of_loading(self.user.as_deref()).ok()
    }
}

/// Another user cannot write where the supervisor's temporary files are, and a strictly confined worker nowhere else.
fn is_needed(confinement: &Confinement) -> bool {
    confinement.users.is_some() || confinement.plan.level >= ConfinementLevel::Strict
}
