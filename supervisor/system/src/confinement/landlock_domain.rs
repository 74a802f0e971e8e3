//! The Landlock domain of a worker: processes outside of it are out of its reach.
//!
//! A process in a domain traces, reads the memory, environment and descriptors of, and (from ABI 6 on) signals only
//! what is in the same domain or below it. Each worker has one of its own; what it starts is in it too. A strict one
//! bounds files and connections besides. The rules are laid down by the supervisor; the worker's process enters.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::PathBuf;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};
use rustix::fs::FileType;
use rustix::io::Errno;

/// From this version on, a domain may be entered without files being moved between folders any less.
pub(super) const DOMAIN_ABI: i32 = 2;
/// From this version on, signals and abstract sockets stay in the domain.
pub(super) const SCOPE_ABI: i32 = 6;

/// Why no domain can be entered.
#[derive(Debug, thiserror::Error)]
pub(super) enum DomainError {
    /// What the kernel said.
    #[error(transparent)]
    Ruleset(#[from] RulesetError),
    /// The kernel made none.
    #[error("the kernel made no set of rules")]
    Missing,
    /// The root of the file system cannot be named.
    #[error(transparent)]
    Path(#[from] landlock::PathFdError),
    /// What a setting names is not there.
    #[error("{path} cannot be allowed: {source}")]
    Allow {
        /// Which.
        path: String,
        /// What the system said.
        source: landlock::PathFdError,
    },
}

/// What a strict domain lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AllowLists<'a> {
    /// To read and execute.
    pub(super) readable: &'a [PathBuf],
    /// To do anything with.
    pub(super) writable: &'a [PathBuf],
    /// TCP ports to connect to.
    pub(super) ports: &'a [u16],
}

/// The version of Landlock that the kernel offers; 0 where there is none.
#[expect(unsafe_code, reason = "no crate tells the version before a domain is entered")]
pub(super) fn kernel_abi() -> i32 {
    const VERSION: u32 = 1;
    let nothing = std::ptr::null::<libc::c_void>();
    // SAFETY: asked for its version, the call takes no attributes, makes no descriptor and changes nothing.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0_usize, VERSION) };
    i32::try_from(version).unwrap_or(0).max(0)
}

/// Puts the calling process into a domain with these rules. Each that enters has one of its own.
#[expect(
    unsafe_code,
    reason = "the crate enters with rules that it holds itself, and reports with memory it allocates"
)]
pub(super) fn enter(rules: &OwnedFd) -> Result<(), Errno> {
    // SAFETY: the call takes a descriptor, and no memory.
    let entered = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0_u32) };
    if entered == 0 { Ok(()) } else { Err(last_errno()) }
}

fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

/// The rules of a domain that bounds no files.
pub(super) fn scoped(abi: i32) -> Result<OwnedFd, DomainError> {
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let created = if abi >= SCOPE_ABI {
        ruleset.scope(Scope::AbstractUnixSocket | Scope::Signal)?.create()?
    } else {
        // A domain must handle something, so it handles what needs a capability that a worker has not, and allows it
        // everywhere; moving files between folders is refused to whoever does not ask for it.
        let harmless: BitFlags<AccessFs> = AccessFs::MakeBlock | AccessFs::Refer;
        let everywhere = PathBeneath::new(PathFd::new("/")?, harmless);
        ruleset.handle_access(harmless)?.create()?.add_rule(everywhere)?
    };
    Option::from(created).ok_or(DomainError::Missing)
}

/// The rules of a domain in which only what is listed can be opened or connected to. They take [`SCOPE_ABI`].
pub(super) fn strict(lists: AllowLists<'_>) -> Result<RulesetCreated, DomainError> {
    let created = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        // The rights that the kernel of `SCOPE_ABI` knows.
        .handle_access(AccessFs::from_all(ABI::V6))?
        .handle_access(AccessNet::ConnectTcp)?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?
        .create()?;
    let read: BitFlags<AccessFs> = AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir;
    let mut created = allow(created, lists.readable, read)?;
    created = allow_all(created, lists.writable)?;
    for port in lists.ports {
        created = created.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    Ok(created)
}

/// Lets anything be done with these, besides.
pub(super) fn allow_all(rules: RulesetCreated, paths: &[PathBuf]) -> Result<RulesetCreated, DomainError> {
    allow(rules, paths, AccessFs::from_all(ABI::V6))
}

/// The rules as a process takes them to [`enter`].
pub(super) fn finished(rules: RulesetCreated) -> Result<OwnedFd, DomainError> {
    Option::from(rules).ok_or(DomainError::Missing)
}

fn allow(
    mut rules: RulesetCreated,
    paths: &[PathBuf],
    rights: BitFlags<AccessFs>,
) -> Result<RulesetCreated, DomainError> {
    for path in paths {
        let named = |source| DomainError::Allow { path: path.display().to_string(), source };
        let opened = PathFd::new(path).map_err(named)?;
        let is_folder = rustix::fs::fstat(opened.as_fd())
            .is_ok_and(|seen| FileType::from_raw_mode(seen.st_mode) == FileType::Directory);
        // What is for folders cannot be allowed for a file.
        let rights = if is_folder { rights } else { rights & AccessFs::from_file(ABI::V6) };
        rules = rules.add_rule(PathBeneath::new(opened, rights))?;
    }
    Ok(rules)
}

/// The name of a version, for messages.
pub(super) fn version_name(abi: i32) -> String {
    if abi > 0 {
        format!("Landlock ABI {abi}")
    } else {
        "no Landlock, or a filter of system calls hides it".to_owned()
    }
}
