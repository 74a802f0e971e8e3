//! What can be wrong with the settings, said so that a person can fix it.

use std::path::PathBuf;

use super::source::Origin;

/// One thing that is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingProblem {
    /// The file cannot be used at all.
    #[error("{path} {reason}", path = path.display())]
    File {
        /// The path of the file.
        path: PathBuf,
        /// Why the file cannot be used.
        reason: String,
    },
    /// There is no setting of this name.
    #[error("there is no setting {name}{}{}", place(name, origin), suggestion(nearest.as_deref()))]
    Unknown {
        /// The name as its source spells it.
        name: String,
        /// Where the name is written.
        origin: Origin,
        /// What was probably meant, spelled alike.
        nearest: Option<String>,
    },
    /// A setting of the process manager that came before Muster.
    #[error("{key} (from {origin}) was removed: {instead}")]
    Removed {
        /// The name of the setting.
        key: &'static str,
        /// Where the setting is written.
        origin: Origin,
        /// What to write in its place.
        instead: &'static str,
    },
    /// The value of a setting cannot be used.
    #[error("{key} (from {origin}) {reason}")]
    Invalid {
        /// The name of the setting.
        key: &'static str,
        /// Where the value is written.
        origin: Origin,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// Two settings that cannot both hold.
    #[error("{key} (from {origin}) {reason}")]
    Conflict {
        /// The name of one of the two.
        key: &'static str,
        /// Where that one is written.
        origin: Origin,
        /// What is wrong and what would be right.
        reason: String,
    },
}

/// Everything that is wrong with the settings.
#[derive(Debug, thiserror::Error)]
#[error("{}", list(problems))]
pub struct SettingsError {
    /// Each problem, in the order of the sources and the table.
    pub problems: Vec<SettingProblem>,
}

fn list(problems: &[SettingProblem]) -> String {
    match problems {
        [only] => format!("invalid settings: {only}"),
        several => {
            let lines: Vec<String> = several.iter().map(|problem| format!("\n  - {problem}")).collect();
            format!("invalid settings, {} problems:{}", several.len(), lines.concat())
        }
    }
}

/// Where a name is written, unless the name says it all.
fn place(name: &str, origin: &Origin) -> String {
    match origin.to_string() {
        place if place == name => String::new(),
        place => format!(" (from {place})"),
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    match nearest {
        Some(name) => format!(": did you mean {name}?"),
        None => ": `supervisor config` lists the settings there are".to_owned(),
    }
}

/// Settings that are no more, and what to write instead.
pub const REMOVED: &[(&str, &str)] = &[
    ("use_thread_workers", "every execution runs in a worker process of its own now; delete the setting"),
    (
        "worker_thread_pool_size",
        "workers are processes now, max_workers says how many there may be; delete the setting and set max_workers",
    ),
    (
        "cancel_grace_seconds",
        "graceful_shutdown_seconds is the time from SIGTERM to SIGKILL, also after a cancel; set that instead",
    ),
];
