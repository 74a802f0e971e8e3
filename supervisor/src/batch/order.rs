//! Gives things back in their order, whatever order they come in.

use std::collections::BTreeMap;

/// Holds what came too early.
#[derive(Debug)]
pub struct InOrder<T> {
    next: usize,
    early: BTreeMap<usize, T>,
}

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self { next: 0, early: BTreeMap::new() }
    }
}

impl<T> InOrder<T> {
    /// Takes the thing of place `index`, from 0. A place is filled once.
    pub fn put(&mut self, index: usize, thing: T) {
        debug_assert!(
            index >= self.next && !self.early.contains_key(&index),
            "place {index} is filled twice"
        );
        self.early.insert(index, thing);
    }

    /// The next thing in order, if it is here.
    pub fn take(&mut self) -> Option<T> {
        let thing = self.early.remove(&self.next)?;
        self.next += 1;
        Some(thing)
    }

    /// How many things came too early.
    pub fn held(&self) -> usize {
        self.early.len()
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
            order.put(*place, *place);
            while let Some(thing) = order.take() {
                out.push(thing);
            }
            let first_missing = (0..).find(|place| !places[..=count].contains(place)).unwrap();
            assert_eq!(out.len(), first_missing, "seed {seed}");
        }
        assert_eq!(out, (0..200).collect::<Vec<_>>(), "seed {seed}");
        assert_eq!(order.held(), 0);
    }
}
