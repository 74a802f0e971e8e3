//! Schedules: what cannot be, and who paused them.

use muster_store::Definitions;

use super::super::file::{parse, render};
use super::super::{DefinitionEdit, DefinitionWish, plan, whole};
use super::{FILE, applied, raw, written};

#[test]
fn a_schedule_that_cannot_be_is_refused_with_what_would_be_right() {
    let told = |cron: &str, zone: &str| {
        let file = format!("[schedules.n]\nworkflow = 'w'\ncron = '{cron}'\ntime_zone = '{zone}'\n");
        let (wanted, places) = parse("f", &file).unwrap();
        let edits = DefinitionWish::Whole { wanted, prune: false }.edits(&Definitions::default());
        places.locate(&plan(&Definitions::default(), &edits).unwrap_err()[0].to_string())
    };
    for local in ["localtime", "LocalTime", "posixrules", "Factory"] {
        let zone = told("0 0 * * *", local);
        assert!(zone.contains("is no time zone") && !zone.contains("mean"), "{zone}");
    }
    let zone = told("0 0 * * *", "Europe/Berlyn");
    assert!(
        zone.starts_with("f:4: schedules.n.time_zone:") && zone.contains("did you mean Europe/Berlin?"),
        "{zone}"
    );
    let never = told("0 0 30 2 *", "UTC");
    assert!(never.starts_with("f:3: schedules.n.cron:") && never.contains("never comes"), "{never}");
}

#[test]
fn parameters_that_are_written_in_another_way_are_no_change_and_come_back_from_a_file() {
    let schedule = |parameters: &str| {
        let file = "[schedules.n]\nworkflow = 'w'\ncron = '@daily'\n";
        let mut wanted = parse("f", file).unwrap().0.schedules.remove(0);
        wanted.parameters = Some(raw(parameters));
        DefinitionEdit::SetSchedule(wanted)
    };
    for given in [r#"{"n": 1e22, "a":[1.50]}"#, r#"{"b":1,"a":{"d":null,"c":12345678901234567890123}}"#] {
        let rows = written(Definitions::default(), &[schedule(given)]);
        let (wanted, _) = parse("f", &render(&whole(&rows)).unwrap()).unwrap();
        let edits = DefinitionWish::Whole { wanted, prune: true }.edits(&rows);
        assert!(plan(&rows, &edits).unwrap().is_empty(), "{given}");
    }
    let rows = written(Definitions::default(), &[schedule(r#"{"n":18446744073709551616}"#)]);
    assert!(plan(&rows, &[schedule(r#"{ "n": 18446744073709551616 }"#)]).unwrap().is_empty());
    assert_eq!(plan(&rows, &[schedule(r#"{"n":18446744073709551617}"#)]).unwrap().len(), 1);
}

#[test]
fn a_schedule_paused_by_hand_stays_so_when_the_file_does_not_say() {
    let rows = applied(Definitions::default(), FILE, false);
    let pause = |is_paused| DefinitionEdit::PauseSchedule { name: "nightly".into(), is_paused };
    let rows = written(rows, &[pause(true)]);
    assert!(rows.schedules[0].is_paused && applied(rows.clone(), FILE, true).schedules[0].is_paused);
    assert!(!written(rows, &[pause(false)]).schedules[0].is_paused);
}
