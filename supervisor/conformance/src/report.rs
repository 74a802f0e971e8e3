//! What came of the checks.

use std::time::Duration;

use muster_protocol::wire::Spelling;
use serde::Serialize;

use super::check::{Check, CheckGroup, ConformanceLevel};
use super::failure::{CheckFailure, Checked};
use super::session::WorkerOffer;

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum CheckVerdict {
    /// The worker keeps the promise that was checked.
    Passed,
    /// The worker breaks the promise that was checked.
    Failed {
        /// What SPEC.md lets one expect.
        expected: String,
        /// What was seen in its place.
        seen: String,
    },
    /// It could not be held to it.
    NotChecked {
        /// Why the promise was not checked.
        reason: String,
    },
}

impl From<Checked> for CheckVerdict {
    fn from(checked: Checked) -> Self {
        match checked {
            Ok(()) => Self::Passed,
            Err(CheckFailure::Failed { expected, seen }) => Self::Failed { expected, seen },
            Err(CheckFailure::NotChecked(reason)) => Self::NotChecked { reason },
        }
    }
}

/// A check that was run, or passed over.
#[derive(Clone, Debug)]
pub struct CheckEntry {
    /// The name of the check.
    pub name: &'static str,
    /// The subject of the check.
    pub group: CheckGroup,
    /// What it holds the worker to.
    pub promise: &'static str,
    /// What the check found.
    pub verdict: CheckVerdict,
    /// How long the check took.
    pub took: Duration,
}

impl CheckEntry {
    pub(super) fn new(check: &Check, verdict: CheckVerdict, took: Duration) -> Self {
        Self { name: check.name, group: check.group, promise: check.promise, verdict, took }
    }
}

/// What the worker said of itself.
#[derive(Clone, Debug, Serialize)]
pub struct ReportedWorker {
    /// The name of the SDK or the worker, from its Hello.
    pub implementation: String,
    /// The version of the SDK or the worker, from its Hello.
    pub implementation_version: String,
    /// The language of its workflows, from its Hello.
    pub language: String,
    /// The oldest and the newest protocol version it speaks.
    pub protocol: (u16, u16),
    /// How it writes messages: `frames` or `json lines`.
    pub spelling: &'static str,
    /// The features it offers.
    pub features: Vec<String>,
}

impl From<&WorkerOffer> for ReportedWorker {
    fn from(offer: &WorkerOffer) -> Self {
        let hello = &offer.introduction;
        Self {
            implementation: hello.implementation.clone(),
            implementation_version: hello.implementation_version.clone(),
            language: hello.language.clone(),
            protocol: (hello.protocol_min, hello.protocol_max),
            spelling: match offer.spelling {
                Spelling::Binary => "frames",
                Spelling::JsonLines => "json lines",
            },
            features: hello.features.clone(),
        }
    }
}

/// What all checks found of one worker.
#[derive(Clone, Debug)]
pub struct ConformanceReport {
    /// What the worker said of itself, if it came so far.
    pub worker: Option<ReportedWorker>,
    /// In the order of the catalogue.
    pub entries: Vec<CheckEntry>,
    /// False when only some checks were asked for: no level can be told then.
    pub complete: bool,
}

impl ConformanceReport {
    /// The level the worker reaches: nothing of it and of those before it failed, and something of each passed.
    pub fn level(&self) -> Option<ConformanceLevel> {
        let reached = |level: &ConformanceLevel| {
            let mut verdicts = self.entries.iter().filter(|entry| entry.group.level() == *level);
            let passed = |entry: &CheckEntry| matches!(entry.verdict, CheckVerdict::Passed);
            let failed = |entry: &CheckEntry| matches!(entry.verdict, CheckVerdict::Failed { .. });
            verdicts.clone().any(passed) && !verdicts.any(failed)
        };
        if !self.complete {
            return None;
        }
        ConformanceLevel::ALL.into_iter().take_while(reached).last()
    }

    /// How many passed, failed and were not checked.
    pub fn counts(&self) -> (usize, usize, usize) {
        self.entries.iter().fold((0, 0, 0), |(passed, failed, open), entry| match entry.verdict {
            CheckVerdict::Passed => (passed + 1, failed, open),
            CheckVerdict::Failed { .. } => (passed, failed + 1, open),
            CheckVerdict::NotChecked { .. } => (passed, failed, open + 1),
        })
    }

    /// Writes the report as JSON, for programs.
    pub fn json(&self) -> serde_json::Value {
        #[derive(Serialize)]
        struct ReportLine<'a> {
            name: &'a str,
            group: &'a str,
            promise: &'a str,
            #[serde(flatten)]
            verdict: &'a CheckVerdict,
            duration_ms: u128,
        }
        let line = |entry: &'_ CheckEntry| {
            let line = ReportLine {
                name: entry.name,
                group: entry.group.as_str(),
                promise: entry.promise,
                verdict: &entry.verdict,
                duration_ms: entry.took.as_millis(),
            };
            serde_json::to_value(line).unwrap_or_default()
        };
        let (passed, failed, not_checked) = self.counts();
        serde_json::json!({
            "worker": self.worker,
            "level": self.level().map(|level| level.number()),
            "level_name": self.level().map(|level| level.to_string()),
            "passed": passed,
            "failed": failed,
            "not_checked": not_checked,
            "checks": self.entries.iter().map(line).collect::<Vec<_>>(),
        })
    }
}
