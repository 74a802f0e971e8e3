//! Small storms, so that `scripts/chaos` and what it checks stay true.

use muster_tests::binaries;

#[test]
fn a_small_storm_loses_nothing() {
    // The bar of the recovery time is doubled, as in `takeover`: tests run beside other things.
    storm(&["--weather", "crashes", "--executions", "300", "--seconds", "20", "--recovery-seconds", "10"]);
}

#[test]
fn a_small_storm_of_stalls_takes_nothing_from_the_living() {
    let out = storm(&["--weather", "stalls", "--executions", "200", "--seconds", "20", "--supervisors", "2"]);
    assert!(out.contains("attempts                   {1: 200}\n"), "{out}");
}

#[test]
fn a_small_storm_over_limits_lets_no_more_run_than_they_say() {
    let small = ["--executions", "300", "--seconds", "20", "--keys", "12", "--workers", "5"];
    over_limits(&small);
}

#[test]
fn a_small_storm_over_limits_in_one_file_lets_no_more_run_than_they_say() {
    let small = ["--sqlite", "--executions", "300", "--seconds", "15", "--keys", "12", "--workers", "5"];
    over_limits(&small);
}

fn over_limits(arguments: &[&str]) {
    // As above, the bar is for a machine with other things to do.
    let rest =
        ["--weather", "limits", "--every-seconds", "1", "--calm-seconds", "90", "--recovery-seconds", "15"];
    let all = [arguments, &rest].concat();
    let (status, out) = binaries::chaos(&all).unwrap_or_else(|error| panic!("chaos {all:?}: {error}"));
    assert!(status.success(), "{out}");
    assert!(out.contains("above a limit              0\n"), "{out}");
}

/// Its own patience is shorter than that of whoever runs the tests, so that it tells what did not end.
fn storm(arguments: &[&str]) -> String {
    let all = [arguments, &["--every-seconds", "1", "--calm-seconds", "90"]].concat();
    let (status, out) = binaries::chaos(&all).unwrap_or_else(|error| panic!("chaos {all:?}: {error}"));
    assert!(status.success(), "{out}");
    assert!(out.contains("lost                       0\n"), "{out}");
    assert!(out.contains("taken from the living      0\n"), "{out}");
    out
}
