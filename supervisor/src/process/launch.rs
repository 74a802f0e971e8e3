//! What to start: a program, its arguments and its environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The environment variables a worker sees without being asked for.
const ALWAYS_PASSED: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// A command line that is ready to be spawned any number of times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Absolute: a cleared environment with a bare name would make the system fork instead of posix_spawn.
    pub program: PathBuf,
    /// Without the program itself.
    pub arguments: Vec<OsString>,
    /// All the variables the process sees.
    pub environment: Vec<(OsString, OsString)>,
}

/// Why a command cannot be launched.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// No argv.
    #[error(
        "worker_command is empty: give the program to start, such as worker_command = \"python3 -m muster_worker\""
    )]
    Empty,
}

impl Launch {
    /// Resolves a command. A bare program name is looked up in PATH; one that is nowhere stays as it is, so
    /// that the failure shows when it is started, with a retry, and not as a refusal to run.
    ///
    /// `passed` are names of variables to let through, or `NAME=VALUE` to set.
    ///
    /// # Errors
    /// When there is no program.
    pub fn resolve(command: &[String], passed: &[String]) -> Result<Self, LaunchError> {
        let (program, arguments) = command.split_first().ok_or(LaunchError::Empty)?;
        Ok(Self {
            program: absolute(Path::new(program)),
            arguments: arguments.iter().map(OsString::from).collect(),
            environment: environment(passed),
        })
    }

    /// Adds or replaces a variable.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.into(), value.into()));
        self
    }
}

fn absolute(program: &Path) -> PathBuf {
    if program.is_absolute() {
        return program.to_owned();
    }
    if program.components().count() > 1 {
        return std::path::absolute(program).unwrap_or_else(|_| program.to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_absolute() && candidate.is_file())
        .unwrap_or_else(|| Path::new("/").join(program))
}

fn environment(passed: &[String]) -> Vec<(OsString, OsString)> {
    let mut variables: Vec<(OsString, OsString)> = Vec::new();
    let names = ALWAYS_PASSED.iter().copied().chain(passed.iter().map(String::as_str));
    for entry in names {
        let (name, value) = match entry.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (entry, std::env::var_os(entry)),
        };
        variables.retain(|(known, _)| known != name);
        if let Some(value) = value {
            variables.push((name.into(), value));
        }
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_found_in_path_and_made_absolute() {
        let launch = Launch::resolve(&["sh".into(), "-c".into(), "true".into()], &[]).unwrap();
        assert!(launch.program.is_absolute() && launch.program.is_file(), "{launch:?}");
        assert_eq!(launch.arguments, ["-c", "true"]);
    }

    #[test]
    fn only_listed_variables_pass() {
        let launch =
            Launch::resolve(&["sh".into()], &["MUSTER_TEST_SET=x=y".into(), "NO_SUCH_VARIABLE".into()])
                .unwrap();
        let names: Vec<_> = launch.environment.iter().map(|(name, _)| name.to_str().unwrap()).collect();
        assert!(
            names.iter().all(|name| ["PATH", "HOME", "LANG", "TZ", "MUSTER_TEST_SET"].contains(name)),
            "{names:?}"
        );
        assert!(launch.environment.contains(&("MUSTER_TEST_SET".into(), "x=y".into())));
    }

    #[test]
    fn no_program_is_an_error_that_says_what_to_give() {
        assert!(Launch::resolve(&[], &[]).unwrap_err().to_string().contains("worker_command is empty"));
    }
}
