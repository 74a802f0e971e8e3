use std::time::Duration;

use muster_intake::rabbitmq::consumer::{ChannelNumber, ConsumerAction, ConsumerEvent, ConsumerNotice};

use super::stage::{Stage, id, whole};

/// The channel that is asked for next, and after how long.
fn next_try(stage: &mut Stage) -> (u64, Duration) {
    let before = stage.now;
    loop {
        let opened = stage.wanted().into_iter().find_map(|action| {
            let ConsumerAction::OpenChannel { channel } = action else { return None };
            Some(channel.0)
        });
        if let Some(channel) = opened {
            return (channel, stage.now.since(before));
        }
        stage.now = stage.machine.next_deadline().unwrap();
        stage.step(ConsumerEvent::Tick);
    }
}

#[test]
fn the_pauses_rise_until_a_consumer_is_confirmed() {
    let mut stage = Stage::new();
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let (channel, pause) = next_try(&mut stage);
        pauses.push(pause);
        // A connection alone proves nothing.
        stage.opens(channel);
        stage.loses(channel);
    }
    assert_eq!(pauses[0], Duration::ZERO);
    assert!(pauses[1] < Duration::from_millis(201) && pauses[7] >= Duration::from_secs(3), "{pauses:?}");
    let (channel, _) = next_try(&mut stage);
    stage.opens(channel);
    stage.slots(1);
    stage.step(ConsumerEvent::ConsumerStarted { channel: ChannelNumber(channel) });
    stage.loses(channel);
    let (_, pause) = next_try(&mut stage);
    assert!(pause < Duration::from_millis(201), "{pause:?}");
}

#[test]
fn a_broker_that_is_away_is_tried_again_within_moments() {
    let mut stage = Stage::new();
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let (channel, pause) = next_try(&mut stage);
        pauses.push(pause);
        stage.loses(channel);
    }
    let longest = Duration::from_millis(600)..Duration::from_millis(1_201);
    assert!(pauses[1] < Duration::from_millis(201) && longest.contains(&pauses[7]), "{pauses:?}");
}

#[test]
fn the_same_trouble_is_told_once() {
    let mut stage = Stage::new();
    let mut told = 0;
    for channel in 1..=5 {
        stage.loses(channel);
        let is_told = |action: &ConsumerAction| {
            matches!(action, ConsumerAction::Notify(ConsumerNotice::NothingConsumed { .. }))
        };
        told += stage.wanted().iter().filter(|action| is_told(action)).count();
        stage.now = stage.machine.next_deadline().unwrap();
        stage.step(ConsumerEvent::Tick);
    }
    assert_eq!(told, 1);
}

#[test]
fn what_an_earlier_channel_says_changes_nothing() {
    let mut stage = Stage::consuming(4);
    stage.loses(1);
    stage.wait_ms(1_000);
    stage.opens(2);
    stage.wanted();
    stage.messages(&[whole(id(1))]);
    stage.loses(1);
    stage.step(ConsumerEvent::ConsumerStarted { channel: ChannelNumber(1) });
    stage.step(ConsumerEvent::ConsumerStopped { channel: ChannelNumber(1) });
    assert!(stage.wanted().is_empty());
    let snapshot = stage.machine.snapshot();
    assert_eq!((snapshot.channel, snapshot.open), (Some(ChannelNumber(2)), 0));
}
