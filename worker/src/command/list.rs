//! `worker list`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use muster_protocol::WorkflowDescription;
use serde_json::{Map, Value};

use crate::engine::{Engines, Init};
use crate::serve::exit;

pub(crate) fn list(mut engines: Engines, workflows_dir: PathBuf, json: bool) -> u8 {
    if !workflows_dir.is_dir() {
        exit::complain(&format!(
            "there is no folder {}; name the one with your workflows with --workflows-dir DIR",
            workflows_dir.display()
        ));
        return super::EXIT_USAGE;
    }
    let init = Init { workflows_dir: Some(workflows_dir.clone()), ..Init::default() };
    if let Err(error) = engines.init(&init) {
        exit::complain(&error.message);
        return exit::INIT_FAILED;
    }
    let listed = engines.list();
    let described: BTreeMap<_, _> = engines.describe().into_iter().map(|it| (it.name.clone(), it)).collect();
    let width = listed.iter().map(|listed| listed.name.len()).max().unwrap_or(0);
    let mut stdout = std::io::stdout().lock();
    for workflow in &listed {
        let declared = described.get(&workflow.name);
        let line = if json {
            let mut row = serde_json::json!({ "workflow": workflow.name, "origin": workflow.origin });
            if let (Some(row), Some(declared)) = (row.as_object_mut(), declared) {
                row.extend(policy_fields(declared));
            }
            row.to_string()
        } else {
            let said = declared.map(in_words).unwrap_or_default();
            format!("{:width$}  {}{said}", workflow.name, workflow.origin)
        };
        if writeln!(stdout, "{line}").is_err() {
            break;
        }
    }
    if listed.is_empty() {
        exit::complain(&format!("no workflows in {}; a workflow is a file NAME.js", workflows_dir.display()));
    }
    exit::DONE
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
