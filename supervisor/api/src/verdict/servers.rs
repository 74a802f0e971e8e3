//! Do the supervisors, and what they need, do their work?

use std::collections::BTreeSet;

use super::{Finding, NOT_KNOWN, ReportFacts, called, living, seconds};
use crate::{FleetMemberView, ReadinessPart, SupervisorLife, Verdict};

/// One that is dead and holds nothing is told of for so long.
const SILENT_TOLD_SECONDS: f64 = 3600.0;

pub(super) fn findings(facts: &ReportFacts) -> Vec<Finding> {
    // One that drains takes nothing in, as it should.
    let as_it_should_be = |part: &ReadinessPart| part.ready || (facts.pool.draining && part.part == "intake");
    let parts = facts.readiness.parts.iter().filter(|part| !as_it_should_be(part));
    let mut findings: Vec<Finding> = parts
        .map(|part| {
            let evidence = format!("{} of this supervisor: {}", part.part, part.detail);
            Finding::bad(
                Verdict::Failing,
                evidence,
                "`supervisor doctor` checks each server and says what to do",
            )
        })
        .collect();
    findings.extend(facts.fleet.supervisors.iter().filter_map(member));
    let alive = living(facts).count();
    let versions: BTreeSet<&str> = living(facts).filter_map(|one| one.version.as_deref()).collect();
    let several = match versions.len() {
        0 | 1 => String::new(),
        _ => format!(", of versions {}", Vec::from_iter(versions).join(" and ")),
    };
    let noun = if alive == 1 { "supervisor lives" } else { "supervisors live" };
    findings.push(Finding::fine(match facts.is_blind() {
        true => format!("which supervisors live is {NOT_KNOWN}"),
        false => format!("{alive} {noun}{several}"),
    }));
    findings
}

fn member(one: &FleetMemberView) -> Option<Finding> {
    match one.life {
        SupervisorLife::Serving
        | SupervisorLife::Replaced
        | SupervisorLife::Left
        | SupervisorLife::Unknown => None,
        SupervisorLife::Draining => {
            let running = one.said.as_ref().map(|said| said.running).unwrap_or_default();
            Some(Finding::fine(format!("{} is draining: {running} still run", called(one))))
        }
        SupervisorLife::Troubled => {
            let problems = one.said.as_ref().map(|said| said.problems.join("; ")).unwrap_or_default();
            let evidence = format!("{} takes no work: {problems}", called(one));
            let step = format!("on {}: `supervisor doctor`", one.host);
            Some(Finding::bad(Verdict::Degraded, evidence, step))
        }
        SupervisorLife::Silent if one.holds == 0 && one.silent_seconds > Some(SILENT_TOLD_SECONDS) => None,
        SupervisorLife::Silent => {
            let silent = seconds(one.silent_seconds.unwrap_or_default());
            let held = match one.holds {
                0 => "it holds nothing".to_owned(),
                1 => "it holds an execution, which another one takes over when its lease has run out"
                    .to_owned(),
                count => format!(
                    "it holds {count} executions, which others take over when their leases have run out"
                ),
            };
            let evidence = format!(
                "{} has not been heard of for {silent}, and did not say that it leaves; {held}",
                called(one)
            );
            let step =
                format!("look at the machine {}: its process, its log, its way to the database", one.host);
            Some(Finding::bad(Verdict::Degraded, evidence, step))
        }
    }
}
