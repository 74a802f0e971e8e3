//! Where the lines of the log go: standard error, whose reader may be gone, out of room, or standing still.
//!
//! Nothing depends on the log. What cannot be written is dropped, and a full pipe is waited for only as long as nobody misses it: a
//! terminal that was stopped by Ctrl-S or a collector that hangs must not stop executions. A line is dropped whole or, where its
//! reader stops within it, ended where it was.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;
use rustix::termios::isatty;

/// So long a full pipe is waited for, in all, in each [`PATIENCE_EVERY`]: whoever reads it may be slow for a moment.
const PATIENCE: Duration = Duration::from_millis(200);
/// How often there is new patience.
const PATIENCE_EVERY: Duration = Duration::from_secs(10);
/// What can be written to takes so much at least, if it is a pipe (`PIPE_BUF`).
const ROOM_BYTES: usize = 4096;

static STDERR: LazyLock<Mutex<LogOutput>> = LazyLock::new(|| Mutex::new(LogOutput::to_stderr()));

/// Writes lines of the log of this process.
pub(super) struct LogWriter;

impl io::Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        stderr().line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lines that were dropped because their reader stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DroppedLines {
    /// All of this process.
    pub(crate) total: u64,
    /// Those that nobody was told of, once somebody reads again.
    pub(crate) to_tell: u64,
}

/// What was dropped. What is to be told is told by whoever asks.
pub(crate) fn dropped_lines() -> DroppedLines {
    stderr().dropped()
}

fn stderr() -> MutexGuard<'static, LogOutput> {
    STDERR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where lines go, and what is known of whoever reads them.
#[derive(Debug)]
struct LogOutput {
    to: LogFile,
    /// The last line went out in part.
    is_cut: bool,
    dropped: u64,
    told: u64,
    /// For how long a reader is still waited for, and since when that counts.
    patience: (Duration, Instant),
}

#[derive(Debug)]
enum LogFile {
    /// The pipe or terminal, opened once more so that a write never waits: those who share it find it as it was.
    Anew(OwnedFd),
    /// A file, which does not keep anybody waiting, or what cannot be opened once more.
    Stderr,
}

impl LogOutput {
    fn to_stderr() -> Self {
        Self::new(opened_anew(io::stderr().as_fd()).map_or(LogFile::Stderr, LogFile::Anew))
    }

    fn new(to: LogFile) -> Self {
        Self { to, is_cut: false, dropped: 0, told: 0, patience: (PATIENCE, Instant::now()) }
    }

    fn line(&mut self, line: &[u8]) {
        let end_of_cut: &[u8] = if self.is_cut { b"\n" } else { b"" };
        for part in std::iter::once(end_of_cut).chain(line.chunks(ROOM_BYTES)) {
            if let Err(error) = self.part(part) {
                // What fails otherwise, as for want of a reader, is not worth a word.
                self.dropped += u64::from(error == Errno::AGAIN);
                return;
            }
        }
        self.is_cut = false;
    }

    /// Writes all of it. `EAGAIN`: its reader stands still.
    fn part(&mut self, mut part: &[u8]) -> rustix::io::Result<()> {
        while !part.is_empty() {
            match self.to.write(part) {
                Ok(written) => {
                    self.is_cut = true;
                    part = part.get(written..).unwrap_or_default();
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if self.wait_for_reader() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits for room, as long as there is patience. True if there is some.
    fn wait_for_reader(&mut self) -> bool {
        let begun = Instant::now();
        let (left, since) = self.patience;
        let (left, since) = if since + PATIENCE_EVERY <= begun { (PATIENCE, begun) } else { (left, since) };
        let has_room = !left.is_zero() && self.to.has_room(left);
        // A terminal may say that it has room and take nothing: that costs patience, too.
        let waited = begun.elapsed().max(Duration::from_micros(100));
        self.patience = (left.saturating_sub(waited), since);
        has_room
    }

    fn dropped(&mut self) -> DroppedLines {
        let untold = self.dropped - self.told;
        let to_tell = if untold > 0 && self.to.has_room(Duration::ZERO) { untold } else { 0 };
        self.told += to_tell;
        DroppedLines { total: self.dropped, to_tell }
    }
}

impl LogFile {
    /// Writes some of it, if there is room.
    fn write(&self, part: &[u8]) -> rustix::io::Result<usize> {
        match self {
            Self::Anew(file) => rustix::io::write(file, part),
            Self::Stderr if self.has_room(Duration::ZERO) => rustix::io::write(io::stderr(), part),
            Self::Stderr => Err(Errno::AGAIN),
        }
    }

    /// Whether there is room, or will be within this.
    fn has_room(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        let stderr = io::stderr();
        let file = match self {
            Self::Anew(file) => file.as_fd(),
            Self::Stderr => stderr.as_fd(),
        };
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).unwrap_or_default();
            match poll(&mut [PollFd::new(&file, PollFlags::OUT)], Some(&left)) {
                Ok(ready) => return ready > 0,
                Err(Errno::INTR) => {}
                // What cannot be asked is written to.
                Err(_) => return true,
            }
        }
    }
}

/// The same pipe or terminal, for writes that never wait. Of a file another place to write at would be opened, and what others
/// write would be lost.
fn opened_anew(file: BorrowedFd<'_>) -> Option<OwnedFd> {
    let kind = FileType::from_raw_mode(fstat(file).ok()?.st_mode);
    if kind != FileType::Fifo && !isatty(file) {
        return None;
    }
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    open(format!("/proc/self/fd/{}", file.as_raw_fd()), flags, Mode::empty()).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::*;

    fn log_to(file: &impl AsFd) -> LogOutput {
        LogOutput::new(LogFile::Anew(opened_anew(file.as_fd()).unwrap()))
    }

    /// So many lines of 101 bytes.
    fn given(output: &mut LogOutput, lines: usize) {
        for number in 0..lines {
            output.line(format!("{number:0100}\n").as_bytes());
        }
    }

    #[test]
    fn a_reader_that_stands_still_costs_lines_and_no_time() {
        let (mut reader, pipe) = io::pipe().unwrap();
        let mut output = log_to(&pipe);
        let begun = Instant::now();
        given(&mut output, 10_000);
        // It was waited for once, and then not again.
        assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
        let told = output.dropped();
        assert!(told.total > 0 && told.to_tell == 0, "nobody would read how many: {told:?}");
        let mut read = vec![0; 1024 * 1024];
        let filled = reader.read(&mut read).unwrap();
        let dropped = usize::try_from(output.dropped().to_tell).unwrap();
        assert_eq!(filled / 101 + dropped, 10_000, "what is not read is counted, the one that was cut, too");
        output.line(b"again\n");
        let more = reader.read(&mut read).unwrap();
        assert!(read[..more].ends_with(b"again\n"));
        assert_eq!(output.dropped(), DroppedLines { total: told.total, to_tell: 0 });
    }

    #[test]
    fn a_line_that_was_cut_is_ended() {
        let (mut reader, pipe) = io::pipe().unwrap();
        let mut output = log_to(&pipe);
        let long = [vec![b'x'; 200 * 1024], vec![b'\n']].concat();
        output.line(&long);
        let mut read = vec![0; 1024 * 1024];
        let filled = reader.read(&mut read).unwrap();
        assert!(filled > 0 && read[..filled].iter().all(|byte| *byte == b'x'));
        output.line(b"whole\n");
        let more = reader.read(&mut read).unwrap();
        assert_eq!((&read[..more], output.dropped().to_tell), (&b"\nwhole\n"[..], 1));
    }

    #[test]
    fn a_terminal_that_nobody_reads_costs_lines_and_no_time() {
        let reader = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&reader).unwrap();
        unlockpt(&reader).unwrap();
        let path = ptsname(&reader, Vec::new()).unwrap();
        let terminal = open(path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let mut output = log_to(&terminal);
        let begun = Instant::now();
        given(&mut output, 10_000);
        assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
        assert!(output.dropped > 0);
    }

    #[test]
    fn whoever_shares_the_pipe_finds_it_as_it_was() {
        let (_reader, pipe) = io::pipe().unwrap();
        given(&mut log_to(&pipe), 1);
        assert!(!rustix::fs::fcntl_getfl(&pipe).unwrap().contains(OFlags::NONBLOCK));
    }

    #[test]
    fn a_reader_that_is_gone_costs_nothing() {
        let (reader, pipe) = io::pipe().unwrap();
        let mut output = log_to(&pipe);
        drop(reader);
        given(&mut output, 3);
        assert_eq!(output.dropped().total, 0);
    }
}
