//! Lines of cron against another way to find their moments, nights when clocks change, and what follows from ticks.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::{Strategy, prop_oneof, proptest};

use super::decision::SkipReason;
use super::{
    Cron, ExecutionsBefore, Missed, Overlap, ScheduleRules, ScheduleStanding, ScheduleTimes, TickDecision,
};

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn times(cron: &str, name: &str) -> ScheduleTimes {
    ScheduleTimes::new(cron.parse().unwrap(), zone(name))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The next moments, as the wall shows them with their offset.
fn next(cron: &str, name: &str, after: &str, count: usize) -> Vec<String> {
    let (times, mut moment, mut shown) = (times(cron, name), at(after), Vec::new());
    for _ in 0..count {
        moment = times.next_after(moment).unwrap();
        shown.push(moment.to_zoned_datetime(zone(name)).strftime("%m-%d %H:%M%:z").to_string());
    }
    shown
}

#[test]
fn nights_when_clocks_change() {
    // Zone, a line, from when, and the moments that follow: half-hour and 45-minute zones among them.
    for (name, cron, after, expected) in [
        // Berlin: 02:00 to 03:00 does not exist on 29 March 2026, and comes twice on 25 October.
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2026-03-27T12:00:00Z",
            ["03-28 02:30+01:00", "03-29 03:00+02:00", "03-30 02:30+02:00"],
        ),
        (
            "Europe/Berlin",
            "15,45 2 * * *",
            "2026-03-28T12:00:00Z",
            ["03-29 03:00+02:00", "03-30 02:15+02:00", "03-30 02:45+02:00"],
        ),
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2026-10-24T12:00:00Z",
            ["10-25 02:30+02:00", "10-26 02:30+01:00", "10-27 02:30+01:00"],
        ),
        (
            "Europe/Berlin",
            "30 * * * *",
            "2026-10-24T23:45:00Z",
            ["10-25 02:30+02:00", "10-25 02:30+01:00", "10-25 03:30+01:00"],
        ),
        (
            "Europe/Berlin",
            "30 * * * *",
            "2026-03-29T00:00:00Z",
            ["03-29 01:30+01:00", "03-29 03:30+02:00", "03-29 04:30+02:00"],
        ),
        (
            "Europe/Berlin",
            "0 */2 * * *",
            "2026-10-24T22:30:00Z",
            ["10-25 02:00+02:00", "10-25 02:00+01:00", "10-25 04:00+01:00"],
        ),
        // New York: 8 March, 1 November.
        (
            "America/New_York",
            "30 2 * * sun",
            "2026-03-02T12:00:00Z",
            ["03-08 03:00-04:00", "03-15 02:30-04:00", "03-22 02:30-04:00"],
        ),
        (
            "America/New_York",
            "0 1 * * *",
            "2026-10-31T12:00:00Z",
            ["11-01 01:00-04:00", "11-02 01:00-05:00", "11-03 01:00-05:00"],
        ),
        // Lord Howe: half an hour, 02:00 to 02:30 on 4 October, 01:30 to 02:00 twice on 5 April.
        (
            "Australia/Lord_Howe",
            "15 2 * * *",
            "2026-10-02T18:00:00Z",
            ["10-04 02:30+11:00", "10-05 02:15+11:00", "10-06 02:15+11:00"],
        ),
        (
            "Australia/Lord_Howe",
            "45 1 * * *",
            "2026-04-03T18:00:00Z",
            ["04-05 01:45+11:00", "04-06 01:45+10:30", "04-07 01:45+10:30"],
        ),
        // Chatham: an offset of 45 minutes, 02:45 to 03:45 on 27 September.
        (
            "Pacific/Chatham",
            "0 3 * * *",
            "2026-09-25T18:00:00Z",
            ["09-27 03:45+13:45", "09-28 03:00+13:45", "09-29 03:00+13:45"],
        ),
        // Santiago: midnight to one does not exist on 6 September: what the day names comes at one.
        (
            "America/Santiago",
            "0 0 * * *",
            "2026-09-05T12:00:00Z",
            ["09-06 01:00-03:00", "09-07 00:00-03:00", "09-08 00:00-03:00"],
        ),
        // Apia had no 30 December 2011.
        (
            "Pacific/Apia",
            "0 12 30 12 *",
            "2011-01-01T00:00:00Z",
            ["12-31 00:00+14:00", "12-30 12:00+14:00", "12-30 12:00+14:00"],
        ),
    ] {
        assert_eq!(next(cron, name, after, 3), expected, "{name} {cron}");
    }
}

#[test]
fn days_of_leap_years_year_ends_and_both_fields_of_days() {
    let first = |cron: &str, after: &str| times(cron, "UTC").next_after(at(after)).unwrap().to_string();
    assert_eq!(first("0 0 29 2 *", "2026-01-01T00:00:00Z"), "2028-02-29T00:00:00Z");
    assert_eq!(first("0 0 29 2 *", "2096-03-01T00:00:00Z"), "2104-02-29T00:00:00Z");
    assert_eq!(first("59 23 31 12 *", "2026-12-31T23:59:00Z"), "2027-12-31T23:59:00Z");
    assert_eq!(first("@yearly", "2026-12-31T23:59:59Z"), "2027-01-01T00:00:00Z");
    // Either, when both are restricted: a Friday, or the thirteenth.
    assert_eq!(first("0 0 13 * fri", "2026-11-10T00:00:00Z"), "2026-11-13T00:00:00Z");
    assert_eq!(first("0 0 13 * fri", "2026-11-13T00:00:00Z"), "2026-11-20T00:00:00Z");
    // Both, when one begins with a star.
    assert_eq!(first("0 0 */2 * mon", "2026-11-01T00:00:00Z"), "2026-11-09T00:00:00Z");
    assert_eq!(first("0 0 * * 7", "2026-11-28T00:00:00Z"), "2026-11-29T00:00:00Z");
    assert_eq!(first("0 0 * JAN-mar/2 *", "2026-11-28T00:00:00Z"), "2027-01-01T00:00:00Z");
    assert_eq!(first("*/15 0 29 2 *", "2026-01-01T00:00:00Z"), "2028-02-29T00:00:00Z");
}

#[test]
fn what_is_no_line_is_refused_with_what_would_be_right() {
    for (line, told) in [
        ("* * * *", "has 4 fields"),
        ("60 * * * *", "minute \"60\" must be a whole number from 0 to 59"),
        ("* * * foo *", "month \"foo\" must be a whole number from 1 to 12, or a name from jan to dec"),
        ("5/15 * * * *", "write 5-59/15"),
        ("*/0 * * * *", "a step that is no whole number above 0"),
        ("* 22-2 * * *", "write two ranges"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6,9,11 *", "never comes"),
        ("@dayly", "no word of cron"),
        ("", "has 0 fields"),
        ("+1 * * * *", "must be a whole number"),
        ("1, * * * *", "must be a whole number"),
    ] {
        let error = line.parse::<Cron>().unwrap_err().to_string();
        assert!(error.contains(told), "{line}: {error}");
    }
    assert!("0 0 30 2 mon".parse::<Cron>().is_ok(), "either day will do");
}

/// The moments in a span, found by walking it minute by minute and reading the clock on the wall.
fn walked(cron: &Cron, zone: &TimeZone, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let reads = |wall: DateTime| {
        cron.has_minute(wall.minute())
            && cron.has_hour(wall.hour())
            && cron.has_day(wall.month(), wall.day(), wall.weekday().to_sunday_zero_offset())
    };
    let minute = SignedDuration::from_secs(60);
    let mut moments = Vec::new();
    // Long enough before that what was on the wall once already is known.
    let mut now = from - SignedDuration::from_hours(30);
    let mut latest = zone.to_datetime(now - minute);
    while now <= until {
        let wall = zone.to_datetime(now);
        let is_due = if cron.follows_clock {
            reads(wall)
        } else {
            // Every minute that the wall shows for the first time, those it never shows among them.
            let mut due = false;
            let mut shown = latest;
            while shown < wall {
                shown = shown.checked_add(minute).unwrap();
                due |= reads(shown);
            }
            due
        };
        latest = latest.max(wall);
        if is_due && now > from {
            moments.push(now);
        }
        now += minute;
    }
    moments
}

fn field(first: u32, last: u32) -> impl Strategy<Value = String> {
    let value = move || first..=last;
    prop_oneof![
        3 => proptest::strategy::Just("*".to_owned()),
        2 => (1..=30_u32).prop_map(|step| format!("*/{step}")),
        3 => value().prop_map(|value| value.to_string()),
        2 => (value(), value()).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (value(), value(), 1..=7_u32).prop_map(|(a, b, step)| format!("{}-{}/{step}", a.min(b), a.max(b))),
        2 => proptest::collection::vec(value(), 1..4)
            .prop_map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
    ]
}

fn lines() -> impl Strategy<Value = String> {
    (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7))
        .prop_map(|(minute, hour, day, month, week)| format!("{minute} {hour} {day} {month} {week}"))
}

/// Days around which clocks change, in zones of all kinds.
const NIGHTS: [(&str, &str); 12] = [
    ("Europe/Berlin", "2026-03-28T00:00:00Z"),
    ("Europe/Berlin", "2026-10-24T00:00:00Z"),
    ("America/New_York", "2026-03-07T00:00:00Z"),
    ("America/New_York", "2026-10-31T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-03T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-02T00:00:00Z"),
    ("Pacific/Chatham", "2026-04-03T00:00:00Z"),
    ("Pacific/Chatham", "2026-09-25T00:00:00Z"),
    ("America/Santiago", "2026-09-05T00:00:00Z"),
    ("Africa/Cairo", "2026-04-23T00:00:00Z"),
    ("Asia/Kathmandu", "2028-02-28T00:00:00Z"),
    ("Pacific/Apia", "2011-12-29T00:00:00Z"),
];

proptest! {
    #[test]
    fn moments_are_those_that_walking_finds((line, night) in (lines(), 0..NIGHTS.len())) {
        let Ok(cron) = line.parse::<Cron>() else { return Ok(()) };
        let (name, from) = NIGHTS[night];
        let (zone, from) = (zone(name), at(from));
        let until = from + SignedDuration::from_hours(72);
        let times = ScheduleTimes::new(cron.clone(), zone.clone());
        let mut found = Vec::new();
        let mut moment = from;
        while let Some(next) = times.next_after(moment).filter(|next| *next <= until) {
            assert!(next > moment);
            found.push(next);
            moment = next;
        }
        proptest::prop_assert_eq!(found, walked(&cron, &zone, from, until), "{} in {}", line, name);
    }
}

fn rules(overlap: Overlap, missed: Missed) -> ScheduleRules {
    ScheduleRules {
        times: times("0 * * * *", "UTC"),
        overlap,
        missed,
        missed_within: SignedDuration::from_secs(3600),
        offset: SignedDuration::ZERO,
    }
}

/// What is decided of a schedule that has not ticked yet.
fn decide(rules: &ScheduleRules, moment: Timestamp, now: Timestamp, is_running: bool) -> TickDecision {
    let before = if is_running { ExecutionsBefore::Running } else { ExecutionsBefore::None };
    super::decide(rules, ScheduleStanding { moment, due: None, last: None, before }, now)
}

const FIRST: &str = "2026-01-01T00:00:00Z";

fn run(moment: &str, replaces: bool, next: &str) -> TickDecision {
    TickDecision::Run { moment: at(moment), replaces, next: Some(at(next)), due: Some(at(next)) }
}

#[test]
fn a_tick_in_time_is_run_unless_the_one_before_is_not_over() {
    let (now, next) = ("2026-01-01T00:00:01Z", "2026-01-01T01:00:00Z");
    let decided = |overlap, running| decide(&rules(overlap, Missed::RunOnce), at(FIRST), at(now), running);
    for overlap in [Overlap::Skip, Overlap::Queue, Overlap::Replace, Overlap::Allow] {
        assert_eq!(decided(overlap, false), run(FIRST, false, next));
        assert_eq!(decide(&rules(overlap, Missed::Skip), at(next), at(now), false), TickDecision::NotYet);
    }
    let skipped = TickDecision::Skip { next: Some(at(next)), reason: SkipReason::StillRunning };
    assert_eq!(decided(Overlap::Skip, true), skipped);
    assert_eq!(decided(Overlap::Queue, true), TickDecision::Wait);
    assert_eq!(decided(Overlap::Replace, true), run(FIRST, true, next));
    assert_eq!(decided(Overlap::Allow, true), run(FIRST, false, next));
}

#[test]
fn ticks_that_came_while_nobody_was_up() {
    // Nobody was up from before the first tick until half an hour after the sixth.
    let now = at("2026-01-01T05:30:00Z");
    let decided = |missed| decide(&rules(Overlap::Allow, missed), at(FIRST), now, false);
    assert_eq!(decided(Missed::RunOnce), run("2026-01-01T05:00:00Z", false, "2026-01-01T06:00:00Z"));
    let passed = |next: &str| TickDecision::Skip { next: Some(at(next)), reason: SkipReason::Missed };
    assert_eq!(decided(Missed::Skip), passed("2026-01-01T06:00:00Z"));
    // Those of the last hour only.
    assert_eq!(decided(Missed::RunAll), passed("2026-01-01T05:00:00Z"));
    let all = ScheduleRules {
        missed_within: SignedDuration::from_hours(24),
        ..rules(Overlap::Allow, Missed::RunAll)
    };
    let next = Some(at("2026-01-01T01:00:00Z"));
    let first = TickDecision::Run { moment: at(FIRST), replaces: false, next, due: Some(now) };
    assert_eq!(decide(&all, at(FIRST), now, false), first);
    let late = at("2026-01-01T06:30:01Z");
    let old = ScheduleRules {
        missed_within: SignedDuration::from_secs(600),
        ..rules(Overlap::Allow, Missed::RunOnce)
    };
    assert_eq!(decide(&old, at(FIRST), late, false), passed("2026-01-01T07:00:00Z"));
    // Of a thousand, the last hundred.
    let often = ScheduleRules { times: times("* * * * *", "UTC"), ..all };
    let now = at("2026-01-01T16:39:30Z");
    let (moment, next) = (at("2026-01-01T15:00:00Z"), Some(at("2026-01-01T15:01:00Z")));
    let first = TickDecision::Run { moment, replaces: false, next, due: Some(now) };
    assert_eq!(decide(&often, at(FIRST), now, false), first);
}

#[test]
fn a_tick_that_waited_was_not_missed() {
    // It was due at midnight, and the execution before was over 75 seconds later: after what is on time, and when a
    // missed tick would be too old.
    let (now, next) = (at("2026-01-01T00:01:16Z"), "2026-01-01T01:00:00Z");
    let decided = |missed, before| {
        let rules =
            ScheduleRules { missed_within: SignedDuration::from_secs(20), ..rules(Overlap::Queue, missed) };
        let standing = ScheduleStanding { moment: at(FIRST), due: Some(at(FIRST)), last: None, before };
        super::decide(&rules, standing, now)
    };
    let over = |moment| ExecutionsBefore::Over(at(moment));
    for missed in [Missed::Skip, Missed::RunOnce, Missed::RunAll] {
        assert_eq!(decided(missed, ExecutionsBefore::Running), TickDecision::Wait);
        assert_eq!(decided(missed, over("2026-01-01T00:01:15Z")), run(FIRST, false, next));
        // What was over before it was due is no excuse.
        let passed = TickDecision::Skip { next: Some(at(next)), reason: SkipReason::Missed };
        assert_eq!(decided(missed, over("2025-12-31T23:59:59Z")), passed);
    }
    // Of several that waited, the last or one after another. What came after that was missed, and is judged by itself.
    let decided = |missed| {
        let before = over("2026-01-01T02:30:00Z");
        let standing = ScheduleStanding { moment: at(FIRST), due: Some(at(FIRST)), last: None, before };
        super::decide(&rules(Overlap::Queue, missed), standing, at("2026-01-01T05:30:00Z"))
    };
    assert_eq!(decided(Missed::RunOnce), run("2026-01-01T02:00:00Z", false, "2026-01-01T03:00:00Z"));
    for missed in [Missed::Skip, Missed::RunAll] {
        assert_eq!(decided(missed), run(FIRST, false, next));
    }
}

#[test]
fn all_that_were_missed_wait_for_one_another_where_a_tick_would_be_skipped() {
    let rules = rules(Overlap::Skip, Missed::RunAll);
    let one = "2026-01-01T01:00:00Z";
    let decided = |moment, due, before, now| {
        super::decide(
            &rules,
            ScheduleStanding { moment: at(moment), due: Some(at(due)), last: None, before },
            at(now),
        )
    };
    // Nobody was up from midnight to half past one, and an execution of before is not over.
    let (seen, running) = ("2026-01-01T00:59:00Z", ExecutionsBefore::Running);
    let make_up = TickDecision::MakeUp { moment: at(FIRST), since: at(seen) };
    assert_eq!(decided(FIRST, FIRST, running, seen), make_up);
    assert_eq!(decided(FIRST, seen, running, "2026-01-01T00:59:01Z"), TickDecision::Wait);
    // However long that takes, it is as old as it was when it began to wait. Ticks that came meanwhile are passed by.
    let (late, over) = ("2026-01-01T03:20:00Z", ExecutionsBefore::Over(at("2026-01-01T03:19:59Z")));
    assert_eq!(decided(FIRST, seen, running, late), TickDecision::Wait);
    assert_eq!(decided(FIRST, seen, over, late), run(FIRST, false, "2026-01-01T04:00:00Z"));
    // A tick in time is skipped as ever.
    let skipped =
        TickDecision::Skip { next: Some(at("2026-01-01T02:00:00Z")), reason: SkipReason::StillRunning };
    assert_eq!(decided(one, one, running, "2026-01-01T01:00:01Z"), skipped);
}

/// Plays a schedule that ticks each minute, whose executions take so long, and that nobody looks at between two seconds:
/// the minutes whose ticks ran by the end, in their order.
fn played_minutes(
    overlap: Overlap,
    missed: Missed,
    takes: i64,
    away: std::ops::Range<i64>,
    end: i64,
) -> Vec<i64> {
    let rules = ScheduleRules { times: times("* * * * *", "UTC"), ..rules(overlap, missed) };
    let (mut moment, mut due) = (at(FIRST), at(FIRST));
    let (mut ends, mut ran) = (None, Vec::new());
    for second in (0..end).filter(|second| !away.contains(second)) {
        let now = at(FIRST) + SignedDuration::from_millis(second * 1_000 + 300);
        loop {
            let before = match ends {
                None => ExecutionsBefore::None,
                Some(end) if end > now => ExecutionsBefore::Running,
                Some(end) => ExecutionsBefore::Over(end),
            };
            match super::decide(&rules, ScheduleStanding { moment, due: Some(due), last: None, before }, now)
            {
                TickDecision::NotYet | TickDecision::Wait => break,
                TickDecision::MakeUp { moment: first, since } => (moment, due) = (first, since),
                TickDecision::Run { moment: run, next, due: next_due, .. } => {
                    assert_ne!(before, ExecutionsBefore::Running, "two run at once");
                    ran.push(run.duration_since(at(FIRST)).as_secs() / 60);
                    ends = Some(now + SignedDuration::from_secs(takes));
                    (moment, due) = (next.unwrap(), next_due.unwrap());
                }
                TickDecision::StartAnew { next } | TickDecision::Skip { next, .. } => {
                    moment = next.unwrap();
                    due = rules.due(moment);
                }
            }
        }
    }
    ran
}

#[test]
fn what_runs_of_a_schedule_whose_executions_take_longer_than_a_minute() {
    let always = 0..0;
    // All wait, and none is lost.
    for missed in [Missed::Skip, Missed::RunAll] {
        assert_eq!(
            played_minutes(Overlap::Queue, missed, 75, always.clone(), 3_000),
            (0..40).collect::<Vec<_>>()
        );
    }
    // Of several that wait, one. An hour of it leaves no tick waiting for an hour.
    let once = played_minutes(Overlap::Queue, Missed::RunOnce, 75, always.clone(), 7_200);
    assert_eq!((once.len(), once.last()), (96, Some(&118)));
    assert_eq!(played_minutes(Overlap::Skip, Missed::RunAll, 75, always, 500), [0, 2, 4, 6, 8]);
    // Nobody looks from half a minute on until minute four: all of the four are made up for, one after another. Those
    // that come meanwhile are skipped, as they are afterwards.
    let away = 30..250;
    assert_eq!(played_minutes(Overlap::Skip, Missed::RunAll, 75, away.clone(), 800), [0, 1, 2, 3, 4, 10, 12]);
    assert_eq!(played_minutes(Overlap::Skip, Missed::RunOnce, 75, away.clone(), 500), [0, 4, 6, 8]);
    // What takes no time at all was all there before the next one came.
    let quick = played_minutes(Overlap::Skip, Missed::RunAll, 1, away, 500);
    assert_eq!(quick, (0..9).collect::<Vec<_>>());
}

#[test]
fn an_offset_is_never_past_the_next_tick() {
    let rules =
        ScheduleRules { offset: SignedDuration::from_hours(5), ..rules(Overlap::Allow, Missed::Skip) };
    assert_eq!(rules.due(at(FIRST)), at("2026-01-01T00:59:59Z"));
    let small = ScheduleRules { offset: SignedDuration::from_secs(7), ..rules };
    assert_eq!(small.due(at(FIRST)), at("2026-01-01T00:00:07Z"));
    assert_eq!(decide(&small, at(FIRST), at("2026-01-01T00:00:06Z"), false), TickDecision::NotYet);
}

#[test]
fn a_clock_that_is_set_forward_and_back() {
    let rules = rules(Overlap::Allow, Missed::RunOnce);
    let decided = |last: &str, next: &str, now: &str| {
        let before = ExecutionsBefore::None;
        let standing = ScheduleStanding { moment: at(next), due: None, last: Some(at(last)), before };
        super::decide(&rules, standing, at(now))
    };
    let (ten, eleven) = ("2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z");
    // Back by an hour after the tick of ten: nothing runs again, and the next one is the one that would have been next.
    assert_eq!(decided(ten, eleven, "2026-01-01T09:00:30Z"), TickDecision::NotYet);
    assert_eq!(decided(ten, eleven, "2026-01-01T10:00:30Z"), TickDecision::NotYet);
    assert_eq!(decided(ten, eleven, eleven), run(eleven, false, "2026-01-01T12:00:00Z"));
    // Forward by a day: what did not come is made up for once, as after an outage.
    assert_eq!(
        decided(ten, eleven, "2026-01-02T10:30:00Z"),
        run("2026-01-02T10:00:00Z", false, "2026-01-02T11:00:00Z")
    );
    // Forward by a year, a tick there, and back: it goes on from now, not in a year.
    let anew = TickDecision::StartAnew { next: Some(at("2026-01-01T13:00:00Z")) };
    assert_eq!(decided("2027-01-01T10:00:00Z", "2027-01-01T11:00:00Z", "2026-01-01T12:00:01Z"), anew);
}

/// Plays a schedule under a clock that jumps: the moments that run, and how often each.
fn played(rules: &ScheduleRules, clock: &[Timestamp]) -> std::collections::BTreeMap<Timestamp, u32> {
    let mut ran = std::collections::BTreeMap::new();
    let (mut moment, mut last) = (rules.times.next_after(clock[0]).unwrap(), Some(clock[0]));
    for now in clock {
        loop {
            let standing = ScheduleStanding { moment, due: None, last, before: ExecutionsBefore::None };
            match super::decide(rules, standing, *now) {
                TickDecision::NotYet | TickDecision::Wait | TickDecision::MakeUp { .. } => break,
                TickDecision::Run { moment: run, next, .. } => {
                    // By the id of its execution a tick that ran before is not made again.
                    ran.entry(run).or_insert(1_u32);
                    (moment, last) = (next.unwrap(), Some(run));
                }
                TickDecision::StartAnew { next } => (moment, last) = (next.unwrap(), Some(*now)),
                TickDecision::Skip { next, .. } => {
                    last = Some(moment);
                    moment = next.unwrap();
                }
            }
        }
    }
    ran
}

proptest! {
    #[test]
    fn a_jumping_clock_stops_no_schedule(jumps in proptest::collection::vec((-200_000_i64..200_000, 1..90_u32), 1..12)) {
        let rules = rules(Overlap::Allow, Missed::RunOnce);
        let mut now = at(FIRST);
        let mut clock = vec![now];
        for (jump, minutes) in jumps {
            now += SignedDuration::from_secs(jump);
            for _ in 0..minutes {
                now += SignedDuration::from_secs(60);
                clock.push(now);
            }
        }
        // After the last jump, a day without any: it is long enough for a clock that was back by less than three hours.
        let settled = now;
        for _ in 0..24 * 60 {
            now += SignedDuration::from_secs(60);
            clock.push(now);
        }
        let ran = played(&rules, &clock);
        let from = settled + SignedDuration::from_hours(4);
        let late = ran.range(from..).count();
        proptest::prop_assert!(late >= 20, "{late} of the last 20 hours ran");
    }
}
