//! What to start: a program, its arguments and its environment.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use super::GroupLimits;
use crate::confinement::{Confinement, ConfinementLevel};
use crate::temporary::TemporaryFolders;

/// The environment variables a worker sees without being asked for.
const ALWAYS_PASSED: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// A command line that is ready to be spawned any number of times.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Absolute: one that is not is nowhere.
    pub program: PathBuf,
    /// The arguments, without the program itself.
    pub arguments: Vec<OsString>,
    /// All the variables the process sees.
    pub environment: Vec<(OsString, OsString)>,
    /// The walls around it; `None` is none.
    pub confinement: Option<Confinement>,
    /// What it may use together with all it starts, where it has a control group.
    pub group_limits: GroupLimits,
    /// Where it gets a temporary folder of its own; `None` gives it none.
    pub temporary: Option<Arc<TemporaryFolders>>,
}

/// Why a command cannot be launched.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The command line has no word in it.
    #[error(
        "worker_command is empty: give the program to start, such as worker_command = \"python3 -m muster_worker\""
    )]
    Empty,
}

impl Launch {
    /// A command whose program is an absolute path. `variables` come on top of PATH, HOME, LANG and TZ; one
    /// without a value is let through as the supervisor has it.
    ///
    /// # Errors
    /// When there is no program.
    pub fn new(command: &[String], variables: Vec<(String, Option<OsString>)>) -> Result<Self, LaunchError> {
        let (program, arguments) = command.split_first().ok_or(LaunchError::Empty)?;
        let bare = Self {
            program: PathBuf::from(program),
            arguments: arguments.iter().map(OsString::from).collect(),
            environment: Vec::new(),
            confinement: None,
            group_limits: GroupLimits::default(),
            temporary: None,
        };
        let always = ALWAYS_PASSED.map(|name| (name.to_owned(), None));
        Ok(always.into_iter().chain(variables).fold(bare, |launch, (name, value)| {
            match value.or_else(|| std::env::var_os(&name)) {
                Some(value) => launch.with_variable(&name, value),
                None => launch,
            }
        }))
    }

    /// Puts these walls around it. Those of the level `off` are none.
    #[must_use]
    pub fn confined(mut self, confinement: Confinement) -> Self {
        self.group_limits = confinement.group_limits;
        self.confinement = (confinement.plan.level > ConfinementLevel::Off).then_some(confinement);
        self
    }

    /// Gives each process that is started a temporary folder of its own, if its walls ask for one.
    #[must_use]
    pub fn with_temporary(mut self, folders: &Arc<TemporaryFolders>) -> Self {
        let is_asked = self.confinement.as_ref().is_some_and(|walls| walls.private_temporary);
        self.temporary = is_asked.then(|| Arc::clone(folders));
        self
    }

    /// Takes a variable away.
    #[must_use]
    pub fn without_variable(mut self, name: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self
    }

    /// Adds a variable to the environment, or replaces it.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.into(), value.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_variables_pass() {
        let variables = vec![("SET".to_owned(), Some("x=y".into())), ("NO_SUCH_VARIABLE".to_owned(), None)];
        let launch = Launch::new(&["/bin/sh".into()], variables).unwrap();
        let names: Vec<_> = launch.environment.iter().map(|(name, _)| name.to_str().unwrap()).collect();
        assert!(names.iter().all(|name| ["PATH", "HOME", "LANG", "TZ", "SET"].contains(name)), "{names:?}");
        assert!(launch.environment.contains(&("SET".into(), "x=y".into())));
    }

    #[test]
    fn no_program_is_an_error_that_says_what_to_give() {
        assert!(Launch::new(&[], Vec::new()).unwrap_err().to_string().contains("worker_command is empty"));
    }
}
