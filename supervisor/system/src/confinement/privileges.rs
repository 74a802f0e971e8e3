//! What a process may do beyond its user: nothing, once these have run. None of them allocates.

use rustix::fs::{CWD, Gid, Mode, OFlags, Uid, openat};
use rustix::io::{Errno, write};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};

use super::plan::ResourceLimits;

/// What a strictly confined worker makes is for its user alone, unless it says otherwise.
const WORKER_UMASK: Mode = Mode::RWXG.union(Mode::RWXO);

/// No program that this process executes has more rights than itself, whatever its file says.
pub(super) fn refuse_new_privileges() -> Result<(), Errno> {
    set_no_new_privs(true)
}

/// Forgets the capabilities that a program could get back, while there is the right to forget them.
pub(super) fn clear_bounding_set() -> Result<(), Errno> {
    let held = capabilities(None)?;
    if held.effective.contains(CapabilitySet::SETPCAP) {
        for capability in CapabilitySet::all().iter() {
            // One that this kernel does not know is not there to be dropped.
            let _ = remove_capability_from_bounding_set(capability);
        }
    }
    Ok(())
}

/// Becomes another user, for good. This process has one thread, so what is the thread's is the process's.
pub(super) fn become_user(uid: Uid, gid: Gid, groups: &[Gid]) -> Result<(), Errno> {
    set_thread_groups(groups)?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)
}

/// Bounds what this process may use.
pub(super) fn bound(limits: ResourceLimits) -> Result<(), Errno> {
    let megabytes = |count: Option<u64>| count.map(|count| count.saturating_mul(1024 * 1024));
    let ResourceLimits { processes, files, file_size_mb, address_space_mb } = limits;
    let bounds = [
        (Resource::Nproc, processes),
        (Resource::Nofile, files),
        (Resource::Fsize, megabytes(file_size_mb)),
        (Resource::As, megabytes(address_space_mb)),
    ];
    for (resource, wanted) in bounds {
        let Some(wanted) = wanted else { continue };
        // One that is lower already stays so.
        let most = getrlimit(resource).maximum.map_or(wanted, |most| most.min(wanted));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// Gives up every capability, for whatever is executed next too.
pub(super) fn drop_capabilities() -> Result<(), Errno> {
    // Older kernels have no ambient set.
    let _ = clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}

/// Leaves no core dump, which would hold what the process was given.
pub(super) fn leave_no_core() -> Result<(), Errno> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
}

/// Makes new files and folders the owner's alone.
pub(super) fn make_files_private() {
    umask(WORKER_UMASK);
}

/// Has the kernel end this process before others when memory runs out. An administrator's process sets the floor
/// with it; one of an ordinary user may lower the score again, down to what its parent had.
pub(super) fn set_oom_score(score: &str) -> Result<(), Errno> {
    let file = openat(CWD, c"/proc/self/oom_score_adj", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    write(file, score.as_bytes()).map(drop)
}
