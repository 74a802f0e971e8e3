//! Gives things back in their order, whatever order they come in.

use std::collections::BTreeMap;

/// Holds back what came before its turn.
#[derive(Debug)]
pub struct InOrder<T> {
    next: usize,
    early: BTreeMap<usize, (T, usize)>,
    early_bytes: usize,
}

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self { next: 0, early: BTreeMap::new(), early_bytes: 0 }
    }
}

impl<T> InOrder<T> {
    /// Takes the thing of place `index`, from 0, and of so many bytes. A place is filled once.
    pub fn put(&mut self, index: usize, thing: T, bytes: usize) {
        debug_assert!(
            index >= self.next && !self.early.contains_key(&index),
            "place {index} is filled twice"
        );
        self.early.insert(index, (thing, bytes));
        self.early_bytes += bytes;
    }

    /// The next thing in order, if it is here.
    pub fn take(&mut self) -> Option<T> {
        let (thing, bytes) = self.early.remove(&self.next)?;
        self.next += 1;
        self.early_bytes -= bytes;
        Some(thing)
    }

    /// How many things came too early.
    pub fn held(&self) -> usize {
        self.early.len()
    }

    /// How many bytes they have together.
    pub fn held_bytes(&self) -> usize {
        self.early_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::InOrder;

    #[test]
    fn any_order_comes_out_sorted_and_nothing_is_held_longer_than_it_must() {
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut places: Vec<usize> = (0..200).collect();
        random.shuffle(&mut places);
        let (mut order, mut out) = (InOrder::default(), Vec::new());
        for (count, place) in places.iter().enumerate() {
            order.put(*place, *place, 10);
            while let Some(thing) = order.take() {
                out.push(thing);
            }
            let first_missing = (0..).find(|place| !places[..=count].contains(place)).unwrap();
            assert_eq!(out.len(), first_missing, "seed {seed}");
            assert_eq!(
                (order.held(), order.held_bytes()),
                (count + 1 - out.len(), 10 * (count + 1 - out.len()))
            );
        }
        assert_eq!(out, (0..200).collect::<Vec<_>>(), "seed {seed}");
        assert_eq!((order.held(), order.held_bytes()), (0, 0));
    }
}
