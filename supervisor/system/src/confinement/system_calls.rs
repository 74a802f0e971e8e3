//! The system calls that a strictly confined worker cannot make: those that reach into other processes, the kernel
//! or the machine, and the ways around its other walls.
//!
//! A list of what is refused, not of what is allowed: any program in any language runs in it, and what no list names
//! is the business of the other walls. What a program asks for in vain says "not permitted", as it would without the
//! rights for it; `clone3`, whose flags a filter cannot see, says that it is not there, so that `clone` is used.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use rustix::io::Errno;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter, sock_filter,
};

/// Refused whatever the arguments.
const REFUSED: &[i64] = &[
    // Into other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    // Memory, semaphores and queues that outlive who made them, known by small numbers and kept apart by user only.
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    // Into the kernel.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_syslog,
    // The tree of files.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    // The machine.
    libc::SYS_setns,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_vhangup,
];

/// Only there on this architecture.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[i64] =
    &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_uselib, libc::SYS_lookup_dcookie];
/// Only there on this architecture.
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[i64] = &[];

/// From here on is a second set of numbers of the same calls, for programs with short pointers, which few kernels have.
#[cfg(target_arch = "x86_64")]
const SHORT_POINTERS: u32 = 0x4000_0000;
/// There is no such set.
#[cfg(not(target_arch = "x86_64"))]
const SHORT_POINTERS: u32 = u32::MAX;

/// Sockets beside those of the internet and the kernel's own tables. `AF_UNIX` is not among them: through a socket in
/// the file system a worker would reach what no list of ports bounds.
const FAMILIES: [i32; 3] = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
/// Other protocols connect as TCP does, and no list of ports bounds them: 262 is MPTCP.
const PROTOCOLS: [i32; 5] =
    [0, libc::IPPROTO_ICMP, libc::IPPROTO_TCP, libc::IPPROTO_UDP, libc::IPPROTO_ICMPV6];

/// The filters, which are the same for all and made once; or why there are none.
pub(super) fn filters() -> Result<&'static [BpfProgram], String> {
    static FILTERS: OnceLock<Result<Vec<BpfProgram>, String>> = OnceLock::new();
    let made = FILTERS.get_or_init(|| {
        let refused = refused().map_err(|error| error.to_string())?;
        Ok(vec![absent(), refused])
    });
    made.as_ref().map(Vec::as_slice).map_err(Clone::clone)
}

/// Puts a filter in force, for whatever is executed next too. It allocates nothing.
pub(super) fn apply(filter: &BpfProgram) -> Result<(), Errno> {
    apply_filter(filter).map_err(|error| match error {
        seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error) => {
            Errno::from_io_error(&error).unwrap_or(Errno::INVAL)
        }
        seccompiler::Error::Backend(_)
        | seccompiler::Error::EmptyFilter
        | seccompiler::Error::ThreadSync(_) => Errno::INVAL,
    })
}

/// What says that it is not there. The crate knows no ranges, and each number that it is given makes every start longer.
fn absent() -> BpfProgram {
    const LOAD_NUMBER: u16 = 0x20;
    const IS_EQUAL: u16 = 0x15;
    const IS_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    let is_not_there = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    vec![
        step(LOAD_NUMBER, 0, 0, 0),
        step(IS_EQUAL, 2, 0, u32::try_from(libc::SYS_clone3).unwrap_or(u32::MAX)),
        step(IS_AT_LEAST, 1, 0, SHORT_POINTERS),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
        step(RETURN, 0, 0, is_not_there),
    ]
}

/// What says that it is not permitted.
fn refused() -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.iter().chain(REFUSED_HERE).map(|&number| (number, Vec::new())).collect();
    let new_user = libc::CLONE_NEWUSER as u64;
    rules.insert(libc::SYS_unshare, vec![has_flag(0, new_user)?]);
    rules.insert(libc::SYS_clone, vec![has_flag(0, new_user)?]);
    rules.insert(libc::SYS_socket, socket_rules()?);
    // A connection that is opened by sending is opened past every list of ports.
    let fast_open = libc::MSG_FASTOPEN as u64;
    for (number, flags) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
        rules.insert(number, vec![has_flag(flags, fast_open)?]);
    }
    rules.extend(of_others()?);
    compile(rules, libc::EPERM)
}

/// What other processes may use, and when they run: the same user needs no further right to change it, and a limit of CPU
/// time kills. What a program changes for itself it asks for with the number 0.
fn of_others() -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let mut rules = BTreeMap::new();
    for number in [
        libc::SYS_prlimit64,
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setattr,
    ] {
        rules.insert(number, vec![is_other(0, 0)?]);
    }
    // One process, not a group or a user.
    for (number, process) in [(libc::SYS_setpriority, 0), (libc::SYS_ioprio_set, 1)] {
        rules.insert(number, vec![is_other(0, process)?, is_other(1, 0)?]);
    }
    Ok(rules)
}

fn is_other(argument: u8, value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![word(argument, SeccompCmpOp::Ne, value)?])
}

fn socket_rules() -> Result<Vec<SeccompRule>, BackendError> {
    let is_not = |argument, values: &[i32]| {
        let conditions: Result<Vec<_>, _> =
            values.iter().map(|&value| word(argument, SeccompCmpOp::Ne, value as u64)).collect();
        conditions
    };
    let mut rules = vec![SeccompRule::new(is_not(0, &FAMILIES)?)?];
    for family in [libc::AF_INET, libc::AF_INET6] {
        let mut conditions = vec![word(0, SeccompCmpOp::Eq, family as u64)?];
        conditions.extend(is_not(2, &PROTOCOLS)?);
        rules.push(SeccompRule::new(conditions)?);
    }
    Ok(rules)
}

fn has_flag(argument: u8, flag: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![word(argument, SeccompCmpOp::MaskedEq(flag), flag)?])
}

/// The kernel looks at the lower half of these arguments only, and so must the filter.
fn word(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}

fn compile(rules: BTreeMap<i64, Vec<SeccompRule>>, errno: i32) -> Result<BpfProgram, BackendError> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    let answer = SeccompAction::Errno(errno.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, answer, architecture)?.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_can_be_made() {
        assert!(absent().len() < refused().unwrap().len());
        // Each step costs every start of a strict worker a microsecond.
        assert!(refused().unwrap().len() < 500);
    }
}
