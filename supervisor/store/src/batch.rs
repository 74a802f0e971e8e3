//! Several rows in one statement, and still every row for itself: a value the database refuses must not
//! take its peers along.

use super::error::{Result, StoreError};

/// Items on their way into the database, as few groups as possible. When the database refuses a value, its
/// group is halved until the offender stands alone. Answers come in the order of the items.
///
/// This only keeps the books; the caller does the writing:
///
/// ```ignore
/// while let Some(group) = groups.next_group() {
///     if let Some((offender, error)) = groups.written(group, write(group).await)? {
///         groups.answer(answer_for(offender, error));
///     }
/// }
/// ```
pub(crate) struct InsertGroups<'a, T, A> {
    /// The next group is the last.
    waiting: Vec<&'a [T]>,
    answers: Vec<A>,
}

impl<'a, T, A> InsertGroups<'a, T, A> {
    /// All items, at first in one group.
    pub(crate) fn of(items: &'a [T]) -> Self {
        let waiting = if items.is_empty() { Vec::new() } else { vec![items] };
        Self { waiting, answers: Vec::with_capacity(items.len()) }
    }

    /// The group to write next.
    pub(crate) fn next_group(&mut self) -> Option<&'a [T]> {
        self.waiting.pop()
    }

    /// Takes what writing a group gave. An offender that stands alone comes back and wants an answer.
    ///
    /// # Errors
    /// Any error but a refused value. Groups before it may be written already.
    pub(crate) fn written(
        &mut self,
        group: &'a [T],
        written: Result<Vec<A>>,
    ) -> Result<Option<(&'a T, StoreError)>> {
        match (written, group) {
            (Ok(answers), _) => self.answers.extend(answers),
            (Err(error @ StoreError::Refused { .. }), [offender]) => return Ok(Some((offender, error))),
            (Err(StoreError::Refused { .. }), [_, ..]) => {
                let (left, right) = group.split_at(group.len() / 2);
                self.waiting.extend([right, left]);
            }
            (Err(error), _) => return Err(error),
        }
        Ok(None)
    }

    /// The answer for the offender.
    pub(crate) fn answer(&mut self, answer: A) {
        self.answers.push(answer);
    }

    /// One answer for each item.
    pub(crate) fn into_answers(self) -> Vec<A> {
        self.answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_16_a_refused_value_fails_alone_and_answers_keep_their_order() {
        let write = |group: &[i32]| {
            if group.iter().any(|item| item % 40 == 7) {
                let message = "invalid value".to_owned();
                return Err(StoreError::Refused { backend: "test", sqlstate: "22P05".to_owned(), message });
            }
            Ok(group.to_vec())
        };
        let items: Vec<i32> = (0..100).collect();
        let mut groups = InsertGroups::of(&items);
        let mut writes = 0;
        while let Some(group) = groups.next_group() {
            writes += 1;
            if let Some((offender, _)) = groups.written(group, write(group)).unwrap() {
                groups.answer(-offender);
            }
        }
        let expected: Vec<i32> = items.iter().map(|i| if i % 40 == 7 { -i } else { *i }).collect();
        assert_eq!(groups.into_answers(), expected);
        assert!(writes < 45, "{writes} writes for three offenders in a hundred");
    }
}
