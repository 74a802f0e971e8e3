//! Messages of every kind.

use std::time::Duration;

use fastrand::Rng;
use muster_core::pool::PoolTime;
use uuid::Uuid;

use crate::simulator::{ms, pick};

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It says everything.
    Whole,
    /// It says everything, and the database will not store it.
    Refused,
    /// It says what to run and not with which parameters: a record may.
    NoParameters,
    /// It says nothing but its id, and there is a row.
    MinimalWithRow,
    /// It says nothing but its id, and there is a pending record.
    MinimalWithRecord,
    /// The same, and the record comes later than the message.
    MinimalLate,
    /// The same, and the record never comes.
    MinimalNever,
    /// It is no request at all.
    Nonsense,
    /// It names its execution, and can never be run.
    BadField,
}

const KINDS: [Kind; 12] = [
    Kind::Whole,
    Kind::Whole,
    Kind::Whole,
    Kind::Whole,
    Kind::Refused,
    Kind::NoParameters,
    Kind::MinimalWithRow,
    Kind::MinimalWithRecord,
    Kind::MinimalLate,
    Kind::MinimalNever,
    Kind::Nonsense,
    Kind::BadField,
];

/// A published message and what became of it.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) id: Uuid,
    pub(crate) body: Vec<u8>,
    /// The dead-letter exchange will not take it, and breaks the connection of whoever tries.
    pub(crate) is_poison: bool,
    pub(crate) deliveries: u32,
    /// The broker has confirmed it as a dead letter, and the consumer knows.
    pub(crate) is_letter: bool,
    /// The broker has forgotten it.
    pub(crate) is_gone: bool,
}

impl Message {
    /// Draws one. `earlier` is an execution that a message was published for before.
    pub(crate) fn draw(rng: &mut Rng, number: usize, earlier: Option<Uuid>) -> Self {
        let kind = pick(rng, &KINDS);
        let new = Uuid::from_u128(number as u128 + 1);
        let is_twin = matches!(kind, Kind::Whole | Kind::Refused) && rng.u8(..) < 60;
        let id = earlier.filter(|_| is_twin).unwrap_or(new);
        let body = match kind {
            Kind::Whole => format!(r#"{{"execution_id":"{id}","workflow":"w","parameters":{{"n":1}}}}"#),
            Kind::Refused => format!(r#"{{"execution_id":"{id}","workflow":"w","parameters":"refuse"}}"#),
            Kind::NoParameters => format!(r#"{{"execution_id":"{id}","workflow":"w"}}"#),
            Kind::MinimalWithRow | Kind::MinimalWithRecord | Kind::MinimalLate | Kind::MinimalNever => {
                format!(r#"{{"execution_id":"{id}"}}"#)
            }
            Kind::Nonsense => "nonsense".to_owned(),
            Kind::BadField => format!(r#"{{"execution_id":"{id}","workflow":"w","priority":77}}"#),
        };
        let is_poison = matches!(kind, Kind::Nonsense | Kind::BadField) && rng.u8(..) < 20;
        let body = body.into_bytes();
        Self { kind, id, body, is_poison, deliveries: 0, is_letter: false, is_gone: false }
    }

    /// The execution it names.
    pub(crate) fn named(&self) -> Option<Uuid> {
        Some(self.id).filter(|_| self.kind != Kind::Nonsense)
    }

    /// When its pending record comes, if one does.
    pub(crate) fn record_at(&self, rng: &mut Rng, now: PoolTime) -> Option<PoolTime> {
        match self.kind {
            Kind::MinimalWithRecord => Some(now),
            Kind::NoParameters => Some(now).filter(|_| rng.bool()),
            Kind::MinimalLate => Some(now + Duration::from_millis(1) + ms(rng, 0, 4_500)),
            Kind::Whole
            | Kind::Refused
            | Kind::MinimalWithRow
            | Kind::MinimalNever
            | Kind::Nonsense
            | Kind::BadField => None,
        }
    }
}
