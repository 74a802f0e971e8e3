//! Keeping a process and its children on chosen cores.

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};

/// Keeps the calling thread, and what it starts from now on, on these cores.
pub(crate) fn this_thread(cores: &[usize]) -> anyhow::Result<()> {
    process(None, cores)
}

/// Keeps a process on these cores.
pub(crate) fn process(pid: Option<Pid>, cores: &[usize]) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    Ok(sched_setaffinity(pid, &set)?)
}
