//! The calls of this crate that the compiler cannot check, each with the reason why it holds.
//!
//! Nothing else in this crate is unsafe.
#![expect(unsafe_code, reason = "the calls below have no safe spelling; each says why it is sound")]

use rquickjs::{ArrayBuffer, Ctx, Module};

/// CPU time in user mode and in the kernel, in microseconds, and the largest resident set in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ResourceUsage {
    pub(crate) cpu_user_us: u64,
    pub(crate) cpu_system_us: u64,
    pub(crate) peak_rss_bytes: u64,
}

/// Removes variables from the environment.
///
/// Must be called before the process has a second thread.
pub(crate) fn remove_environment(names: &[&str]) {
    for name in names {
        // SAFETY: the callers are the first statements of `main`, when there is one thread, so nobody reads
        // the environment meanwhile.
        unsafe { std::env::remove_var(name) };
    }
}

/// What this process has used so far.
pub(crate) fn resource_usage() -> ResourceUsage {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to writable memory of the right type for the length of the call, and all zeros
    // is a valid value should the call fail.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let micros = |time: libc::timeval| {
        u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
    };
    ResourceUsage {
        cpu_user_us: micros(usage.ru_utime),
        cpu_system_us: micros(usage.ru_stime),
        peak_rss_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    }
}

/// Loads a module from bytecode that this very process compiled with the same engine.
pub(crate) fn load_own_bytecode<'js>(ctx: &Ctx<'js>, bytecode: &[u8]) -> rquickjs::Result<Module<'js>> {
    // SAFETY: QuickJS trusts bytecode blindly. The callers pass only what `Module::write` gave them in this
    // process; nothing from a file or the wire ever gets here.
    unsafe { Module::load(ctx.clone(), bytecode) }
}

/// The bytes of a buffer, or `None` if it is detached.
pub(crate) fn copy_buffer(buffer: &ArrayBuffer<'_>) -> Option<Vec<u8>> {
    // SAFETY: the bytes are copied before this returns, and no JavaScript runs meanwhile that could detach or
    // change the buffer.
    unsafe { buffer.as_bytes() }.map(<[u8]>::to_vec)
}

/// Lets SIGTERM pass unnoticed, or end the process again.
pub(crate) fn ignore_termination(ignore: bool) {
    let handler = if ignore { libc::SIG_IGN } else { libc::SIG_DFL };
    // SAFETY: both are dispositions of the kernel's own, so no code of ours runs in a signal handler.
    unsafe { libc::signal(libc::SIGTERM, handler) };
}
