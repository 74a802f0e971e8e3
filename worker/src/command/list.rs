//! `worker list`.

use std::io::Write;
use std::path::PathBuf;

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
    let width = listed.iter().map(|listed| listed.name.len()).max().unwrap_or(0);
    let mut stdout = std::io::stdout().lock();
    for workflow in &listed {
        let line = if json {
            serde_json::json!({ "workflow": workflow.name, "origin": workflow.origin }).to_string()
        } else {
            format!("{:width$}  {}", workflow.name, workflow.origin)
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
