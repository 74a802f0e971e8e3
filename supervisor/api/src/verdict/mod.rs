//! The rules of the verdict: facts in, sentences out. Pure: no clock, no database.
//!
//! `supervisor report`, `GET /api/report` and the dashboard show the same. Each rule gives a finding: how bad it is, what
//! it was judged by, and the one thing to do about it.

mod execution;
mod flow;
mod servers;

use std::cmp::Reverse;

use crate::{
    FleetMemberView, FleetView, OutcomeCounts, PoolView, Readiness, ReportSection, ReportView,
    SupervisorLife, Verdict,
};

/// What is judged.
#[derive(Clone, Debug)]
pub struct ReportFacts {
    /// Every supervisor on the database.
    pub fleet: FleetView,
    /// The pool of the one that is asked, with what waits in the queues.
    pub pool: PoolView,
    /// What ended in the last day before the last quarter of an hour, as all supervisors noted it in the database, those that
    /// left too.
    pub noted_before: OutcomeCounts,
    /// What the one that is asked needs for its work.
    pub readiness: Readiness,
}

impl ReportFacts {
    /// Nothing is known of what others do and what waits: whoever is asked would be among the supervisors, if the database answered.
    fn is_blind(&self) -> bool {
        self.fleet.supervisors.is_empty()
    }
}

/// What is said where nothing is known.
const NOT_KNOWN: &str = "not known while the database does not answer";

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    verdict: Verdict,
    evidence: String,
    next_step: Option<String>,
}

impl Finding {
    fn fine(evidence: impl Into<String>) -> Self {
        Self { verdict: Verdict::Healthy, evidence: evidence.into(), next_step: None }
    }

    fn bad(verdict: Verdict, evidence: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self { verdict, evidence: evidence.into(), next_step: Some(next_step.into()) }
    }
}

/// Judges.
pub fn report(facts: &ReportFacts) -> ReportView {
    let sections = vec![
        section("flow", flow::findings(facts)),
        section("execution", execution::findings(facts)),
        section("servers", servers::findings(facts)),
    ];
    let verdict = sections.iter().map(|section| section.verdict).max().unwrap_or_default();
    ReportView { verdict, sections }
}

fn section(name: &str, mut findings: Vec<Finding>) -> ReportSection {
    // Stable: of two that are as bad the rule that stands first is told first.
    findings.sort_by_key(|finding| Reverse(finding.verdict));
    ReportSection {
        name: name.to_owned(),
        verdict: findings.first().map(|worst| worst.verdict).unwrap_or_default(),
        next_step: findings.iter().find_map(|finding| finding.next_step.clone()),
        evidence: findings.into_iter().map(|finding| finding.evidence).collect(),
    }
}

/// Those that live.
fn living(facts: &ReportFacts) -> impl Iterator<Item = &FleetMemberView> {
    facts.fleet.supervisors.iter().filter(|one| match one.life {
        SupervisorLife::Serving | SupervisorLife::Troubled | SupervisorLife::Draining => true,
        SupervisorLife::Silent
        | SupervisorLife::Replaced
        | SupervisorLife::Left
        | SupervisorLife::Unknown => false,
    })
}

/// How a supervisor is called in a sentence.
fn called(one: &FleetMemberView) -> String {
    format!("{} (process {})", one.host, one.process_id)
}

fn seconds(seconds: f64) -> String {
    match seconds {
        short if short < 120.0 => format!("{short:.0} s"),
        long if long < 7200.0 => format!("{:.0} min", long / 60.0),
        longer => format!("{:.0} h", longer / 3600.0),
    }
}

#[cfg(test)]
mod tests;
