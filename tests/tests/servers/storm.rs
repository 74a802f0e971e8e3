//! A small storm, so that `scripts/chaos` and what it checks stay true.

use muster_tests::binaries;

#[test]
fn a_small_storm_loses_nothing() {
    // The bar of the recovery time is doubled, as in `takeover`: tests run beside other things.
    let storm = [
        "--weather",
        "crashes",
        "--executions",
        "300",
        "--seconds",
        "20",
        "--every-seconds",
        "1",
        "--recovery-seconds",
        "10",
    ];
    let output = binaries::chaos(&storm);
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{error}");
    assert!(out.contains("lost                       0\n"), "{out}");
}
