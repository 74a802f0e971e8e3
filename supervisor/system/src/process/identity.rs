//! Which process this is among all that ever ran, so that another on the same host can tell whether it lives.

use rustix::io::Errno;
use rustix::process::Pid;

use super::orphaned_workers::boot_id;

/// Names one process for ever: a number that is used again has another start, and a host that was booted again
/// another id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessIdentity {
    /// The boot of the host and the namespace in which the number counts.
    pub host: String,
    /// The process id, which the system may use again.
    pub process_id: u32,
    /// When it started, in clock ticks since the boot.
    pub started: u64,
}

/// What the system says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessLiveness {
    /// It cannot be seen from here.
    Unknown,
    /// The process that was named lives.
    Lives,
    /// The process that was named has ended.
    Gone,
}

impl ProcessIdentity {
    /// This process. `None` where the system does not tell, or tells of another namespace.
    pub fn own() -> Option<Self> {
        let process_id = std::process::id();
        // A /proc that was mounted for another namespace counts in other numbers.
        let own = std::fs::read_link("/proc/self").ok()?;
        if own.to_str()?.parse() != Ok(process_id) {
            return None;
        }
        let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
        let boot = boot_id();
        let (_, started) = stat(process_id).filter(|_| !boot.is_empty())?;
        Some(Self { host: format!("{boot} {}", namespace.display()), process_id, started })
    }

    /// Whether another process lives, as far as this one can see.
    pub fn whereabouts_of(&self, other: &Self) -> ProcessLiveness {
        if other.host != self.host {
            return ProcessLiveness::Unknown;
        }
        match stat(other.process_id) {
            Some((_, started)) if started != other.started => ProcessLiveness::Gone,
            Some(('Z' | 'X', _)) => ProcessLiveness::Gone,
            Some(_) => ProcessLiveness::Lives,
            // Others' processes may be hidden in /proc, and then only the system itself knows.
            None => match i32::try_from(other.process_id).ok().and_then(Pid::from_raw) {
                Some(pid) if rustix::process::test_kill_process(pid) == Err(Errno::SRCH) => {
                    ProcessLiveness::Gone
                }
                Some(_) | None => ProcessLiveness::Unknown,
            },
        }
    }
}

/// The state of a process and when it started: fields 3 and 22 of its stat line.
fn stat(process_id: u32) -> Option<(char, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{process_id}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything, so count from its end.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test needs a process that ends")]
    fn the_system_tells_of_processes_on_this_host_and_of_no_others() {
        let own = ProcessIdentity::own().unwrap();
        assert_eq!(own.whereabouts_of(&own), ProcessLiveness::Lives);
        let recycled = ProcessIdentity { started: own.started + 1, ..own.clone() };
        assert_eq!(own.whereabouts_of(&recycled), ProcessLiveness::Gone, "its number was used again");
        let elsewhere = ProcessIdentity { host: "another boot".to_owned(), ..recycled };
        assert_eq!(own.whereabouts_of(&elsewhere), ProcessLiveness::Unknown);

        let mut child =
            std::process::Command::new("sleep").arg("60").stdin(std::process::Stdio::null()).spawn().unwrap();
        let (_, started) = stat(child.id()).unwrap();
        let other = ProcessIdentity { process_id: child.id(), started, ..own.clone() };
        assert_eq!(own.whereabouts_of(&other), ProcessLiveness::Lives);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(own.whereabouts_of(&other), ProcessLiveness::Gone);
    }
}
