use bytes::Bytes;
use muster_intake::rabbitmq::consumer::{ConsumerAction, ConsumerEvent};

use super::stage::{Stage, id, minimal};

/// Answers every question of the last moment: there is nothing, or the cache is away.
fn answer(stage: &mut Stage, cache_answers: bool) -> bool {
    let mut is_given_up = false;
    for action in stage.wanted() {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the others are no questions")]
        match action {
            ConsumerAction::ReadRecords { ids } => {
                let records = cache_answers.then(|| vec![None; ids.len()]);
                stage.step(ConsumerEvent::RecordsRead(records));
            }
            ConsumerAction::ReadRows { ids } => {
                let rows = ids.iter().map(|_| Ok(None)).collect();
                stage.step(ConsumerEvent::RowsRead(rows));
            }
            ConsumerAction::RecordFailures(_) => is_given_up = true,
            _ => {}
        }
    }
    is_given_up
}

/// Plays so long, and says whether a message was given up meanwhile.
fn play(stage: &mut Stage, milliseconds: u64, cache_answers: bool) -> bool {
    (0..milliseconds / 50).any(|_| {
        stage.wait_ms(50);
        answer(stage, cache_answers)
    })
}

#[test]
fn a_record_that_comes_in_time_is_used() {
    let mut stage = Stage::consuming(4);
    stage.messages(&[minimal(id(1))]);
    assert!(!play(&mut stage, 4_000, true));
    while !stage.wanted().iter().any(|action| matches!(action, ConsumerAction::ReadRecords { .. })) {
        stage.wait_ms(50);
    }
    let record = Bytes::from_static(br#"{"workflow":"w"}"#);
    stage.step(ConsumerEvent::RecordsRead(Some(vec![Some(record)])));
    stage.slots(1);
    assert_eq!(stage.claims(), [[id(1)]]);
}

#[test]
fn a_record_that_never_comes_is_given_up_after_five_seconds() {
    let mut stage = Stage::consuming(4);
    stage.messages(&[minimal(id(1))]);
    assert!(!play(&mut stage, 5_000, true));
    assert!(play(&mut stage, 1_000, true));
}

/// Out of reach is no evidence that there is none.
#[test]
fn a_cache_that_does_not_answer_uses_up_no_patience() {
    let mut stage = Stage::consuming(4);
    stage.messages(&[minimal(id(1))]);
    assert!(!play(&mut stage, 60_000, false));
    assert_eq!(stage.machine.health().waiting_for_records, 1);
    assert!(!play(&mut stage, 5_000, true));
    assert_eq!(stage.machine.health().waiting_for_records, 0);
    assert!(play(&mut stage, 1_000, true));
}

/// However late the consumer itself gets to ask.
#[test]
fn a_pause_of_ours_uses_up_no_patience_before_the_first_answer() {
    let mut stage = Stage::consuming(4);
    stage.wait_ms(60_000);
    stage.messages(&[minimal(id(1))]);
    stage.step(ConsumerEvent::RowsRead(vec![Ok(None)]));
    stage.wanted();
    stage.now = stage.now + std::time::Duration::from_secs(10);
    stage.step(ConsumerEvent::Tick);
    assert!(!answer(&mut stage, true), "it has been denied once since its row was read");
    assert!(!play(&mut stage, 4_900, true));
    assert!(play(&mut stage, 1_000, true));
}
