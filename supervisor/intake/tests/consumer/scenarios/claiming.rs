use muster_core::execution::Status;
use muster_intake::ClaimAnswer;
use muster_intake::rabbitmq::consumer::{ConsumerAction, ConsumerEvent};
use muster_store::Submitted;

use super::stage::{Stage, id, whole};

#[test]
fn a_message_is_acknowledged_once_its_claim_is_committed() {
    let mut stage = Stage::consuming(4);
    stage.messages(&[whole(id(1)), whole(id(2))]);
    stage.slots(2);
    assert_eq!(stage.claims(), [[id(1), id(2)]]);
    stage.wait_ms(10_000);
    assert_eq!(stage.acknowledged(), [], "the store has not answered");
    stage.claimed(&[ClaimAnswer::Taken, ClaimAnswer::Elsewhere(Status::Success)]);
    assert_eq!(stage.acknowledged(), [(2, true)]);
}

#[test]
fn a_claim_that_failed_is_made_again_a_moment_later() {
    let mut stage = Stage::consuming(4);
    stage.messages(&[whole(id(1)), whole(id(2))]);
    stage.slots(2);
    stage.wanted();
    stage.step(ConsumerEvent::Claimed(Err("away".to_owned())));
    let wanted = stage.wanted();
    assert!(wanted.iter().any(|action| matches!(action, ConsumerAction::StopConsumer)), "{wanted:?}");
    assert!(!wanted.iter().any(|action| matches!(action, ConsumerAction::ReserveSlots { .. })));
    stage.wait_ms(500);
    stage.slots(2);
    assert_eq!(stage.claims(), [[id(1), id(2)]]);
}

#[test]
fn the_same_execution_twice_is_one_claim() {
    let mut stage = Stage::consuming(4);
    stage.messages(&[whole(id(1)), whole(id(1)), whole(id(2))]);
    stage.slots(3);
    assert_eq!(stage.claims(), [[id(1), id(2)]]);
    stage.claimed(&[ClaimAnswer::Taken, ClaimAnswer::Taken]);
    assert_eq!(stage.acknowledged(), [(3, true)]);
}

/// It may say something else, and no row stands for it.
#[test]
fn the_twin_of_a_refused_message_is_asked_for_by_itself() {
    let mut stage = Stage::consuming(4);
    stage.messages(&[whole(id(1)), whole(id(1))]);
    stage.slots(2);
    stage.wanted();
    stage.claimed(&[ClaimAnswer::Refused("no".to_owned())]);
    assert_eq!(stage.acknowledged(), []);
    stage.slots(1);
    assert_eq!(stage.claims(), [[id(1)]]);
    stage.claimed(&[ClaimAnswer::Taken]);
    assert_eq!(stage.acknowledged(), [(2, false)]);
}

#[test]
fn without_a_slot_for_five_seconds_messages_become_rows() {
    let mut stage = Stage::consuming(4);
    stage.messages(&[whole(id(1))]);
    stage.wait_ms(60);
    assert!(!stage.machine.snapshot().is_consuming, "no slot: no deliveries");
    stage.wait_ms(4_900);
    assert!(!stage.wanted().iter().any(|action| matches!(action, ConsumerAction::KeepAsRows { .. })));
    stage.wait_ms(50);
    assert!(stage.wanted().iter().any(|action| matches!(action, ConsumerAction::KeepAsRows { .. })));
    stage.step(ConsumerEvent::KeptAsRows(Ok(vec![Submitted::Inserted])));
    assert_eq!(stage.acknowledged(), [(1, true)]);
}

/// Only who waits for a reply is told of the execution that the key stands for.
#[test]
fn a_message_with_a_known_key_is_acknowledged_and_its_caller_told_of_the_first() {
    let mut stage = Stage::consuming(4);
    let keyed = |number, sync: bool| {
        format!(r#"{{"execution_id":"{}","workflow":"w","idempotency_key":"k","sync":{sync}}}"#, id(number))
    };
    stage.messages(&[keyed(1, true), keyed(2, false), keyed(3, true), keyed(4, true)]);
    stage.slots(4);
    stage.wanted();
    stage.claimed(&[
        ClaimAnswer::Existing(id(9)),
        ClaimAnswer::Existing(id(9)),
        ClaimAnswer::Existing(id(3)),
        ClaimAnswer::KeyReused(id(9)),
    ]);
    let wanted = stage.wanted();
    let replies: Vec<_> = wanted
        .iter()
        .filter_map(|action| {
            let ConsumerAction::ReplyWith { execution_id, existing } = action else { return None };
            Some((*execution_id, *existing))
        })
        .collect();
    assert_eq!(replies, [(id(1), id(9))], "{wanted:?}");
    let acknowledges = |action: &ConsumerAction| matches!(action, ConsumerAction::Acknowledge(tags) if tags.iter().any(|ack| ack.tag == 3 && ack.multiple));
    assert!(wanted.iter().any(acknowledges), "{wanted:?}");
    let failures = wanted.iter().find_map(|action| {
        let ConsumerAction::RecordFailures(failures) = action else { return None };
        Some(failures)
    });
    let [failure] = &failures.unwrap()[..] else { panic!("{wanted:?}") };
    assert_eq!((failure.execution_id, failure.failure.error_type.as_str()), (id(4), "IdempotencyKeyReused"));
}
