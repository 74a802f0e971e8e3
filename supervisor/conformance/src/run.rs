//! Runs the checks, a few at a time, each after the one it builds on.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream;
use muster_system::process::{Launch, Spawner};
use tokio::sync::Notify;

use super::bench::Workbench;
use super::catalogue;
use super::check::Check;
use super::report::{CheckEntry, CheckVerdict, ConformanceReport};

/// So many conversations at once: most of the time of most of them is waiting.
const AT_ONCE: usize = 3;

/// Why no check was run.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// No check and no group has the name.
    #[error("no check and no group of checks is named {name:?}{hint}; --list shows them all")]
    UnknownName {
        /// The name that no check has.
        name: String,
        /// The nearest one, as a half sentence.
        hint: String,
    },
    /// The system refuses to start a thread.
    #[error("cannot start the thread that starts workers: {0}")]
    Thread(#[from] std::io::Error),
}

/// The worker that is held to the protocol.
#[derive(Debug)]
pub struct CheckedWorker {
    /// The command that starts it.
    pub launch: Launch,
    /// A workflow file of its language that does not come back while it is loaded, for the check of that.
    pub hanging_file: Option<PathBuf>,
}

/// Holds the worker to the checks, or to those of these names. `on_entry` sees each entry in order.
///
/// Must be called inside a runtime. Dropping the future kills the workers it started.
///
/// # Errors
/// When a name is unknown. What is wrong with the worker is in the report.
pub async fn check_worker(
    subject: CheckedWorker,
    only: &[String],
    mut on_entry: impl FnMut(&CheckEntry),
) -> Result<ConformanceReport, KitError> {
    known(only)?;
    let bench = Workbench::new(Spawner::start()?, subject.launch, subject.hanging_file);
    let verdicts = CheckVerdicts::default();
    let checks = with_bases(only);
    let mut running = stream::iter(&checks).map(|check| held(&bench, check, &verdicts)).buffered(AT_ONCE);
    let mut entries = Vec::new();
    while let Some((check, entry)) = running.next().await {
        // What another check builds on is shown when it failed, asked for or not.
        if wanted(only, check) || matches!(entry.verdict, CheckVerdict::Failed { .. }) {
            on_entry(&entry);
            entries.push(entry);
        }
    }
    drop(running);
    Ok(ConformanceReport { worker: bench.offer().map(Into::into), entries, complete: only.is_empty() })
}

/// The checks asked for and those they build on, in the order of the catalogue, where a base stands first.
fn with_bases(only: &[String]) -> Vec<Check> {
    let all = catalogue::all();
    let mut names = BTreeSet::new();
    for check in all.iter().rev() {
        if wanted(only, check) || names.contains(check.name) {
            names.insert(check.name);
            names.extend(check.after);
        }
    }
    all.into_iter().filter(|check| names.contains(check.name)).collect()
}

/// Which checks have ended, and whether they passed. A check waits here for the one it builds on, which was
/// begun before it.
#[derive(Default)]
struct CheckVerdicts {
    passed: RefCell<BTreeMap<&'static str, bool>>,
    changed: Notify,
}

impl CheckVerdicts {
    fn publish(&self, name: &'static str, passed: bool) {
        self.passed.borrow_mut().insert(name, passed);
        self.changed.notify_waiters();
    }

    async fn passed(&self, name: &str) -> bool {
        loop {
            let changed = self.changed.notified();
            if let Some(&passed) = self.passed.borrow().get(name) {
                return passed;
            }
            changed.await;
        }
    }
}

async fn held<'a>(bench: &Workbench, check: &'a Check, verdicts: &CheckVerdicts) -> (&'a Check, CheckEntry) {
    let base_passed = match check.after {
        Some(base) => verdicts.passed(base).await,
        None => true,
    };
    let begun = Instant::now();
    let verdict = match obstacle(bench, check, base_passed) {
        Some(reason) => CheckVerdict::NotChecked { reason },
        None => (check.run)(bench).await.into(),
    };
    verdicts.publish(check.name, verdict == CheckVerdict::Passed);
    (check, CheckEntry::new(check, verdict, begun.elapsed()))
}

/// Why the worker cannot be held to the check, if it cannot.
fn obstacle(bench: &Workbench, check: &Check, base_passed: bool) -> Option<String> {
    let missing = bench.offer().and_then(|offer| check.needs.iter().find_map(|need| need.missing(offer)));
    let base = check.after.filter(|_| !base_passed);
    missing.or_else(|| base.map(|base| format!("builds on {base}, which did not pass")))
}

fn wanted(only: &[String], check: &Check) -> bool {
    only.is_empty() || only.iter().any(|asked| asked == check.name || asked == check.group.as_str())
}

fn known(only: &[String]) -> Result<(), KitError> {
    let all = catalogue::all();
    let names = || all.iter().flat_map(|check| [check.name, check.group.as_str()]);
    let Some(unknown) = only.iter().find(|asked| !names().any(|name| name == asked.as_str())) else {
        return Ok(());
    };
    let distance = |name: &&str| strsim::damerau_levenshtein(name, unknown);
    let nearest = names().min_by_key(distance).filter(|name| distance(name) <= 3);
    let hint = nearest.map(|name| format!(" (do you mean {name}?)")).unwrap_or_default();
    Err(KitError::UnknownName { name: unknown.clone(), hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_in_one_manner() {
        let mut seen = BTreeSet::new();
        for check in catalogue::all() {
            assert!(seen.insert(check.name), "{} is there twice", check.name);
            assert!(check.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
        }
    }

    #[test]
    fn each_check_stands_behind_what_it_builds_on() {
        let mut seen = BTreeSet::new();
        for check in catalogue::all() {
            assert!(
                check.after.is_none_or(|base| seen.contains(base)),
                "{} after {:?}",
                check.name,
                check.after
            );
            seen.insert(check.name);
        }
        let names: Vec<_> = with_bases(&["cancel-twice".into()]).iter().map(|check| check.name).collect();
        assert_eq!(names, ["hello", "ready", "echo", "cancel-running", "cancel-twice"]);
    }

    #[test]
    fn a_name_that_is_nearly_right_is_an_error_with_a_hint() {
        assert!(known(&["cancel".into(), "held-pipes".into()]).is_ok());
        let error = known(&["held-pipe".into()]).unwrap_err().to_string();
        assert!(error.contains("do you mean held-pipes?"), "{error}");
    }
}
