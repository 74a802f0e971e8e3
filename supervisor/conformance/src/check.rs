//! What a check is: a name, what it needs of the worker, and a conversation that finds something or nothing.

use std::fmt;

use futures_util::future::BoxFuture;
use muster_protocol::wire::Spelling;

use super::bench::Workbench;
use super::failure::Checked;
use super::session::WorkerOffer;

/// What a worker must offer to be held to a check.
#[derive(Clone, Copy, Debug)]
pub(super) enum CheckNeed {
    /// A feature in Hello.
    Feature(&'static str),
    /// A workflow in Ready, without the `conformance.` in front of it.
    Workflow(&'static str),
    /// Length-delimited frames.
    Frames,
    /// Lines of JSON.
    Lines,
}

impl CheckNeed {
    /// Why the worker cannot be held to it, if it cannot.
    pub(super) fn missing(self, offer: &WorkerOffer) -> Option<String> {
        match self {
            Self::Feature(name) => {
                (!offer.has_feature(name)).then(|| format!("does not offer the feature {name}"))
            }
            Self::Workflow(name) => {
                (!offer.has_workflow(name)).then(|| format!("does not offer conformance.{name}"))
            }
            Self::Frames => (offer.spelling != Spelling::Binary).then(|| "speaks lines of JSON".to_owned()),
            Self::Lines => (offer.spelling != Spelling::JsonLines).then(|| "speaks frames".to_owned()),
        }
    }
}

/// One promise of SPEC.md, and how to find it broken.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) group: CheckGroup,
    /// The promise, as a sentence about the worker without its subject.
    pub(super) promise: &'static str,
    pub(super) needs: &'static [CheckNeed],
    /// The check this one builds on: when that did not pass, this one cannot tell anything more.
    pub(super) after: Option<&'static str>,
    pub(super) run: for<'a> fn(&'a Workbench) -> BoxFuture<'a, Checked>,
}

/// The subjects that checks are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckGroup {
    /// The worker's start: Hello, Welcome, Ready.
    Handshake,
    /// How messages become bytes on stdin and stdout.
    Framing,
    /// JSON in and out, text for people.
    Values,
    /// A run: Started, Finished, Idle.
    Execution,
    /// Standard streams in the hands of user code.
    Streams,
    /// How the process ends when its stdin ends or nothing is left to do.
    Ending,
    /// The records a run writes with Log.
    Log,
    /// The end of a run by Cancel or its time limit.
    Cancel,
    /// Leaving in good order: Drain and Goodbye.
    Drain,
    /// Questions to the supervisor: Call and Reply.
    Calls,
    /// Answers while user code runs: Ping and Dump.
    Watching,
    /// What the code declares of itself: Describe.
    Describe,
    /// Runs that follow each other in one process.
    Isolation,
    /// Workers made of a template: Fork and Exited.
    Template,
}

impl CheckGroup {
    /// The name used on screens and by `--only`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Framing => "framing",
            Self::Values => "values",
            Self::Execution => "execution",
            Self::Streams => "streams",
            Self::Ending => "ending",
            Self::Log => "log",
            Self::Cancel => "cancel",
            Self::Drain => "drain",
            Self::Calls => "calls",
            Self::Watching => "watching",
            Self::Describe => "describe",
            Self::Isolation => "isolation",
            Self::Template => "template",
        }
    }

    /// The level these checks stand for.
    pub fn level(self) -> ConformanceLevel {
        match self {
            Self::Handshake
            | Self::Framing
            | Self::Values
            | Self::Execution
            | Self::Streams
            | Self::Ending => ConformanceLevel::Complete,
            Self::Log => ConformanceLevel::Log,
            Self::Cancel => ConformanceLevel::Cancel,
            Self::Drain => ConformanceLevel::Drain,
            Self::Calls => ConformanceLevel::Calls,
            Self::Watching | Self::Describe => ConformanceLevel::Watching,
            Self::Isolation => ConformanceLevel::Isolation,
            Self::Template => ConformanceLevel::Template,
        }
    }
}

/// How much of the protocol a worker speaks. Each level holds all those before it, in the order in which
/// SPEC.md's chapter "Write a worker" adds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConformanceLevel {
    /// No feature, and nothing missing without one.
    Complete,
    /// The worker sends its log as records.
    Log,
    /// The worker ends a run when it is asked to.
    Cancel,
    /// The worker leaves in good order.
    Drain,
    /// The worker asks the supervisor with Call.
    Calls,
    /// The worker answers while user code runs.
    Watching,
    /// The worker lets no run meet another.
    Isolation,
    /// The worker makes workers of itself.
    Template,
}

impl ConformanceLevel {
    /// All of them, the least first.
    pub const ALL: [Self; 8] = [
        Self::Complete,
        Self::Log,
        Self::Cancel,
        Self::Drain,
        Self::Calls,
        Self::Watching,
        Self::Isolation,
        Self::Template,
    ];

    /// What a worker of this level can do, as a sentence about it goes on.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Complete => "runs executions, and lacks nothing that every worker needs",
            Self::Log => "sends its log as records",
            Self::Cancel => "ends a run when it is asked to",
            Self::Drain => "leaves in good order",
            Self::Calls => "asks the supervisor for configuration, state and executions",
            Self::Watching => "answers while user code runs",
            Self::Isolation => "lets no run meet another",
            Self::Template => "makes workers of itself",
        }
    }

    /// Its number: 0 is a complete worker without features.
    pub fn number(self) -> usize {
        Self::ALL.iter().position(|level| *level == self).unwrap_or_default()
    }
}

impl fmt::Display for ConformanceLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Complete => "complete",
            Self::Log => "log",
            Self::Cancel => "cancel",
            Self::Drain => "drain",
            Self::Calls => "calls",
            Self::Watching => "watching",
            Self::Isolation => "isolation",
            Self::Template => "template",
        })
    }
}
