//! Each rule: what it says, and when it says nothing.

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::{OutcomeCounts, PauseView, QueueView, ReadinessPart, SupervisorWord, tests::pool};

fn member(host: &str, life: SupervisorLife, said: SupervisorWord) -> FleetMemberView {
    FleetMemberView {
        id: Uuid::now_v7(),
        host: host.to_owned(),
        process_id: 7,
        version: Some("1.2.3".to_owned()),
        started_at: Timestamp::UNIX_EPOCH,
        http_address: None,
        data_dir: "/data".to_owned(),
        life,
        silent_seconds: Some(40.0),
        holds: 0,
        said: Some(said),
    }
}

fn word() -> SupervisorWord {
    SupervisorWord { queues: vec!["mail".to_owned()], max_workers: 4, ..SupervisorWord::default() }
}

fn healthy() -> ReportFacts {
    let pool = PoolView {
        queues: Vec::new(),
        pauses: Vec::new(),
        broker: None,
        problem: None,
        next_start: Vec::new(),
        ..pool()
    };
    let fleet = FleetView { supervisors: vec![member("web-1", SupervisorLife::Serving, word())] };
    ReportFacts { fleet, pool, noted_before: OutcomeCounts::default(), readiness: Readiness::of(Vec::new()) }
}

fn queue(waiting: u64, oldest_wait_seconds: f64) -> QueueView {
    QueueView { queue: "mail".to_owned(), is_served: false, waiting, oldest_wait_seconds }
}

/// Verdict, the first sentence and the next step of a section.
fn told(facts: &ReportFacts, name: &str) -> (Verdict, String, Option<String>) {
    let report = report(facts);
    let section = report.sections.into_iter().find(|section| section.name == name).unwrap();
    (section.verdict, section.evidence[0].clone(), section.next_step)
}

#[test]
fn a_healthy_fleet_has_nothing_to_be_done() {
    let report = report(&healthy());
    assert_eq!(report.verdict, Verdict::Healthy);
    assert!(report.sections.iter().all(|section| section.next_step.is_none()), "{report:?}");
    assert_eq!(
        report.text(),
        "flow: healthy\n  nothing waits\nexecution: healthy\n  nothing ended in the last 15 minutes; no end is noted of \
         the day before\nservers: healthy\n  1 supervisor lives\n"
    );
}

#[test]
fn without_the_database_nothing_is_said_to_be_well() {
    let away = ReadinessPart { part: "store".to_owned(), ready: false, detail: "away".to_owned() };
    let facts =
        ReportFacts { fleet: FleetView::default(), readiness: Readiness::of(vec![away]), ..healthy() };
    let text = report(&facts).text();
    for said in ["what waits is not known", "what ended is not known", "which supervisors live is not known"]
    {
        assert!(text.contains(said), "{text}");
    }
    assert_eq!(report(&facts).verdict, Verdict::Failing);
}

#[test]
fn what_waits_is_judged_by_who_serves_it() {
    let with = |said: SupervisorWord, life| {
        let fleet = FleetView { supervisors: vec![member("web-1", life, said)] };
        ReportFacts { fleet, pool: PoolView { queues: vec![queue(9, 300.0)], ..healthy().pool }, ..healthy() }
    };
    let busy = SupervisorWord { running: 4, ..word() };
    let (verdict, evidence, step) = told(&with(busy, SupervisorLife::Serving), "flow");
    assert_eq!(verdict, Verdict::Degraded);
    assert!(evidence.ends_with("has waited 5 min for a worker: every worker is busy"), "{evidence}");
    assert!(step.unwrap().contains("max_workers"));
    let (_, evidence, step) = told(&with(word(), SupervisorLife::Serving), "flow");
    assert!(evidence.ends_with("though workers are free") && step.unwrap().contains("explain"), "{evidence}");
    let elsewhere = SupervisorWord { queues: vec!["other".to_owned()], ..word() };
    let (verdict, evidence, step) = told(&with(elsewhere, SupervisorLife::Serving), "flow");
    assert_eq!(
        (verdict, evidence.as_str()),
        (Verdict::Failing, "9 wait in queue \"mail\", and no supervisor serves it")
    );
    assert!(step.unwrap().contains("queues = [\"mail\"]"));
    let (verdict, _, step) = told(&with(word(), SupervisorLife::Troubled), "flow");
    assert!(verdict == Verdict::Failing && step.unwrap().contains("supervisor fleet"));
}

#[test]
fn a_short_wait_and_a_pause_are_no_backlog() {
    let facts = ReportFacts { pool: PoolView { queues: vec![queue(9, 3.0)], ..healthy().pool }, ..healthy() };
    assert_eq!(told(&facts, "flow").0, Verdict::Healthy);
    let pause = PauseView {
        target: "queue:mail".to_owned(),
        who: "ada".to_owned(),
        why: None,
        since: Timestamp::UNIX_EPOCH,
    };
    let pool = PoolView { queues: vec![queue(9, 900.0)], pauses: vec![pause], ..healthy().pool };
    let (verdict, evidence, step) = told(&ReportFacts { pool, ..healthy() }, "flow");
    assert_eq!(verdict, Verdict::Degraded);
    assert!(evidence.starts_with("queue:mail is paused by ada"), "{evidence}");
    assert_eq!(step.unwrap(), "`supervisor resume queue:mail` when it may start again");
}

#[test]
fn failures_count_when_they_are_many_and_more_than_usual() {
    let counts =
        |ended, failed| OutcomeCounts { ended, failed, kinds: [("KeyError of a".to_owned(), failed)].into() };
    let with = |quarter: OutcomeCounts, day: OutcomeCounts| {
        let said = SupervisorWord { quarter, day, ..word() };
        let fleet = FleetView { supervisors: vec![member("web-1", SupervisorLife::Serving, said)] };
        told(&ReportFacts { fleet, ..healthy() }, "execution")
    };
    let (verdict, evidence, step) = with(counts(200, 30), counts(10_200, 130));
    assert_eq!(verdict, Verdict::Degraded);
    assert_eq!(
        evidence,
        "30 of 200 failed in the last 15 minutes (15.0 %); in the day before it was 1.0 %; most often KeyError of a (30)"
    );
    assert!(step.unwrap().contains("--status FAILED"));
    assert_eq!(with(counts(200, 150), counts(10_200, 250)).0, Verdict::Failing);
    assert_eq!(with(counts(200, 30), counts(10_200, 2_030)).0, Verdict::Healthy, "it is always so");
    assert_eq!(with(counts(5, 4), counts(5, 4)).0, Verdict::Healthy, "too few to say");
    assert_eq!(with(counts(10_000, 100), counts(10_000, 100)).0, Verdict::Healthy, "a small share");
}

#[test]
fn what_supervisors_before_these_noted_is_the_day_before() {
    let counts = |ended, failed| OutcomeCounts { ended, failed, ..OutcomeCounts::default() };
    let with = |quarter: OutcomeCounts, day: OutcomeCounts, noted_before| {
        let said = SupervisorWord { quarter, day, ..word() };
        let fleet = FleetView { supervisors: vec![member("web-1", SupervisorLife::Serving, said)] };
        told(&ReportFacts { fleet, noted_before, ..healthy() }, "execution")
    };
    let (_, evidence, _) = with(counts(0, 0), counts(0, 0), counts(2_800, 14));
    assert_eq!(evidence, "nothing ended in the last 15 minutes; in the day before it was 0.5 %");
    // Started a moment ago, they know of nothing before, and what is usual is no reason to wake somebody.
    assert_eq!(with(counts(100, 10), counts(100, 10), counts(0, 0)).0, Verdict::Degraded);
    assert_eq!(with(counts(100, 10), counts(100, 10), counts(2_800, 280)).0, Verdict::Healthy);
    // What they remember counts while more of it is known than noted.
    let (_, evidence, _) = with(counts(0, 0), counts(10, 5), counts(4, 0));
    assert!(evidence.ends_with("in the day before it was 50.0 %"), "{evidence}");
}

#[test]
fn the_dead_and_the_troubled_are_named_with_what_to_do() {
    let mut silent = member("web-2", SupervisorLife::Silent, word());
    silent.holds = 3;
    let troubled = SupervisorWord { problems: vec!["the disk is full".to_owned()], ..word() };
    let troubled = member("web-3", SupervisorLife::Troubled, troubled);
    let mut facts = healthy();
    facts.fleet.supervisors.extend([silent.clone(), troubled]);
    let report = report(&facts);
    let servers = &report.sections[2];
    assert_eq!(servers.verdict, Verdict::Degraded);
    assert!(servers.evidence[0].contains("web-2 (process 7) has not been heard of for 40 s"), "{servers:?}");
    assert!(servers.evidence[0].contains("holds 3 executions"));
    assert!(servers.evidence[1].contains("web-3 (process 7) takes no work: the disk is full"));
    silent.holds = 0;
    silent.silent_seconds = Some(4000.0);
    facts.fleet.supervisors = vec![silent];
    assert_eq!(told(&facts, "servers").0, Verdict::Healthy, "that is long past");
}

#[test]
fn what_this_supervisor_lacks_stands_first_unless_it_leaves() {
    let part = ReadinessPart { part: "intake".to_owned(), ready: false, detail: "no room".to_owned() };
    let facts = ReportFacts { readiness: Readiness::of(vec![part]), ..healthy() };
    let (verdict, evidence, _) = told(&facts, "servers");
    assert_eq!((verdict, evidence.as_str()), (Verdict::Failing, "intake of this supervisor: no room"));
    let leaving = ReportFacts { pool: PoolView { draining: true, ..facts.pool.clone() }, ..facts };
    assert_eq!(told(&leaving, "servers").0, Verdict::Healthy);
}
