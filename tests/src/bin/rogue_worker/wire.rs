//! The two streams: messages in through a thread that always reads, messages and worse out.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use muster_protocol::codec::Decoded;
use muster_protocol::wire::{Incoming, Spelling, WireDecoder};
use muster_protocol::{ToSupervisor, ToWorker};

pub(crate) struct Wire {
    out: File,
    spelling: Spelling,
    inbox: Receiver<ToWorker>,
}

impl Wire {
    pub(crate) fn open(spelling: Spelling) -> io::Result<Self> {
        let out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let (sender, inbox) = channel();
        std::thread::spawn(move || read(input, spelling, |message| sender.send(message).is_ok()));
        Ok(Self { out, spelling, inbox })
    }

    /// The next message, or `None` when the supervisor is gone.
    pub(crate) fn receive(&self) -> Option<ToWorker> {
        self.inbox.recv().ok()
    }

    /// The next message before the deadline.
    pub(crate) fn receive_until(&self, deadline: Instant) -> Result<ToWorker, RecvTimeoutError> {
        self.inbox.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    }

    pub(crate) fn bytes(&self, messages: &[ToSupervisor]) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for message in messages {
            self.spelling.append(message, &mut bytes).map_err(io::Error::other)?;
        }
        Ok(bytes)
    }

    pub(crate) fn send(&mut self, message: &ToSupervisor) -> io::Result<()> {
        let bytes = self.bytes(std::slice::from_ref(message))?;
        self.write(&bytes)
    }

    /// One write of exactly these bytes, whatever they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// Says and hears nothing, until the supervisor is gone.
    pub(crate) fn wait_for_the_end(&self) {
        while self.receive().is_some() {}
    }

    /// Hears nothing at all, not even the end.
    pub(crate) fn wait_for_ever(&self) -> ! {
        loop {
            std::thread::sleep(Duration::from_secs(3600));
        }
    }
}

/// Reads messages until the stream ends, breaks, or nobody takes them any more.
fn read(mut input: File, spelling: Spelling, mut take: impl FnMut(ToWorker) -> bool) {
    let mut decoder = WireDecoder::decided(spelling);
    let (mut pending, mut chunk) = (BytesMut::new(), vec![0; 64 * 1024]);
    while let Ok(got @ 1..) = input.read(&mut chunk) {
        pending.extend_from_slice(&chunk[..got]);
        while let Ok(Some(incoming)) = decoder.next(&mut pending) {
            if let Incoming::Message(Decoded::Message(message)) = incoming
                && !take(message)
            {
                return;
            }
        }
    }
}
