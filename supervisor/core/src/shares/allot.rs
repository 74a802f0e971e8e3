//! How many executions of each organization may start.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use uuid::Uuid;

/// A start is taken to cost this much worker time at least: what is not known yet is not free.
const RUN_MIN_SECONDS: f64 = 0.001;
/// A weight is never less, or its executions would never start.
const WEIGHT_MIN: f64 = 0.001;

/// An organization with executions that may start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Which organization; `None` is all that have none together.
    pub organization_id: Option<Uuid>,
    /// Its part beside the weights of the others; 1 is usual.
    pub weight: f64,
    /// The worker time it had in the last minute, in seconds: the fleet's, of runs that ended and of those that go on.
    pub used_seconds: f64,
    /// How long one of its runs is expected to take, in seconds.
    pub run_seconds: f64,
}

/// Gives each of so many starts to the one that has had the least worker time for its weight, counting what was given
/// before it as used. The answer has the starts of each share, in the order of the shares.
pub fn allot(shares: &[Share], starts: usize) -> Vec<usize> {
    let mut allotted = vec![0; shares.len()];
    let mut order: BinaryHeap<ShareTurn> =
        shares.iter().enumerate().map(|(place, share)| ShareTurn { place, had: had(share, 0) }).collect();
    for _ in 0..starts {
        let Some(mut next) = order.peek_mut() else { break };
        let place = next.place;
        allotted[place] += 1;
        next.had = had(&shares[place], allotted[place]);
    }
    allotted
}

/// The worker time for its weight that a share has had, with this many more starts.
fn had(share: &Share, starts: usize) -> f64 {
    let given = starts as f64 * share.run_seconds.max(RUN_MIN_SECONDS);
    (share.used_seconds + given) / share.weight.max(WEIGHT_MIN)
}

/// A place in the order: the greatest of these is next.
#[derive(Debug, PartialEq)]
struct ShareTurn {
    place: usize,
    had: f64,
}

impl Eq for ShareTurn {}

impl PartialOrd for ShareTurn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ShareTurn {
    fn cmp(&self, other: &Self) -> Ordering {
        other.had.total_cmp(&self.had).then(other.place.cmp(&self.place))
    }
}
