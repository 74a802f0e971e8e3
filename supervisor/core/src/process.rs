//! How a process ended, in plain words: the system's side reports it, the pool judges by it.
//!
//! It is here and not beside the processes themselves, because a decision must not link what starts and reaps them.

use std::time::Duration;

/// What a process used in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessUsage {
    /// CPU time, with that of children it waited for.
    pub cpu: Option<Duration>,
    /// The most memory that it, or what it started, is known to have held, in bytes.
    pub memory_peak_bytes: Option<u64>,
}

/// How a process ended, as the system reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// The process exited with this code.
    Code(i32),
    /// A signal of this number ended the process.
    Signal(i32),
    /// The system could not say how the process ended.
    Unknown,
}

impl std::fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => match signal_name(*signal) {
                Some(name) => write!(f, "signal {signal} ({name})"),
                None => write!(f, "signal {signal}"),
            },
            Self::Unknown => f.write_str("an unknown exit status"),
        }
    }
}

impl ExitStatus {
    /// What `abort` leaves: a runtime gave up.
    const ABORTED: Self = Self::Signal(6);

    /// The line with which its runtime gave up for want of memory, if that is how it ended. The lines are its last ones
    /// on stderr: a runtime that aborts for this has no other way to say so.
    pub fn memory_ran_out(self, last_lines: &[String]) -> Option<&str> {
        let told = last_lines.iter().find(|line| tells_of_refused_memory(line));
        told.filter(|_| self == Self::ABORTED).map(String::as_str)
    }
}

/// True for the line that a runtime writes when the memory it needs is refused, before it aborts.
pub fn tells_of_refused_memory(line: &str) -> bool {
    let is_of_v8 = line.contains("JavaScript heap out of memory");
    let is_of_rust = line.contains("memory allocation of ") && line.contains(" bytes failed");
    let is_of_cpp = line.contains("terminate called") && line.contains("std::bad_alloc");
    is_of_v8 || is_of_rust || is_of_cpp
}

/// The signals that end processes, by their Linux numbers.
fn signal_name(signal: i32) -> Option<&'static str> {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    };
    Some(name)
}
