use muster_intake::rabbitmq::consumer::{ConsumerAction, ConsumerEvent};

use super::stage::Stage;

/// The tags that are published now, if any are.
fn published(stage: &mut Stage) -> Vec<u64> {
    let wanted = stage.wanted();
    let published = wanted.iter().filter_map(|action| {
        let ConsumerAction::PublishDeadLetters(letters) = action else { return None };
        Some(letters.iter().map(|letter| letter.tag))
    });
    published.flatten().collect()
}

#[test]
fn a_dead_letter_is_confirmed_before_it_is_acknowledged() {
    let mut stage = Stage::consuming(4);
    stage.messages(&["nonsense".to_owned()]);
    assert_eq!(published(&mut stage), [1]);
    stage.wait_ms(20_000);
    assert_eq!(stage.acknowledged(), []);
    stage.step(ConsumerEvent::DeadLettersPublished(vec![Ok(())]));
    assert_eq!(stage.acknowledged(), [(1, true)]);
}

#[test]
fn the_failure_of_its_execution_is_recorded_first() {
    let mut stage = Stage::consuming(4);
    let body = r#"{"execution_id":"00000000-0000-0000-0000-000000000001","workflow":"w","priority":77}"#;
    stage.messages(&[body.to_owned()]);
    assert_eq!(published(&mut stage), [0; 0]);
    stage.step(ConsumerEvent::FailuresRecorded(vec![Err("away".to_owned())]));
    assert_eq!(published(&mut stage), [0; 0]);
    stage.wait_ms(1_000);
    stage.step(ConsumerEvent::FailuresRecorded(vec![Ok(())]));
    assert_eq!(published(&mut stage), [1]);
}

/// One that breaks the connection whenever it is published fails all that go with it.
#[test]
fn a_letter_that_can_never_go_does_not_hold_up_the_others() {
    let mut stage = Stage::consuming(16);
    let poison = 3;
    stage.messages(&vec!["nonsense".to_owned(); 16]);
    let mut gone = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let tags = published(&mut stage);
        let goes = !tags.contains(&poison);
        let results = tags.iter().map(|_| if goes { Ok(()) } else { Err("connection broken".to_owned()) });
        stage.step(ConsumerEvent::DeadLettersPublished(results.collect()));
        gone.extend(tags.into_iter().filter(|_| goes));
        stage.machine.next_deadline().into_iter().for_each(|deadline| stage.now = deadline);
        stage.step(ConsumerEvent::Tick);
    }
    assert_eq!(gone.len(), 15);
    assert_eq!(stage.machine.snapshot().unusable, 1);
}
