//! Telling other systems what executions came to: which answers of a receiver count as received, and when to try again.
//!
//! Pure: what is sent, and how, is elsewhere. The plan is that of the Standard Webhooks specification.

mod request;
mod slots;

use std::time::Duration;

pub use request::{OF_REQUESTS, RequestWebhook};
pub use slots::{DeliverySlots, OF_EACH};

/// How long after the try before the next one comes; there is none after the last.
const PAUSES: [Duration; 6] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(3_600),
    Duration::from_secs(6 * 3_600),
];

/// No receiver may ask for a longer pause.
const PAUSE_MAX: Duration = Duration::from_secs(24 * 3_600);

/// What a receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiverAnswer {
    /// A status, and for how long it asks to be left alone.
    Status {
        /// The number of the status.
        code: u16,
        /// What `Retry-After` says, if it is there and can be read.
        retry_after: Option<Duration>,
    },
    /// None: it is not there, it took too long, it may not be asked.
    None {
        /// Why, for people.
        reason: String,
    },
}

/// What becomes of a delivery after a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryDecision {
    /// It was received.
    Delivered,
    /// It is tried again after this pause.
    Retry(Duration),
    /// The receiver is gone, so it is asked nothing from now on.
    Gone,
    /// It was tried often enough.
    GivenUp,
}

/// What follows from the answer to the try of this number; the first is 1.
pub fn after_try(number: u32, answer: &ReceiverAnswer) -> DeliveryDecision {
    let asked = match answer {
        ReceiverAnswer::Status { code: 200..=299, .. } => return DeliveryDecision::Delivered,
        ReceiverAnswer::Status { code: 410, .. } => return DeliveryDecision::Gone,
        // Whoever is asked too often, or is down for a while, says for how long.
        ReceiverAnswer::Status { code: 429 | 503, retry_after } => retry_after.unwrap_or_default(),
        ReceiverAnswer::Status { .. } | ReceiverAnswer::None { .. } => Duration::ZERO,
    };
    let pause = usize::try_from(number).ok().and_then(|number| PAUSES.get(number.saturating_sub(1)));
    pause.map_or(DeliveryDecision::GivenUp, |pause| DeliveryDecision::Retry(asked.min(PAUSE_MAX).max(*pause)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16) -> ReceiverAnswer {
        ReceiverAnswer::Status { code, retry_after: None }
    }

    #[test]
    fn tries_come_after_the_pauses_of_the_plan_and_end() {
        let none = ReceiverAnswer::None { reason: "reset".into() };
        let pauses: Vec<DeliveryDecision> = (1..=8).map(|number| after_try(number, &none)).collect();
        let expected =
            [5, 30, 120, 600, 3_600, 21_600].map(|secs| DeliveryDecision::Retry(Duration::from_secs(secs)));
        assert_eq!(pauses[..6], expected);
        assert_eq!(pauses[6..], [DeliveryDecision::GivenUp; 2]);
    }

    #[test]
    fn only_a_two_hundred_is_received_and_only_a_410_is_gone() {
        for code in [200, 202, 204, 299] {
            assert_eq!(after_try(1, &status(code)), DeliveryDecision::Delivered);
        }
        assert_eq!(after_try(1, &status(410)), DeliveryDecision::Gone);
        for code in [100, 301, 302, 307, 400, 401, 404, 418, 429, 500, 503] {
            assert_eq!(
                after_try(1, &status(code)),
                DeliveryDecision::Retry(Duration::from_secs(5)),
                "{code}"
            );
        }
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_pause_and_not_for_a_shorter_one() {
        let asked = |code, secs| {
            let answer = ReceiverAnswer::Status { code, retry_after: Some(Duration::from_secs(secs)) };
            after_try(2, &answer)
        };
        let retry = |secs| DeliveryDecision::Retry(Duration::from_secs(secs));
        assert_eq!([asked(429, 90), asked(503, 90)], [retry(90), retry(90)]);
        assert_eq!(
            [asked(429, 1), asked(500, 90), asked(429, u64::MAX)],
            [retry(30), retry(30), retry(86_400)]
        );
    }
}
