//! What tells the processes of one worker from all others: a variable in the environment it is started with, which
//! whatever it starts inherits.
//!
//! A process that clears its environment, or writes over it, loses the mark; then only its parents, its group and
//! its session tell whose it is, as long as they live.

use std::ffi::OsStr;
use std::io::Read as _;

use uuid::Uuid;

/// The variable.
pub(super) const MARK_ENV: &str = "MUSTER_WORKER_ID";
/// So much of an environment is looked at.
const ENVIRONMENT_MAX_BYTES: u64 = 256 * 1024;

/// The mark of one worker process. No other has the same, of whatever supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WorkerMark {
    id: String,
}

impl WorkerMark {
    /// A mark nobody has.
    pub(super) fn new() -> Self {
        Self { id: Uuid::new_v4().simple().to_string() }
    }

    /// One that an earlier process noted down.
    pub(super) fn noted(id: &str) -> Self {
        Self { id: id.to_owned() }
    }

    /// The value of the variable.
    pub(super) fn value(&self) -> &OsStr {
        OsStr::new(&self.id)
    }

    /// As it is noted down.
    pub(super) fn as_str(&self) -> &str {
        &self.id
    }

    /// True when a process shows no environment at all: it is about to execute a program, or was given none.
    pub(super) fn is_hidden(pid: u32) -> bool {
        let mut byte = [0];
        let file = std::fs::File::open(format!("/proc/{pid}/environ"));
        file.and_then(|mut file| file.read(&mut byte)).is_ok_and(|read| read == 0)
    }

    /// The mark a process was started with. One whose environment we may not read was not started by us.
    pub(super) fn read(pid: u32) -> Option<Self> {
        let mut environment = Vec::new();
        let file = std::fs::File::open(format!("/proc/{pid}/environ")).ok()?;
        file.take(ENVIRONMENT_MAX_BYTES).read_to_end(&mut environment).ok()?;
        Self::find(&environment)
    }

    /// True when a process was started with it.
    pub(super) fn is_on(&self, pid: u32) -> bool {
        Self::read(pid).is_some_and(|mark| mark == *self)
    }

    fn find(environment: &[u8]) -> Option<Self> {
        let mut variables = environment.split(|byte| *byte == 0);
        let id = variables.find_map(|it| it.strip_prefix(MARK_ENV.as_bytes())?.strip_prefix(b"="))?;
        std::str::from_utf8(id).ok().map(Self::noted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_variable_counts() {
        let found = WorkerMark::find(b"PATH=/bin\0MUSTER_WORKER_ID=abc\0HOME=/\0");
        assert_eq!(found, Some(WorkerMark::noted("abc")));
        assert_ne!(WorkerMark::find(b"MUSTER_WORKER_ID=abcd\0"), found);
        for other in ["XMUSTER_WORKER_ID=abc\0", "A=MUSTER_WORKER_ID=abc\0", "MUSTER_WORKER_IDS=abc", ""] {
            assert_eq!(WorkerMark::find(other.as_bytes()), None, "{other:?}");
        }
    }
}
