//! Where the lines of the log go: standard error, whose reader may be gone, out of room, or standing still.
//!
//! Nothing depends on the log. What cannot be written is dropped, and a full pipe is waited for only as long as nobody misses it: a
//! terminal that was stopped by Ctrl-S or a collector that hangs must not stop executions. A line is dropped whole or, where its
//! reader stops within it, ended where it was.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// So long a full pipe is waited for: whoever reads it may be slow for a moment.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
const NO_PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
/// Where it was waited for in vain it is not waited for again until so much later.
const IMPATIENT_FOR: Duration = Duration::from_secs(10);
/// A pipe that can be written to takes so much at least (`PIPE_BUF`).
const ROOM_BYTES: usize = 4096;

static STDERR: Mutex<LogOutput> = Mutex::new(LogOutput::new());

/// Writes lines of the log of this process.
pub(super) struct LogWriter;

impl io::Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        stderr().line(&io::stderr(), line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many lines were dropped since this was last asked because their reader stood still; none while it still does.
pub(crate) fn take_dropped_lines() -> u64 {
    stderr().take_dropped(&io::stderr())
}

fn stderr() -> MutexGuard<'static, LogOutput> {
    STDERR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known of whoever reads.
#[derive(Debug)]
struct LogOutput {
    /// The last line went out in part.
    is_cut: bool,
    dropped: u64,
    impatient_until: Option<Instant>,
}

impl LogOutput {
    const fn new() -> Self {
        Self { is_cut: false, dropped: 0, impatient_until: None }
    }

    fn line(&mut self, output: &impl AsFd, line: &[u8]) {
        let end_of_cut: &[u8] = if self.is_cut { b"\n" } else { b"" };
        let parts = std::iter::once(end_of_cut).chain(line.chunks(ROOM_BYTES));
        for (number, part) in parts.filter(|part| !part.is_empty()).enumerate() {
            if !self.takes(output) {
                self.is_cut |= number > 0;
                self.dropped += 1;
                return;
            }
            if write_all(output, part).is_err() {
                return;
            }
        }
        self.is_cut = false;
    }

    /// Whether a part can be written without waiting for its reader, perhaps after a moment.
    fn takes(&mut self, output: &impl AsFd) -> bool {
        let is_impatient = self.impatient_until.is_some_and(|until| Instant::now() < until);
        let patience = if is_impatient { NO_PATIENCE } else { PATIENCE };
        let takes = is_writable(output, patience);
        if !takes && !is_impatient {
            self.impatient_until = Some(Instant::now() + IMPATIENT_FOR);
        }
        takes
    }

    fn take_dropped(&mut self, output: &impl AsFd) -> u64 {
        let can_be_told = self.dropped > 0 && is_writable(output, NO_PATIENCE);
        if can_be_told { std::mem::take(&mut self.dropped) } else { 0 }
    }
}

fn is_writable(output: &impl AsFd, patience: Timespec) -> bool {
    match poll(&mut [PollFd::new(output, PollFlags::OUT)], Some(&patience)) {
        Ok(ready) => ready > 0,
        // What cannot be asked is written to.
        Err(error) => error != Errno::INTR,
    }
}

fn write_all(output: &impl AsFd, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(output, bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// Whether the output has dropped as many lines as were given to it, and what its reader then finds.
    fn given(output: &mut LogOutput, pipe: &io::PipeWriter, lines: usize) {
        for number in 0..lines {
            output.line(pipe, format!("{number:0100}\n").as_bytes());
        }
    }

    #[test]
    fn a_reader_that_stands_still_costs_lines_and_no_time() {
        let (mut reader, pipe) = io::pipe().unwrap();
        let mut output = LogOutput::new();
        let begun = Instant::now();
        given(&mut output, &pipe, 10_000);
        // It was waited for once, and then not again.
        assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
        assert_eq!(output.take_dropped(&pipe), 0, "nobody would read how many");
        let mut read = vec![0; 1024 * 1024];
        let filled = reader.read(&mut read).unwrap();
        let dropped = output.take_dropped(&pipe);
        output.line(&pipe, b"again\n");
        assert_eq!(filled + 101 * usize::try_from(dropped).unwrap(), 10_000 * 101);
        let more = reader.read(&mut read).unwrap();
        assert_eq!(&read[..more], b"again\n");
        assert_eq!(output.take_dropped(&pipe), 0);
    }

    #[test]
    fn a_line_that_was_cut_is_ended() {
        let (mut reader, pipe) = io::pipe().unwrap();
        let mut output = LogOutput::new();
        let long = [vec![b'x'; 200 * 1024], vec![b'\n']].concat();
        output.line(&pipe, &long);
        let mut read = vec![0; 1024 * 1024];
        let filled = reader.read(&mut read).unwrap();
        assert!(filled > 0 && read[..filled].iter().all(|byte| *byte == b'x'));
        output.line(&pipe, b"whole\n");
        let more = reader.read(&mut read).unwrap();
        assert_eq!((&read[..more], output.take_dropped(&pipe)), (&b"\nwhole\n"[..], 1));
    }

    #[test]
    fn a_reader_that_is_gone_costs_nothing() {
        let (reader, pipe) = io::pipe().unwrap();
        drop(reader);
        let mut output = LogOutput::new();
        given(&mut output, &pipe, 3);
        assert_eq!(output.take_dropped(&pipe), 0);
    }
}
