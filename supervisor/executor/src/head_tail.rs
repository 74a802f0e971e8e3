//! The beginning and the end of something long, within bounds: what lies between is counted and dropped.

use std::collections::VecDeque;

/// Keeps the first items that fit, and of all that follow the last ones that fit.
#[derive(Debug)]
pub(super) struct HeadTailBuffer<T> {
    head: Vec<T>,
    head_left_bytes: usize,
    /// Once an item did not fit, all that follow belong to the end: the order stays.
    head_is_open: bool,
    /// Each with its size.
    tail: VecDeque<(usize, T)>,
    tail_bytes: usize,
    tail_max_bytes: usize,
    dropped: Omitted,
}

/// What lay between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Omitted {
    pub(super) items: u64,
    pub(super) bytes: u64,
}

/// What was kept, in order, and what was not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HeadAndTail<T> {
    pub(super) head: Vec<T>,
    pub(super) dropped: Omitted,
    pub(super) tail: Vec<T>,
}

impl<T> HeadTailBuffer<T> {
    /// Keeps so much of the beginning and so much of the end.
    pub(super) fn new(head_max_bytes: usize, tail_max_bytes: usize) -> Self {
        Self {
            head: Vec::new(),
            head_left_bytes: head_max_bytes,
            head_is_open: true,
            tail: VecDeque::new(),
            tail_bytes: 0,
            tail_max_bytes,
            dropped: Omitted::default(),
        }
    }

    /// Takes the next item. It is made only if it is kept: one that is larger than the whole end is counted, and
    /// costs nothing that is there.
    pub(super) fn push(&mut self, bytes: usize, make: impl FnOnce() -> T) {
        self.head_is_open &= bytes <= self.head_left_bytes;
        if self.head_is_open {
            self.head_left_bytes -= bytes;
            self.head.push(make());
            return;
        }
        if bytes > self.tail_max_bytes {
            self.drop(bytes);
            return;
        }
        self.tail.push_back((bytes, make()));
        self.tail_bytes += bytes;
        while self.tail_bytes > self.tail_max_bytes {
            let Some((oldest_bytes, _)) = self.tail.pop_front() else { return };
            self.tail_bytes -= oldest_bytes;
            self.drop(oldest_bytes);
        }
    }

    /// What is kept, the newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &T> {
        self.tail.iter().rev().map(|(_, item)| item).chain(self.head.iter().rev())
    }

    /// All of it.
    pub(super) fn into_kept(self) -> HeadAndTail<T> {
        let tail = self.tail.into_iter().map(|(_, item)| item).collect();
        HeadAndTail { head: self.head, dropped: self.dropped, tail }
    }

    fn drop(&mut self, bytes: usize) {
        self.dropped.items += 1;
        self.dropped.bytes += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ends of 10 and 5 bytes that took items of these sizes, each numbered from 1 on.
    fn after(sizes: &[usize]) -> HeadAndTail<usize> {
        let mut ends = HeadTailBuffer::new(10, 5);
        for (number, bytes) in (1..).zip(sizes) {
            ends.push(*bytes, || number);
        }
        ends.into_kept()
    }

    fn kept(head: &[usize], dropped: (u64, u64), tail: &[usize]) -> HeadAndTail<usize> {
        let (items, bytes) = dropped;
        HeadAndTail { head: head.to_vec(), dropped: Omitted { items, bytes }, tail: tail.to_vec() }
    }

    #[test]
    fn what_fits_is_whole() {
        assert_eq!(after(&[]), kept(&[], (0, 0), &[]));
        assert_eq!(after(&[4, 6]), kept(&[1, 2], (0, 0), &[]));
        assert_eq!(after(&[4, 6, 2, 3]), kept(&[1, 2], (0, 0), &[3, 4]));
    }

    #[test]
    fn what_lies_between_is_counted() {
        assert_eq!(after(&[10, 2, 3, 1]), kept(&[1], (1, 2), &[3, 4]));
        assert_eq!(after(&[10, 1, 1, 1, 1, 1, 5]), kept(&[1], (5, 5), &[7]));
    }

    #[test]
    fn nothing_joins_the_beginning_after_a_gap() {
        assert_eq!(after(&[9, 2, 1]), kept(&[1], (0, 0), &[2, 3]));
        assert_eq!(after(&[9, 7, 1]), kept(&[1], (1, 7), &[3]));
    }

    #[test]
    fn an_item_larger_than_the_end_is_not_made_and_costs_no_other() {
        let mut ends = HeadTailBuffer::new(0, 5);
        ends.push(4, || 1);
        ends.push(6, || panic!("made in vain"));
        ends.push(1, || 3);
        assert_eq!(ends.into_kept(), kept(&[], (1, 6), &[1, 3]));
    }
}
