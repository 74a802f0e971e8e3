//! Runs `supervisor check-worker` and reads its report.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use muster_tests::Installation;
use muster_tests::binaries::repository;
use serde_json::Value;

/// A workflow file that does not come back while it is loaded, in the language of the worker.
fn hanging_file(command: &[&str]) -> PathBuf {
    let is_python = command.first().is_some_and(|program| program.ends_with("python3"));
    repository(if is_python { "tests/workers/hangs.py" } else { "tests/workers/hangs.js" })
}

/// What the kit said.
pub(crate) struct Kit {
    pub(crate) report: Value,
    pub(crate) exit_code: Option<i32>,
    pub(crate) stderr: String,
}

impl Kit {
    /// Runs the kit on a command, with a variable in the environment and further flags.
    pub(crate) fn run(command: &[&str], variable: Option<(&str, &str)>, flags: &[&str]) -> Self {
        let installation = Installation::new();
        let mut kit: Command = installation.command(&["check-worker", "--json"]);
        kit.args(flags).arg("--hanging-file").arg(hanging_file(command));
        kit.arg("--").args(command).envs(variable);
        #[expect(clippy::disallowed_methods, reason = "the kit is the program under test")]
        let output = kit.output().unwrap();
        installation.assert_nothing_left();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("no report: {error}\n{stderr}"));
        Self { report, exit_code: output.status.code(), stderr }
    }

    /// Runs the kit on the worker that commits this sin.
    pub(crate) fn on_sinner(sin: &str, flags: &[&str]) -> Self {
        Self::run(&["python3", repository("tests/workers/wrong.py").to_str().unwrap(), sin], None, flags)
    }

    /// The checks with this verdict, by name, as they are in the report.
    pub(crate) fn with(&self, verdict: &str) -> BTreeMap<&str, &Value> {
        let checks = self.report["checks"].as_array().unwrap();
        let wanted = checks.iter().filter(|check| check["verdict"] == verdict);
        wanted.map(|check| (check["name"].as_str().unwrap(), check)).collect()
    }
}
