//! A verdict on the fleet: what is well, what is not, and what to do next.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the fleet is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Report)]
pub struct ReportView {
    /// The worst of the verdicts.
    pub verdict: Verdict,
    /// Flow, execution, servers, in this order.
    pub sections: Vec<ReportSection>,
}

/// One side of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportSection {
    /// `flow`, `execution` or `servers`.
    pub name: String,
    /// How it is.
    pub verdict: Verdict,
    /// What it was judged by, a sentence each, the worst first.
    pub evidence: Vec<String>,
    /// The one thing to do next; `None` when there is nothing to be done.
    pub next_step: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    #[default]
    Healthy,
    /// Work goes on, and somebody should look.
    Degraded,
    /// Work stands still, or most of it fails.
    Failing,
}

impl Verdict {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Failing => "failing",
        }
    }
}

impl ReportView {
    /// The whole of it in lines for people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for section in &self.sections {
            text += &format!("{}: {}\n", section.name, section.verdict.as_str());
            for sentence in &section.evidence {
                text += &format!("  {sentence}\n");
            }
            if let Some(step) = &section.next_step {
                text += &format!("  next: {step}\n");
            }
        }
        text
    }
}
