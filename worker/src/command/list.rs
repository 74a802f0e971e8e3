//! `worker list`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use muster_protocol::WorkflowDescription;
use serde_json::{Map, Value};

use super::here::no_folder;
use crate::engine::{Engines, Init, Listed};
use crate::serve::exit;

pub(crate) fn list(mut engines: Engines, workflows_dir: PathBuf, json: bool) -> u8 {
    let is_there = workflows_dir.is_dir();
    let init = Init { workflows_dir: Some(workflows_dir.clone()), ..Init::default() };
    if let Err(error) = engines.init(&init) {
        exit::complain(&error.message);
        return exit::INIT_FAILED;
    }
    let listed = engines.list();
    print(&listed, engines.describe(), json);
    if engines.runs_files() && !is_there {
        exit::complain(&no_folder(&workflows_dir));
        // What is built in needs no folder.
        return if listed.is_empty() { super::EXIT_USAGE } else { exit::DONE };
    }
    if listed.is_empty() {
        exit::complain(&nothing_there(&engines, &workflows_dir));
    }
    exit::DONE
}

/// Writes a line for each, until nobody reads.
fn print(listed: &[Listed], described: Vec<WorkflowDescription>, json: bool) {
    let described: BTreeMap<_, _> = described.into_iter().map(|it| (it.name.clone(), it)).collect();
    let width = listed.iter().map(|listed| listed.name.len()).max().unwrap_or(0);
    let mut stdout = std::io::stdout().lock();
    for workflow in listed {
        let declared = described.get(&workflow.name);
        let line =
            if json { row(workflow, declared).to_string() } else { in_columns(workflow, declared, width) };
        if writeln!(stdout, "{line}").is_err() {
            break;
        }
    }
}

fn nothing_there(engines: &Engines, workflows_dir: &Path) -> String {
    if engines.runs_files() {
        format!("no workflows in {}; a workflow is a file NAME.js", workflows_dir.display())
    } else {
        "this worker has no workflows; its program adds them with Worker::workflow".to_owned()
    }
}

fn row(workflow: &Listed, declared: Option<&WorkflowDescription>) -> Value {
    let mut row = Map::new();
    row.insert("workflow".to_owned(), workflow.name.clone().into());
    row.insert("origin".to_owned(), workflow.origin.clone().into());
    row.extend(declared.map(policy_fields).unwrap_or_default());
    row.into()
}

fn in_columns(workflow: &Listed, declared: Option<&WorkflowDescription>, width: usize) -> String {
    let said = declared.map(in_words).unwrap_or_default();
    format!("{:width$}  {}{said}", workflow.name, workflow.origin)
}

/// What is declared, for people: `  (timeout 30 s, 4 attempts)`.
fn in_words(declared: &WorkflowDescription) -> String {
    let timeout = declared.timeout_ms.map(|timeout| format!("timeout {} s", seconds(timeout)));
    let attempts = declared.retry.max_attempts.map(|attempts| format!("{attempts} attempts"));
    let said: Vec<String> = timeout.into_iter().chain(attempts).collect();
    if said.is_empty() { String::new() } else { format!("  ({})", said.join(", ")) }
}

/// The same for programs, as `GET /api/workflows` names it.
fn policy_fields(declared: &WorkflowDescription) -> Map<String, Value> {
    let fields = [
        ("timeout_seconds", declared.timeout_ms.map(|timeout| seconds(timeout).into())),
        ("max_attempts", declared.retry.max_attempts.map(Value::from)),
        ("backoff_seconds", declared.retry.backoff_ms.map(|backoff| seconds(backoff).into())),
        ("parameters", declared.parameters.parse::<Option<Value>>().ok().flatten()),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn seconds(milliseconds: u64) -> f64 {
    std::time::Duration::from_millis(milliseconds).as_secs_f64()
}
