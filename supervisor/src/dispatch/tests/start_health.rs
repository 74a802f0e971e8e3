//! What readiness says of the starts of workers.

use crate::dispatch::{StartHealth, StartTrouble};

#[test]
fn the_last_failure_in_a_row_is_told_until_a_worker_starts() {
    let health = StartHealth::default();
    assert_eq!(health.start_trouble(), None);
    health.start_failed(1, "no such file");
    health.start_failed(2, "no memory");
    let trouble = StartTrouble { consecutive: 2, message: "no memory".to_owned() };
    assert_eq!(health.start_trouble(), Some(trouble));
    health.starts_recovered();
    assert_eq!(health.start_trouble(), None);
}
