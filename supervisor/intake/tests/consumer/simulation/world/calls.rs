//! What the consumer wants of the store, the cache and the dead letters, and their answers: late, failed or unknown.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use muster_core::execution::Status;
use muster_intake::ClaimAnswer;
use muster_intake::rabbitmq::consumer::{
    ChannelNumber, ConsumerEvent, ConsumerInvariant, LetterReason, UnrecordedFailure,
};
use muster_protocol::error_type;
use muster_store::NewExecution;
use uuid::Uuid;

use super::{Call, Climate, Happening, World};
use crate::simulator::{ms, require};

/// What a simulation must have met to be worth something.
pub(super) const WORDS: [&str; 12] = [
    "claim taken",
    "claim elsewhere",
    "claim refused",
    "claim failed",
    "commit unknown",
    "twins in a claim",
    "kept as rows",
    "record found",
    "row found",
    "record never came",
    "letter confirmed",
    "letter not confirmed",
];

/// What is under way.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    pub(super) write: bool,
    /// The channel that the deliveries of the write came on.
    pub(super) write_channel: Option<ChannelNumber>,
    records: bool,
    rows: bool,
    letters: bool,
}

impl World {
    pub(super) fn claim(&mut self, executions: Vec<Arc<NewExecution>>) {
        self.slots.claim(executions.len());
        self.schedule(Duration::ZERO, Happening::SlotsMayBeFree);
        self.begin_write(&executions);
        self.call_store(Call::Claim(executions));
    }

    pub(super) fn keep_as_rows(&mut self, executions: Vec<Arc<NewExecution>>) {
        self.begin_write(&executions);
        self.meet("kept as rows");
        self.call_store(Call::Keep(executions));
    }

    fn begin_write(&mut self, executions: &[Arc<NewExecution>]) {
        let was_idle = !std::mem::replace(&mut self.calls.write, true);
        require(was_idle, ConsumerInvariant::OneWrite, || "a write begins beside another".into());
        self.calls.write_channel = self.shell.as_ref().map(|shell| shell.number);
        let ids: BTreeSet<Uuid> = executions.iter().map(|execution| execution.id).collect();
        let is_set = ids.len() == executions.len() && !ids.is_empty();
        require(is_set, ConsumerInvariant::ClaimFits, || "an execution twice, or none".into());
    }

    pub(super) fn read_records(&mut self, ids: Vec<Uuid>) {
        assert!(!std::mem::replace(&mut self.calls.records, true), "records are read twice at once");
        let after = if self.cache.is_away { Duration::from_secs(1) } else { ms(&mut self.rng, 0, 20) };
        self.schedule(after, Happening::Answer(Call::Records(ids)));
    }

    pub(super) fn read_rows(&mut self, ids: Vec<Uuid>) {
        assert!(!std::mem::replace(&mut self.calls.rows, true), "rows are read twice at once");
        self.call_store(Call::Rows(ids));
    }

    pub(super) fn record_failures(&mut self, failures: Vec<UnrecordedFailure>) {
        assert!(!std::mem::replace(&mut self.calls.letters, true), "two batches of dead letters at once");
        for failure in &failures {
            if failure.failure.error_type == error_type::PENDING_NOT_FOUND {
                self.meet("record never came");
                let denied = self.cache.denied(failure.execution_id);
                require(denied > Duration::from_secs(5), ConsumerInvariant::RecordPatience, || {
                    format!("{} is given up after {denied:?}", failure.execution_id)
                });
            }
        }
        self.call_store(Call::Failures(failures));
    }

    pub(super) fn publish_dead_letters(&mut self, letters: &[LetterReason]) {
        assert!(!std::mem::replace(&mut self.calls.letters, true), "two batches of dead letters at once");
        let numbers = self.numbers(letters);
        for number in &numbers {
            let named = self.messages[*number].named();
            let has_row = named.is_none_or(|id| self.store.rows.contains_key(&id));
            require(has_row, ConsumerInvariant::RowBeforeLetter, || format!("message {number} has no row"));
        }
        let after = if self.broker.is_blocked { Duration::from_secs(10) } else { ms(&mut self.rng, 0, 30) };
        self.schedule(after, Happening::Answer(Call::Letters(numbers)));
    }

    fn call_store(&mut self, call: Call) {
        let is_slow = self.climate == Climate::Rough && self.rng.u8(..) < 8;
        let after = if is_slow { ms(&mut self.rng, 0, 7_000) } else { ms(&mut self.rng, 0, 30) };
        if is_slow {
            self.store_trouble = self.now + after;
        }
        self.schedule(after, Happening::Answer(call));
    }

    pub(super) fn answer(&mut self, call: Call) {
        let fails = self.store.is_away || (self.climate == Climate::Rough && self.rng.u8(..) < 4);
        let away = || "the store is away".to_owned();
        if fails {
            self.store_trouble = self.store_trouble.max(self.now);
        }
        match call {
            Call::Claim(executions) => self.answer_claim(&executions, fails),
            Call::Keep(executions) => {
                (self.calls.write, self.written_at) = (false, self.now);
                let is_written = !fails || self.rng.bool();
                let answers = is_written.then(|| self.store.submit(&executions));
                let answers = answers.filter(|_| !fails).ok_or_else(away);
                self.step(ConsumerEvent::KeptAsRows(answers));
            }
            Call::Records(ids) => {
                self.calls.records = false;
                let records = self.cache.read(self.now, &ids);
                if records.iter().flatten().any(Option::is_some) {
                    self.meet("record found");
                }
                self.step(ConsumerEvent::RecordsRead(records));
            }
            Call::Rows(ids) => {
                self.calls.rows = false;
                let row = |id: &Uuid| if fails { Err(away()) } else { Ok(self.store.known(*id)) };
                let rows: Vec<_> = ids.iter().map(row).collect();
                if rows.iter().any(|row| matches!(row, Ok(Some(_)))) {
                    self.meet("row found");
                }
                self.step(ConsumerEvent::RowsRead(rows));
            }
            Call::Failures(failures) => {
                self.calls.letters = false;
                let results = failures.iter().map(|failure| {
                    if fails && self.rng.bool() {
                        return Err(away());
                    }
                    self.store.rows.entry(failure.execution_id).or_insert(Status::Failed);
                    Ok(())
                });
                let results = results.collect();
                self.step(ConsumerEvent::FailuresRecorded(results));
            }
            Call::Letters(numbers) => self.answer_letters(&numbers),
        }
    }

    fn answer_claim(&mut self, executions: &[Arc<NewExecution>], fails: bool) {
        (self.calls.write, self.written_at) = (false, self.now);
        let is_written = !fails || self.rng.bool();
        let answers = if is_written { self.store.claim(executions) } else { Vec::new() };
        // What was taken runs, whether or not the consumer hears of it.
        let taken = answers.iter().filter(|answer| **answer == ClaimAnswer::Taken).count();
        for _ in 0..taken {
            let is_long = self.rng.u8(..) < 10;
            let ends_in = ms(&mut self.rng, 1, if is_long { 20_000 } else { 400 });
            self.schedule(ends_in, Happening::RunEnds);
        }
        self.slots.give_back(executions.len() - taken);
        self.schedule(Duration::ZERO, Happening::SlotsMayBeFree);
        for answer in &answers {
            self.meet(match answer {
                ClaimAnswer::Taken => "claim taken",
                ClaimAnswer::Elsewhere(_) | ClaimAnswer::Existing(_) => "claim elsewhere",
                ClaimAnswer::Refused(_) | ClaimAnswer::KeyReused(_) => "claim refused",
            });
        }
        if self.has_twins(executions) {
            self.meet("twins in a claim");
        }
        if fails {
            self.meet(if is_written { "commit unknown" } else { "claim failed" });
            return self.step(ConsumerEvent::Claimed(Err("the store is away".to_owned())));
        }
        self.step(ConsumerEvent::Claimed(Ok(answers)));
    }

    /// Two open deliveries are about an execution that is claimed.
    fn has_twins(&self, executions: &[Arc<NewExecution>]) -> bool {
        let open = self.shell.iter().flat_map(|shell| shell.open.values());
        let ids: Vec<Uuid> = open.map(|(message, _)| self.messages[*message].id).collect();
        executions.iter().any(|execution| ids.iter().filter(|id| **id == execution.id).count() > 1)
    }

    fn answer_letters(&mut self, numbers: &[usize]) {
        self.calls.letters = false;
        // One that breaks the connection takes all others along.
        let all_fail =
            self.broker.is_blocked || numbers.iter().any(|number| self.messages[*number].is_poison);
        let mut results = Vec::with_capacity(numbers.len());
        for number in numbers {
            let is_nacked = self.climate == Climate::Rough && self.rng.u8(..) < 8;
            if all_fail || is_nacked {
                self.meet("letter not confirmed");
                results.push(Err("not confirmed".to_owned()));
            } else {
                self.meet("letter confirmed");
                self.messages[*number].is_letter = true;
                results.push(Ok(()));
            }
        }
        self.step(ConsumerEvent::DeadLettersPublished(results));
    }
}
