//! Lines of cron against another way to find their moments, nights when clocks change, and what follows from ticks.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::{Strategy, prop_oneof, proptest};

use super::decision::SkipReason;
use super::{Cron, Missed, Overlap, ScheduleRules, ScheduleStanding, ScheduleTimes, TickDecision};

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
    super::decide(rules, ScheduleStanding { moment, last: None, is_running }, now)
}

const FIRST: &str = "2026-01-01T00:00:00Z";

fn run(moment: &str, replaces: bool, next: &str) -> TickDecision {
    TickDecision::Run { moment: at(moment), replaces, next: Some(at(next)) }
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
    assert_eq!(decide(&all, at(FIRST), now, false), run(FIRST, false, "2026-01-01T01:00:00Z"));
    let late = at("2026-01-01T06:30:01Z");
    let old = ScheduleRules {
        missed_within: SignedDuration::from_secs(600),
        ..rules(Overlap::Allow, Missed::RunOnce)
    };
    assert_eq!(decide(&old, at(FIRST), late, false), passed("2026-01-01T07:00:00Z"));
    // Of a thousand, the last hundred.
    let often = ScheduleRules { times: times("* * * * *", "UTC"), ..all };
    let decided = decide(&often, at(FIRST), at("2026-01-01T16:39:30Z"), false);
    assert_eq!(decided, run("2026-01-01T15:00:00Z", false, "2026-01-01T15:01:00Z"));
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
        let standing = ScheduleStanding { moment: at(next), last: Some(at(last)), is_running: false };
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
            let standing = ScheduleStanding { moment, last, is_running: false };
            match super::decide(rules, standing, *now) {
                TickDecision::NotYet | TickDecision::Wait => break,
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
