//! What the settings say of the walls around workers.

use std::path::PathBuf;

use muster_system::confinement::{
    Confinement, ConfinementLevel, ConfinementPlan, FileSettings, KernelFacts, WorkerUsers, allowed_files,
    user_named,
};
use muster_system::process::Launch;
use secrecy::ExposeSecret as _;

use super::backends::sqlite_path;
use crate::settings::{Settings, WorkerUserSetting, WorkerVariable};

/// Programs that change their user, which takes capabilities that a confined worker has not.
const CHANGE_USER: &[&str] = &["su", "sudo", "runuser", "setpriv", "gosu", "su-exec", "doas", "chroot"];

/// Workers cannot be confined as the settings ask for.
#[derive(Debug, thiserror::Error)]
pub enum ConfinementError {
    /// Only root can.
    #[error(
        "worker_user needs a supervisor that is started as root: leave it out, and workers run as the supervisor's user"
    )]
    NotRoot,
    /// It is one of the walls.
    #[error("worker_user needs confinement = scoped or strict, and it is off")]
    UserWithoutWalls,
    /// There is none of this name.
    #[error(
        "worker_user names {name}, and there is no such user: make it, or give a number or a range of numbers"
    )]
    NoSuchUser {
        /// The name.
        name: String,
    },
    /// The kernel is too old.
    #[error("{lack}; set confinement = scoped, or start a newer kernel")]
    Kernel {
        /// What it lacks.
        lack: String,
    },
}

/// The walls around workers, as far as they do not depend on the command.
pub fn confinement(settings: &Settings) -> Confinement {
    let plan = ConfinementPlan {
        limits: settings.worker_limits,
        ports: settings.worker_ports.clone(),
        ..ConfinementPlan::of(settings.confinement)
    };
    let sets_temporary = settings.worker_env.iter().any(|variable| name_of(variable) == "TMPDIR");
    // Who cannot be found is an error when a worker is to be started, and no wall before.
    let users = users(settings).ok().flatten();
    Confinement {
        plan,
        users,
        private_temporary: !sets_temporary,
        group_limits: settings.worker_group_limits,
    }
}

/// The command in the walls that the settings ask for.
///
/// # Errors
/// When they cannot be had.
pub(super) fn confined(launch: Launch, settings: &Settings) -> Result<Launch, ConfinementError> {
    let mut walls = Confinement { users: users(settings)?, ..confinement(settings) };
    let mut launch = launch;
    if walls.plan.level >= ConfinementLevel::Strict {
        if let Some(lack) = KernelFacts::read().lack_for_strict() {
            return Err(ConfinementError::Kernel { lack });
        }
        (walls.plan.readable, walls.plan.writable) = allowed_files(&launch, &file_settings(settings));
    }
    let sets_home = settings.worker_env.iter().any(|variable| name_of(variable) == "HOME");
    if let (Some(users), false) = (&walls.users, sets_home) {
        launch = match users {
            WorkerUsers::One { home: Some(home), .. } => launch.with_variable("HOME", home),
            WorkerUsers::One { home: None, .. } | WorkerUsers::Range { .. } => {
                launch.without_variable("HOME")
            }
        };
    }
    Ok(launch.confined(walls))
}

/// What a person should know of a command that no wall stops before it fails by itself.
pub(super) fn doubt_about(settings: &Settings) -> Option<String> {
    let program = settings.worker_command.first()?;
    let name = std::path::Path::new(program).file_name()?.to_str()?;
    (settings.confinement > ConfinementLevel::Off && CHANGE_USER.contains(&name)).then(|| {
        format!("worker_command begins with {name}, which cannot change its user in a confined worker: set worker_user instead, or confinement = off")
    })
}

fn name_of(variable: &WorkerVariable) -> &str {
    match variable {
        // What all of them brings along gives way to what is each worker's own.
        WorkerVariable::PassAll => "",
        WorkerVariable::Pass { name } | WorkerVariable::Set { name, .. } => name,
    }
}

fn users(settings: &Settings) -> Result<Option<WorkerUsers>, ConfinementError> {
    let users = match &settings.worker_user {
        WorkerUserSetting::Own => return Ok(None),
        WorkerUserSetting::Range { first, last } => WorkerUsers::Range { first: *first, last: *last },
        WorkerUserSetting::Named(name) => {
            user_named(name).ok_or_else(|| ConfinementError::NoSuchUser { name: name.clone() })?
        }
    };
    if settings.confinement == ConfinementLevel::Off {
        return Err(ConfinementError::UserWithoutWalls);
    }
    if !KernelFacts::read().is_root {
        return Err(ConfinementError::NotRoot);
    }
    Ok(Some(users))
}

/// What workers may open, and what is the supervisor's own.
fn file_settings(settings: &Settings) -> FileSettings {
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let mut closed = vec![absolute(&settings.data_dir)];
    closed.extend(settings.files().iter().map(absolute));
    closed.extend(sqlite_files(settings));
    closed.extend(settings.tls_key_file.iter().map(absolute));
    FileSettings {
        workflows_dir: absolute(&settings.workflows_dir),
        readable: settings.worker_paths_ro.clone(),
        writable: settings.worker_paths_rw.clone(),
        closed,
    }
}

/// The embedded database and what it keeps beside itself, which may be elsewhere than in the data directory.
fn sqlite_files(settings: &Settings) -> Vec<PathBuf> {
    let Some(file) = sqlite_path(settings.database_url.expose_secret()) else { return Vec::new() };
    let beside = |suffix: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    vec![file.to_owned(), beside("-wal"), beside("-shm"), beside("-journal")]
}
