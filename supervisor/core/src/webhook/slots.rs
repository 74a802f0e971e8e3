//! How many deliveries are under way, and whose turn is next.
//!
//! A receiver that does not answer keeps a delivery under way until its time is up. So that others do not wait for that, one
//! that takes long leaves the slots to those that do not, and a receiver that gave no answer last gets few at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

/// How many of one receiver are begun at once.
pub const OF_EACH: usize = 4;
/// A receiver is asked again while no more than this are under way.
const OF_EACH_STILL: usize = 4;
/// How many are under way at once that have just begun.
const YOUNG_MAX: usize = 64;
/// From when on one takes long.
const LONG_AFTER: Duration = Duration::from_secs(1);
/// How many are under way at once that take long. What is more takes slots from those that have just begun.
const LONG_MAX: usize = 192;
/// So many receivers at most are known to be silent.
const SILENT_MAX: usize = 1_000;

/// The deliveries of one supervisor that are under way, by a number each.
#[derive(Clone, Debug, Default)]
pub struct DeliverySlots {
    under_way: BTreeMap<u64, DeliveryUnderWay>,
    /// The receivers whose last try got no answer, by the number of that try. Requests may name any number of receivers, so those
    /// that were silent longest ago are forgotten: they get as many as others until they are silent again.
    silent: BTreeMap<Uuid, u64>,
    next: u64,
}

#[derive(Clone, Copy, Debug)]
struct DeliveryUnderWay {
    receiver: Uuid,
    begun: Duration,
}

impl DeliverySlots {
    /// A delivery to this receiver begins at this moment, counted from any other; gives its number.
    pub fn begin(&mut self, receiver: Uuid, now: Duration) -> u64 {
        self.next += 1;
        self.under_way.insert(self.next, DeliveryUnderWay { receiver, begun: now });
        self.next
    }

    /// The delivery of this number is over, with an answer or without one.
    pub fn end(&mut self, number: u64, is_answered: bool) {
        let Some(over) = self.under_way.remove(&number) else { return };
        if is_answered {
            self.silent.remove(&over.receiver);
        } else {
            self.silent.insert(over.receiver, number);
            if self.silent.len() > SILENT_MAX {
                self.forget_one();
            }
        }
    }

    fn forget_one(&mut self) {
        let first = self.silent.iter().min_by_key(|(_, number)| **number);
        if let Some(receiver) = first.map(|(receiver, _)| *receiver) {
            self.silent.remove(&receiver);
        }
    }

    /// How many may begin now.
    pub fn free(&self, now: Duration) -> usize {
        let long = self.under_way.values().filter(|one| now.saturating_sub(one.begun) >= LONG_AFTER).count();
        let young = self.under_way.len() - long;
        YOUNG_MAX.saturating_sub(young + long.saturating_sub(LONG_MAX))
    }

    /// The receivers that are to get no more for now.
    pub fn busy(&self) -> Vec<Uuid> {
        let mut counts: BTreeMap<Uuid, usize> = BTreeMap::new();
        for one in self.under_way.values() {
            *counts.entry(one.receiver).or_default() += 1;
        }
        let is_busy =
            |receiver: &Uuid, count: usize| count > OF_EACH_STILL || self.silent.contains_key(receiver);
        counts.into_iter().filter(|(receiver, count)| is_busy(receiver, *count)).map(|(id, _)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);
    const LATER: Duration = Duration::from_millis(101_000);

    fn receiver(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn a_receiver_has_eight_at_most_and_others_their_own() {
        let mut slots = DeliverySlots::default();
        for _ in 0..OF_EACH {
            slots.begin(receiver(1), NOW);
        }
        assert!(slots.busy().is_empty(), "four more may begin, which makes eight");
        slots.begin(receiver(1), NOW);
        assert_eq!(slots.busy(), [receiver(1)]);
        assert_eq!(slots.free(NOW), 59);
    }

    #[test]
    fn those_that_take_long_leave_their_slots_to_others() {
        let mut slots = DeliverySlots::default();
        for number in 0..64 {
            slots.begin(receiver(number / 8), NOW);
        }
        assert_eq!((slots.free(NOW), slots.free(LATER)), (0, 64));
        // So many at most: then what begins waits for what takes long.
        for number in 64..200 {
            slots.begin(receiver(number / 8), NOW);
        }
        assert_eq!(slots.free(LATER), 64 - 8);
    }

    #[test]
    fn a_receiver_that_gave_no_answer_gets_no_more_while_one_is_under_way() {
        let mut slots = DeliverySlots::default();
        let (first, second) = (slots.begin(receiver(1), NOW), slots.begin(receiver(1), NOW));
        slots.end(first, false);
        assert_eq!(slots.busy(), [receiver(1)]);
        slots.end(second, true);
        slots.begin(receiver(1), NOW);
        assert!(slots.busy().is_empty(), "it answers again");
        slots.end(second, false);
        assert!(slots.busy().is_empty(), "what is over is over once");
    }

    #[test]
    fn of_receivers_without_end_the_latest_silent_ones_are_known() {
        let mut slots = DeliverySlots::default();
        let silent = |slots: &mut DeliverySlots, number| {
            let begun = slots.begin(receiver(number), NOW);
            slots.end(begun, false);
        };
        silent(&mut slots, 1);
        for number in 2..3_000 {
            silent(&mut slots, number);
            if number % 500 == 0 {
                silent(&mut slots, 1);
            }
        }
        assert_eq!(slots.silent.len(), SILENT_MAX);
        for number in [1, 2, 2_999] {
            slots.begin(receiver(number), NOW);
        }
        assert_eq!(slots.busy(), [receiver(1), receiver(2_999)]);
    }
}
