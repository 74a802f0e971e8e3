//! What came of a whole batch.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_core::execution::Status;

use super::outcome::ResultLine;

/// Counts results as they are written.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    success: usize,
    failed: usize,
    timeout: usize,
    cancelled: usize,
    kinds: BTreeMap<String, usize>,
}

impl Summary {
    /// Counts one more result.
    pub fn count(&mut self, result: &ResultLine) {
        match result.status {
            Status::Success => self.success += 1,
            // A result is terminal; one that is not can only be a fault, and must not pass for a success.
            Status::Failed | Status::Pending | Status::Running => self.failed += 1,
            Status::Timeout => self.timeout += 1,
            Status::Cancelled => self.cancelled += 1,
        }
        if let Some(kind) = &result.error_type {
            *self.kinds.entry(kind.clone()).or_default() += 1;
        }
    }

    /// The number of results that were counted.
    pub fn total(&self) -> usize {
        self.success + self.failed + self.timeout + self.cancelled
    }

    /// True when every line succeeded; also for an empty file.
    pub fn all_succeeded(&self) -> bool {
        self.success == self.total()
    }

    /// The number of results that are no success.
    pub fn unsuccessful(&self) -> usize {
        self.total() - self.success
    }

    /// A few lines for people. `elapsed` is the time of the whole batch.
    pub fn describe(&self, elapsed: Duration) -> String {
        let seconds = elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = if seconds > 0.0 { self.total() as f64 / seconds } else { 0.0 };
        let counts: Vec<String> = [
            (self.success, "succeeded"),
            (self.failed, "failed"),
            (self.timeout, "timed out"),
            (self.cancelled, "cancelled"),
        ]
        .into_iter()
        .filter(|(count, name)| *count > 0 || *name == "succeeded")
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
        let total = self.total();
        let noun = if total == 1 { "execution" } else { "executions" };
        let mut text =
            format!("{total} {noun} in {seconds:.2} s, {rate:.0} per second: {}\n", counts.join(", "));
        let mut kinds: Vec<(&String, &usize)> = self.kinds.iter().collect();
        kinds.sort_by(|left, right| right.1.cmp(left.1).then_with(|| left.0.cmp(right.0)));
        for (kind, count) in kinds {
            text.push_str(&format!("  {count} x {kind}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use muster_store::ExecutionFailure;
    use uuid::Uuid;

    use super::*;

    fn result(status: Status, kind: &str) -> ResultLine {
        ResultLine::never_ran(Uuid::nil(), "w".into(), status, ExecutionFailure::new(kind, "m"))
    }

    #[test]
    fn nothing_but_success_is_success() {
        assert!(Summary::default().all_succeeded());
        for status in [Status::Failed, Status::Timeout, Status::Cancelled, Status::Running] {
            let mut summary = Summary::default();
            summary.count(&result(status, "X"));
            assert!(!summary.all_succeeded(), "{status}");
            assert_eq!(summary.unsuccessful(), 1);
        }
    }

    #[test]
    fn the_summary_names_the_kinds_of_failure_most_frequent_first() {
        let mut summary = Summary::default();
        let mut success = result(Status::Success, "");
        success.error_type = None;
        summary.count(&success);
        for (status, kind) in [
            (Status::Failed, "ValueError"),
            (Status::Failed, "WorkerCrashed"),
            (Status::Failed, "WorkerCrashed"),
            (Status::Timeout, "TimeoutError"),
        ] {
            summary.count(&result(status, kind));
        }
        insta::assert_snapshot!(summary.describe(Duration::from_millis(2_500)), @r"
5 executions in 2.50 s, 2 per second: 1 succeeded, 3 failed, 1 timed out
  2 x WorkerCrashed
  1 x TimeoutError
  1 x ValueError
");
        assert_eq!(
            Summary::default().describe(Duration::ZERO),
            "0 executions in 0.00 s, 0 per second: 0 succeeded\n"
        );
    }
}
