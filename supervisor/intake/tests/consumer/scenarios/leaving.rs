use muster_intake::ClaimAnswer;
use muster_intake::rabbitmq::consumer::{ChannelNumber, ConsumerAction, ConsumerEvent};

use super::stage::{Stage, id, whole};

fn is_closed(stage: &mut Stage) -> bool {
    stage.wanted().iter().any(|action| matches!(action, ConsumerAction::CloseChannel))
}

#[test]
fn leaving_waits_for_the_claim_and_acknowledges_it() {
    let mut stage = Stage::consuming(4);
    stage.messages(&[whole(id(1)), whole(id(2))]);
    stage.slots(1);
    stage.step(ConsumerEvent::Leave);
    stage.wait_ms(60_000);
    assert!(!is_closed(&mut stage));
    stage.claimed(&[ClaimAnswer::Taken]);
    let wanted = stage.wanted();
    let [ConsumerAction::Acknowledge(acknowledgements), ConsumerAction::CloseChannel] = wanted.as_slice()
    else {
        panic!("{wanted:?}");
    };
    assert_eq!((acknowledgements[0].tag, acknowledgements.len()), (1, 1), "the other goes back");
    assert!(!stage.machine.is_finished());
    stage.step(ConsumerEvent::ChannelClosed { channel: ChannelNumber(1) });
    assert!(stage.machine.is_finished());
}

#[test]
fn leaving_waits_three_seconds_for_dead_letters() {
    let mut stage = Stage::consuming(4);
    stage.messages(&["nonsense".to_owned()]);
    stage.step(ConsumerEvent::Leave);
    stage.wait_ms(2_990);
    assert!(!is_closed(&mut stage));
    stage.wait_ms(10);
    assert!(is_closed(&mut stage));
}

#[test]
fn a_claim_outlives_a_lost_connection_and_none_is_made_beside_it() {
    let mut stage = Stage::consuming(4);
    stage.messages(&[whole(id(1))]);
    stage.slots(1);
    stage.loses(1);
    stage.wait_ms(1_000);
    stage.opens(2);
    stage.wanted();
    stage.wait_ms(1_000);
    assert!(stage.wanted().is_empty(), "slots are not wanted before the claim has ended");
    stage.step(ConsumerEvent::Leave);
    stage.step(ConsumerEvent::ChannelClosed { channel: ChannelNumber(2) });
    assert!(!stage.machine.is_finished(), "the claim is under way");
    stage.claimed(&[ClaimAnswer::Taken]);
    assert!(stage.machine.is_finished());
    assert_eq!(stage.acknowledged(), [], "it was delivered on another channel");
}
