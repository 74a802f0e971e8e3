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

fn storm(arguments: &[&str]) -> String {
    let output = binaries::chaos(&[arguments, &["--every-seconds", "1"]].concat());
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{error}");
    assert!(out.contains("lost                       0\n"), "{out}");
    assert!(out.contains("taken from the living      0\n"), "{out}");
    out.into_owned()
}
