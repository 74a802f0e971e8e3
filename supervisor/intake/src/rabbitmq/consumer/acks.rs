//! Which deliveries of a channel are still open, and the fewest acknowledgements that close some of them.

use std::collections::BTreeSet;

/// The open deliveries of one channel, by their tags.
#[derive(Debug, Default)]
pub(super) struct Acks {
    open: BTreeSet<u64>,
}

/// One acknowledgement of one or more deliveries of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The tag of the delivery that is acknowledged.
    pub tag: u64,
    /// Whether all open deliveries with smaller tags are acknowledged with it.
    pub multiple: bool,
}

impl Acks {
    /// A delivery came.
    pub(super) fn delivered(&mut self, tag: u64) {
        self.open.insert(tag);
    }

    /// How many are open.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Closes deliveries: as many as possible by one acknowledgement, and never one that stays open.
    pub(super) fn settle(&mut self, tags: impl IntoIterator<Item = u64>) -> Vec<Acknowledgement> {
        let mut done: Vec<u64> = tags.into_iter().filter(|tag| self.open.remove(tag)).collect();
        done.sort_unstable();
        let first_open = self.open.first().copied().unwrap_or(u64::MAX);
        let (before, after) = done.split_at(done.partition_point(|tag| *tag < first_open));
        let together = before.last().map(|tag| Acknowledgement { tag: *tag, multiple: true });
        together
            .into_iter()
            .chain(after.iter().map(|tag| Acknowledgement { tag: *tag, multiple: false }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_finished_beginning_is_one_acknowledgement() {
        let mut acks = Acks::default();
        (1..=5).for_each(|tag| acks.delivered(tag));
        assert_eq!(acks.settle([2, 1]), [Acknowledgement { tag: 2, multiple: true }]);
        assert_eq!(acks.settle([4]), [Acknowledgement { tag: 4, multiple: false }]);
        assert_eq!(acks.settle([5, 3]), [Acknowledgement { tag: 5, multiple: true }]);
        assert_eq!(acks.settle([5]), []);
        assert_eq!(acks.open(), 0);
    }

    proptest! {
        #[test]
        fn the_broker_closes_exactly_what_was_settled(order in Just((1..60_u64).collect::<Vec<_>>()).prop_shuffle(),
                                                      cut in 1..9_usize) {
            let mut acks = Acks::default();
            let mut broker: BTreeSet<u64> = (1..60).collect();
            broker.iter().for_each(|tag| acks.delivered(*tag));
            let mut open = broker.clone();
            for batch in order.chunks(cut) {
                for ack in acks.settle(batch.iter().copied()) {
                    prop_assert!(broker.remove(&ack.tag), "an unknown tag closes the channel");
                    if ack.multiple {
                        broker.retain(|tag| *tag > ack.tag);
                    }
                }
                batch.iter().for_each(|tag| { open.remove(tag); });
                prop_assert_eq!(&broker, &open);
            }
        }
    }
}
