//! Real processes: what a child is given and what it is not, who may take it away, and who reaps whom.
#![cfg(test)]

mod children;
mod orphans;

use std::ffi::OsString;
use std::sync::Arc;

use muster_system::process::Launch;

/// A command line with the environment of the tests' own PATH.
fn launch(command: &[&str]) -> Arc<Launch> {
    let command: Vec<_> = command.iter().map(|&word| word.to_owned()).collect();
    let no_more: Vec<(String, Option<OsString>)> = Vec::new();
    Arc::new(Launch::new(&command, no_more).unwrap())
}
