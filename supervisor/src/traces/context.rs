//! Which trace an execution belongs to, and what its spans are called in it.
//!
//! Nothing is kept for it: the ids follow from the execution's own, so every attempt is in the same trace whoever runs it,
//! and a trace that is sent twice is the same trace.

use muster_core::execution::Attempt;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The id of a span.
pub(crate) type SpanId = [u8; 8];

/// The trace that an execution belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceContext {
    /// The id of the trace.
    pub(crate) trace_id: [u8; 16],
    /// The span it was submitted in, if whoever submitted it said so.
    pub(crate) parent: Option<SpanId>,
    /// Whoever submitted it says whether it is recorded; `None` when nobody said.
    is_sampled: Option<bool>,
}

impl TraceContext {
    /// That of this `traceparent`; without one, or with one that is none, the execution's id is that of the trace.
    pub(crate) fn of(execution_id: Uuid, traceparent: Option<&str>) -> Self {
        let own = Self { trace_id: execution_id.into_bytes(), parent: None, is_sampled: None };
        traceparent.and_then(parse).unwrap_or(own)
    }

    /// Whether it is recorded, where this part of what nobody decided about is. All supervisors decide alike.
    pub(crate) fn is_recorded(&self, ratio: f64) -> bool {
        self.is_sampled.unwrap_or_else(|| {
            // The last four bytes are random also in ids that count within a millisecond.
            let random = self.trace_id[12..].iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
            f64::from(random) < ratio * (f64::from(u32::MAX) + 1.0)
        })
    }

    /// The `traceparent` of what goes on in this span.
    pub(crate) fn traceparent(&self, span: SpanId, ratio: f64) -> String {
        let flags = u8::from(self.is_recorded(ratio));
        format!("00-{}-{}-{flags:02x}", hex(&self.trace_id), hex(&span))
    }
}

/// What a worker is told: its run is a span of the execution's trace.
pub(crate) fn traceparent_of_run(attempt: Attempt, traceparent: Option<&str>, ratio: f64) -> String {
    let context = TraceContext::of(attempt.execution_id, traceparent);
    context.traceparent(span_id(attempt.execution_id, attempt.number, "run"), ratio)
}

/// The id of a part of an attempt; of the execution as a whole the attempt is 0.
pub(crate) fn span_id(execution_id: Uuid, attempt: u32, part: &str) -> SpanId {
    let hash = Sha256::new()
        .chain_update(execution_id.as_bytes())
        .chain_update(attempt.to_be_bytes())
        .chain_update(part)
        .finalize();
    let mut id = [0; 8];
    id.copy_from_slice(&hash[..8]);
    id
}

/// Reads a `traceparent` as W3C has it: later versions may have more behind what is known.
fn parse(text: &str) -> Option<TraceContext> {
    let mut parts = text.splitn(5, '-');
    let version = bytes::<1>(parts.next()?)?;
    let (trace_id, parent, flags) =
        (bytes::<16>(parts.next()?)?, bytes::<8>(parts.next()?)?, bytes::<1>(parts.next()?)?);
    let is_longer = parts.next().is_some();
    let is_valid =
        version != [0xff] && (version != [0] || !is_longer) && trace_id != [0; 16] && parent != [0; 8];
    is_valid.then_some(TraceContext { trace_id, parent: Some(parent), is_sampled: Some(flags[0] & 1 == 1) })
}

/// So many bytes, from digits in lower case.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N || digits.iter().any(|digit| !matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(0)? << 4 | digit(1)?;
    }
    Some(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn context(text: &str) -> TraceContext {
        TraceContext::of(Uuid::from_u128(7), Some(text))
    }

    #[test]
    fn what_was_given_goes_on_and_without_it_the_execution_is_the_trace() {
        let given = context(GIVEN);
        assert_eq!(hex(&given.trace_id), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(given.parent.map(|parent| hex(&parent)).unwrap(), "b7ad6b7169203331");
        let own = TraceContext::of(Uuid::from_u128(7), None);
        assert_eq!((own.trace_id, own.parent), (Uuid::from_u128(7).into_bytes(), None));
        let run = traceparent_of_run(Attempt::new(Uuid::from_u128(7), 2), Some(GIVEN), 0.0);
        let span = hex(&span_id(Uuid::from_u128(7), 2, "run"));
        assert_eq!(run, format!("00-0af7651916cd43dd8448eb211c80319c-{span}-01"));
    }

    #[test]
    fn what_is_no_traceparent_is_passed_over() {
        let own = TraceContext::of(Uuid::from_u128(7), None);
        for text in [
            "",
            "nonsense",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        ] {
            assert_eq!(context(text), own, "{text:?}");
        }
        let later = context("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more");
        assert_eq!(later, context(GIVEN), "a later version may say more");
    }

    #[test]
    fn whoever_submitted_it_decides_and_else_the_ratio_does() {
        assert!(context(GIVEN).is_recorded(0.0));
        assert!(!context(&GIVEN.replace("-01", "-00")).is_recorded(1.0));
        let is_recorded = |_: &u32| TraceContext::of(Uuid::now_v7(), None).is_recorded(0.25);
        let recorded = (0..10_000).filter(is_recorded).count();
        assert!((2_000..3_000).contains(&recorded), "{recorded} of 10,000");
        let own = TraceContext::of(Uuid::new_v4(), None);
        assert!(own.is_recorded(1.0) && !own.is_recorded(0.0));
    }
}
