//! The words in which a schedule is written.

use muster_core::schedule::{Missed, Overlap};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How old a missed tick may be to be run, when nobody says.
pub const MISSED_SECONDS: u32 = 3_600;

/// The time zone of a line when none is said.
pub const UTC: &str = "UTC";

/// What becomes of a tick while the execution of the one before is not over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
#[schema(as = Overlap)]
pub enum OverlapWord {
    /// It is noted and not run.
    #[default]
    Skip,
    /// It waits.
    Queue,
    /// The execution before is cancelled.
    Replace,
    /// Both run.
    Allow,
}

/// What becomes of ticks that came while nobody was up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
#[schema(as = Missed)]
pub enum MissedWord {
    /// The latest is run, for all of them.
    #[default]
    RunOnce,
    /// None is run.
    Skip,
    /// All are run, at most a hundred.
    RunAll,
}

impl OverlapWord {
    /// The word as it is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Queue => "queue",
            Self::Replace => "replace",
            Self::Allow => "allow",
        }
    }

    /// What a kept word says; one that somebody wrote by hand and that is none is the default.
    pub fn of(text: &str) -> Self {
        [Self::Skip, Self::Queue, Self::Replace, Self::Allow]
            .into_iter()
            .find(|word| word.as_str() == text)
            .unwrap_or_default()
    }
}

impl MissedWord {
    /// The word as it is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunOnce => "run_once",
            Self::Skip => "skip",
            Self::RunAll => "run_all",
        }
    }

    /// What a kept word says; one that somebody wrote by hand and that is none is the default.
    pub fn of(text: &str) -> Self {
        [Self::RunOnce, Self::Skip, Self::RunAll]
            .into_iter()
            .find(|word| word.as_str() == text)
            .unwrap_or_default()
    }
}

impl From<OverlapWord> for Overlap {
    fn from(word: OverlapWord) -> Self {
        match word {
            OverlapWord::Skip => Self::Skip,
            OverlapWord::Queue => Self::Queue,
            OverlapWord::Replace => Self::Replace,
            OverlapWord::Allow => Self::Allow,
        }
    }
}

impl From<MissedWord> for Missed {
    fn from(word: MissedWord) -> Self {
        match word {
            MissedWord::RunOnce => Self::RunOnce,
            MissedWord::Skip => Self::Skip,
            MissedWord::RunAll => Self::RunAll,
        }
    }
}
