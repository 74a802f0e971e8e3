//! What a worker says on its stdout: cut into frames, read, and given to whoever it concerns.

use std::sync::Arc;

use bytes::BytesMut;
use muster_core::pool::{ProtocolViolation, WorkerEvent};
use muster_protocol::codec::Decoded;
use muster_protocol::wire::{Piece, WholeMessage, WireError};
use muster_system::process::PIPE_BYTES;
use tokio::net::unix::pipe;

use super::super::news;
use super::{FramesEnd, READ_BYTES, TURN_UNITS, UNIT_BYTES, WorkerReader, read_now};

impl WorkerReader {
    pub(super) async fn took_stdout(&mut self, read: usize) {
        if read == 0 {
            if !self.input.is_empty() && self.frames_end.is_none() {
                let left = self.input.len();
                tracing::warn!(worker = %self.link.id, left, "worker's stdout ended inside a frame");
            }
            self.frames_end = Some(FramesEnd::Closed);
            return;
        }
        self.take_frames().await;
        if self.input.is_empty() && self.input.capacity() < READ_BYTES {
            // All of it was handed out: take a fresh buffer instead of creeping through reallocations.
            self.input = BytesMut::with_capacity(READ_BYTES);
        }
    }

    pub(super) async fn take_frames(&mut self) {
        while self.frames_end.is_none() {
            match self.decoder.cut(&mut self.input) {
                Ok(Some(Piece::Message(whole))) => {
                    let units = 1 + whole.size_bytes() / UNIT_BYTES;
                    self.take_message(whole).await;
                    self.take_turn(units).await;
                }
                Ok(Some(Piece::Preamble(text))) => {
                    tracing::info!(worker = %self.link.id, text, "worker printed before Hello");
                }
                Ok(None) => return,
                Err(error) => self.broke(&error),
            }
        }
        self.input.clear();
    }

    /// Lets the others have their turn when this worker has had its own.
    async fn take_turn(&mut self, units: usize) {
        self.turn_left = self.turn_left.saturating_sub(units);
        if self.turn_left == 0 {
            self.turn_left = TURN_UNITS;
            tokio::task::yield_now().await;
        }
    }

    /// Reads a message and does what it leads to. A large one is read on a thread for it, one after another; nothing
    /// else of this worker is taken meanwhile.
    async fn take_message(&mut self, whole: WholeMessage) {
        let secrets = self.link.secrets();
        let (whole, read) = if !news::takes_long(&whole) {
            let read = news::read(&whole, &secrets, &self.engine.descriptions);
            (whole, read)
        } else {
            // Nobody closes it, so the turn always comes.
            let _turn = self.engine.large.acquire().await;
            let descriptions = Arc::clone(&self.engine.descriptions);
            let reading = self.engine.background.spawn_blocking(move || {
                let read = news::read(&whole, &secrets, &descriptions);
                (whole, read)
            });
            // Only the end of the process breaks it off.
            let Ok(read) = reading.await else { return };
            read
        };
        match read {
            Ok(Decoded::Message(news)) => {
                if let Some(spelling) = self.decoder.spelling() {
                    self.link.set_spelling(spelling);
                }
                let more_follows = !self.input.is_empty();
                self.on_news(&whole, news, more_follows);
            }
            Ok(Decoded::Unknown { name }) => self.skip(&name),
            Err(error) => self.broke(&error),
        }
    }

    fn skip(&mut self, name: &str) {
        self.unknown_messages += 1;
        if self.unknown_messages == 1 {
            tracing::info!(worker = %self.link.id, name, "skipping a message of a later protocol version");
        }
    }

    fn broke(&mut self, error: &WireError) {
        if error.is_pollution() {
            let message =
                format!("{error}; stdout carries frames only: print to stderr, or let the SDK redirect it");
            self.report(ProtocolViolation::Polluted { message });
        } else {
            self.violated(error.to_string());
        }
    }

    pub(in super::super) fn violated(&mut self, message: String) {
        self.report(ProtocolViolation::Broken { message });
    }

    fn report(&mut self, violation: ProtocolViolation) {
        let shown = format!("{violation:?}");
        let shown = self.link.secrets().mask(&shown).into_owned();
        tracing::warn!(worker = %self.link.id, violation = shown, "worker broke the protocol");
        self.frames_end = Some(FramesEnd::Broken);
        self.engine.worker(self.link.id, WorkerEvent::Violation(violation));
    }

    /// Takes all that is in the stdout pipe. All that a dead process wrote is there, whoever else holds the pipe.
    pub(super) async fn drain_stdout(&mut self, stdout: &pipe::Receiver) {
        let mut taken = 0;
        while self.frames_end.is_none() && taken < PIPE_BYTES {
            let read = read_now(stdout, &mut self.scratch);
            if read == 0 {
                return;
            }
            taken += read;
            self.input.extend_from_slice(&self.scratch[..read]);
            self.take_frames().await;
        }
    }
}
