//! Runs the checks: the foundation one by one, the rest a few at a time.

use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream;

use super::bench::Bench;
use super::catalogue;
use super::check::{Check, Group};
use super::report::{Entry, Report, Verdict};
use crate::process::{Launch, Spawner};

/// So many conversations at once: most of the time of most of them is waiting.
const AT_ONCE: usize = 3;

/// Why nothing was checked.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// No check and no group has the name.
    #[error("no check and no group of checks is named {name:?}{hint}; --list shows them all")]
    UnknownName {
        /// The name.
        name: String,
        /// The nearest one, as a half sentence.
        hint: String,
    },
    /// The system refuses a thread.
    #[error("cannot start the thread that starts workers: {0}")]
    Thread(#[from] std::io::Error),
}

/// Holds the worker to the checks, or to those of these names. `on_entry` sees each entry in order.
///
/// Must be called inside a runtime. Dropping the future kills the workers it started.
///
/// # Errors
/// When a name is unknown. What is wrong with the worker is in the report.
pub async fn check_worker(
    launch: Launch,
    only: &[String],
    mut on_entry: impl FnMut(&Entry),
) -> Result<Report, KitError> {
    known(only)?;
    let bench = Bench::new(Spawner::start()?, launch);
    let mut entries = Vec::new();
    let mut missing = None;
    for check in catalogue::foundation() {
        let entry = held(&bench, &check, missing.as_deref()).await;
        if !matches!(entry.verdict, Verdict::Passed) {
            missing.get_or_insert_with(|| format!("needs {}, which did not pass", check.name));
        }
        // What everything else builds on is shown when it did not pass, asked for or not.
        if wanted(only, check.name, check.group) || matches!(entry.verdict, Verdict::Failed { .. }) {
            on_entry(&entry);
            entries.push(entry);
        }
    }
    let rest: Vec<Check> = catalogue::rest();
    let asked = rest.iter().filter(|check| wanted(only, check.name, check.group));
    let mut running =
        stream::iter(asked).map(|check| held(&bench, check, missing.as_deref())).buffered(AT_ONCE);
    while let Some(entry) = running.next().await {
        on_entry(&entry);
        entries.push(entry);
    }
    drop(running);
    Ok(Report { worker: bench.offer().map(Into::into), entries, complete: only.is_empty() })
}

async fn held(bench: &Bench, check: &Check, missing: Option<&str>) -> Entry {
    let begun = Instant::now();
    let offered = || bench.offer().and_then(|offer| check.needs.iter().find_map(|need| need.missing(offer)));
    let verdict = match missing.map(str::to_owned).or_else(offered) {
        Some(reason) => Verdict::NotChecked { reason },
        None => (check.run)(bench).await.into(),
    };
    Entry::new(check, verdict, begun.elapsed())
}

fn wanted(only: &[String], name: &str, group: Group) -> bool {
    only.is_empty() || only.iter().any(|asked| asked == name || asked == group.as_str())
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
        let mut seen = std::collections::BTreeSet::new();
        for check in catalogue::all() {
            assert!(seen.insert(check.name), "{} is there twice", check.name);
            assert!(check.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
        }
    }

    #[test]
    fn a_name_that_is_nearly_right_is_an_error_with_a_hint() {
        assert!(known(&["cancel".into(), "held-pipes".into()]).is_ok());
        let error = known(&["held-pipe".into()]).unwrap_err().to_string();
        assert!(error.contains("do you mean held-pipes?"), "{error}");
    }
}
