//! The one call that makes a process: it shares our memory until it executes its program, and the thread that asked
//! waits meanwhile, as with `vfork` and `posix_spawn`. So it costs the same however much memory the supervisor has.
//!
//! Unlike those, it begins with a function of ours. That may make system calls and read what was prepared for it; it
//! must not allocate, lock or panic, because other threads go on in the same memory.

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;

use rustix::process::Pid;

/// Far more than the function needs; only what is touched becomes memory.
const STACK_BYTES: usize = 256 * 1024;
/// What the architectures want a stack to be aligned to.
const STACK_ALIGNMENT: usize = 16;
/// Signals have numbers up to this one.
const SIGNAL_MAX: c_int = 64;
/// What a shell says of a program it cannot execute.
const EXIT_CANNOT_EXECUTE: c_int = 126;

/// What a new process does until it is another program.
pub(super) trait BeforeProgram {
    /// Executes a program, or returns when that failed. It runs in the new process, in our memory.
    fn become_program(&self);
}

/// The stack on which a new process begins. It serves one after another.
#[derive(Debug)]
pub(super) struct ChildStack(Vec<MaybeUninit<u8>>);

impl ChildStack {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(STACK_BYTES))
    }

    /// Where it begins, which is aligned, and how long it is, which is a multiple of that.
    fn span(&mut self) -> (*mut c_void, usize) {
        let begin = self.0.as_mut_ptr();
        let skipped = begin.align_offset(STACK_ALIGNMENT).min(STACK_ALIGNMENT);
        (begin.wrapping_add(skipped).cast(), STACK_BYTES - STACK_ALIGNMENT)
    }
}

/// Makes a process that does what it is told, and returns once it executes its program or has given up. Given a control
/// group, it is in that from its beginning on.
///
/// # Errors
/// What the system said.
pub(super) fn start<T: BeforeProgram>(
    stack: &mut ChildStack,
    child: &T,
    group: Option<BorrowedFd<'_>>,
) -> io::Result<Pid> {
    let (begin, length) = stack.span();
    // A signal that arrives before the program is there would be handled in our memory.
    let _held = HeldSignals::hold();
    let number = match group {
        Some(group) => into_group(begin, length, child, group)?,
        None => plain(begin, length, child)?,
    };
    Pid::from_raw(number).ok_or_else(|| io::Error::other("the new process has no number"))
}

#[expect(unsafe_code, reason = "std and rustix make no process that shares our memory and runs our function")]
fn plain<T: BeforeProgram>(stack: *mut c_void, length: usize, child: &T) -> io::Result<c_int> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let argument = std::ptr::from_ref(child).cast_mut().cast();
    // SAFETY: the stack is ours, long enough, and nobody else's until this returns, because CLONE_VFORK suspends this
    // thread until the child has executed its program or ended; so the child, too, which is only read, outlives its use.
    let number = unsafe { libc::clone(begin::<T>, stack.wrapping_byte_add(length), flags, argument) };
    if number < 0 { Err(io::Error::last_os_error()) } else { Ok(number) }
}

/// `clone3`, for which the C library has no function: a new stack needs an instruction that returns on two.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[expect(unsafe_code, reason = "no library has this system call with a stack for the child")]
fn into_group<T: BeforeProgram>(
    stack: *mut c_void,
    length: usize,
    child: &T,
    group: BorrowedFd<'_>,
) -> io::Result<c_int> {
    use std::os::fd::AsRawFd as _;
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    let wide = |number: c_int| u64::from(number.unsigned_abs());
    let mut arguments = CloneArguments {
        flags: wide(libc::CLONE_VM | libc::CLONE_VFORK) | CLONE_INTO_CGROUP,
        exit_signal: wide(libc::SIGCHLD),
        stack: stack.expose_provenance() as u64,
        stack_size: length as u64,
        cgroup: wide(group.as_raw_fd()),
        ..CloneArguments::default()
    };
    let size = size_of::<CloneArguments>();
    let argument = std::ptr::from_ref(child).cast_mut().cast::<c_void>();
    let entry: extern "C" fn(*mut c_void) -> c_int = begin::<T>;
    let returned: isize;
    // SAFETY: as in `plain`. The child comes back from the call on its own stack, with all other registers as they
    // were, calls the function, which never returns, and so never touches the frame of this one.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r8",
            "call r9",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 as isize => returned,
            in("rdi") &raw mut arguments,
            in("rsi") size,
            in("r8") argument,
            in("r9") entry,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x3",
            "blr x4",
            "brk #1",
            "2:",
            inlateout("x0") &raw mut arguments as isize => returned,
            in("x1") size,
            in("x3") argument,
            in("x4") entry,
            in("x8") libc::SYS_clone3,
            options(nostack),
        );
    }
    let number = c_int::try_from(returned).unwrap_or_default();
    if number < 0 { Err(io::Error::from_raw_os_error(-number)) } else { Ok(number) }
}

/// On other architectures a process joins its group by itself.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn into_group<T: BeforeProgram>(_: *mut c_void, _: usize, _: &T, _: BorrowedFd<'_>) -> io::Result<c_int> {
    Err(io::ErrorKind::Unsupported.into())
}

/// What `clone3` takes, in the version that knows of control groups.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[derive(Default)]
#[repr(C, align(8))]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// The first function of the new process.
#[expect(unsafe_code, reason = "the C library gives the argument as a pointer")]
extern "C" fn begin<T: BeforeProgram>(child: *mut c_void) -> c_int {
    // SAFETY: `start` passes a pointer to a value of this type, which lives until this process has gone its way.
    let child = unsafe { &*child.cast::<T>().cast_const() };
    child.become_program();
    // SAFETY: it ends this process and runs nothing of ours.
    unsafe { libc::_exit(EXIT_CANNOT_EXECUTE) }
}

/// All signals of this thread, held back until this is dropped.
struct HeldSignals(libc::sigset_t);

impl HeldSignals {
    #[expect(unsafe_code, reason = "std has no signal masks, and rustix's are not for general use")]
    fn hold() -> Self {
        let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: the calls fill in both sets before they are read.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            Self(before.assume_init())
        }
    }
}

impl Drop for HeldSignals {
    #[expect(unsafe_code, reason = "as above")]
    fn drop(&mut self) {
        // SAFETY: the set is one that the system gave.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}

/// What this process was started with is set right, where it would be deaf or blind: no signal is held back, and the system keeps the
/// ends of children for whoever waits for them, which it does not where SIGCHLD is ignored, here and in all that is started from
/// here. Call before anything else is started.
#[expect(unsafe_code, reason = "the C library's functions set what signals do")]
pub fn hear_signals() {
    // SAFETY: nothing of this process handles the signal yet, and the default needs no handler; the set is filled before it is read.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        let mut none = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
    }
}

/// In the new process: signals do what they do in a program that is just started, and none is held back any more.
#[expect(unsafe_code, reason = "the C library's own function keeps from us the signals that it uses itself")]
pub(super) fn reset_signals() {
    // What a signal does is an address first of all; zero is the default, one is to ignore it.
    let default = [0_usize; 8];
    let bytes = 8_usize;
    for signal in 1..=SIGNAL_MAX {
        let mut before = [0_usize; 8];
        // SAFETY: both are larger than what the kernel reads and writes.
        unsafe {
            let asked = libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                std::ptr::null::<usize>(),
                before.as_mut_ptr(),
                bytes,
            );
            // Rust ignores SIGPIPE, which no program expects; what was ignored before us stays so.
            let is_ours = before[0] > 1 || (before[0] == 1 && signal == libc::SIGPIPE);
            if asked == 0 && is_ours {
                let nothing = std::ptr::null_mut::<usize>();
                libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), nothing, bytes);
            }
        }
    }
    // SAFETY: an empty set is eight bytes of zeroes, for the kernel.
    unsafe {
        let nothing = std::ptr::null_mut::<usize>();
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, default.as_ptr(), nothing, bytes);
    }
}
