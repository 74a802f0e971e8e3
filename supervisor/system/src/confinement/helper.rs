//! The exec helper: puts up the walls of a plan around itself and becomes the program.
//!
//! It runs in the supervisor's executable, before anything else in it, with one thread and nothing opened.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::time::Duration;

use super::landlock_domain::{self, AllowLists, DOMAIN_ABI, SCOPE_ABI};
use super::plan::{ConfinementLevel, ConfinementPlan};
use super::{privileges, system_calls};

/// The executable of whoever asks: a file that was replaced meanwhile is still the one that runs.
pub const HELPER_PROGRAM: &str = "/proc/self/exe";
/// The first argument of the helper; the plan, the program and its arguments come after it.
pub const HELPER_WORD: &str = "confine";

/// What a shell says of a program it cannot execute.
const EXIT_CANNOT_EXECUTE: u8 = 126;
/// A freshly written executable may still be open for writing in another thread's fork.
const TEXT_BUSY_RETRIES: u32 = 50;
const TEXT_BUSY_WAIT: Duration = Duration::from_millis(2);

/// A wall that cannot be put up, or a program that cannot be executed.
#[derive(Debug, thiserror::Error)]
enum HelperError {
    #[error(
        "`supervisor confine` is started by the supervisor only: it takes a plan, a program and its arguments"
    )]
    Usage,
    #[error(transparent)]
    Plan(#[from] super::PlanError),
    #[error(
        "confinement = strict, and {wall} cannot be had: {reason}; use confinement = scoped, or a newer kernel"
    )]
    Wall { wall: &'static str, reason: String },
    #[error("cannot become user {uid}: {source}; worker_user needs a supervisor that is started as root")]
    User { uid: u32, source: io::Error },
    #[error("cannot execute {program}: {source}; check worker_command")]
    Execute { program: String, source: io::Error },
}

/// When the arguments of this process ask for the helper, it becomes the program and never returns; if it cannot, it
/// gives the exit code to leave with. `None` when something else was asked for. Call it first of all in `main`.
pub fn run_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() != Some(OsStr::new(HELPER_WORD)) {
        return None;
    }
    let Err(error) = confine(arguments);
    // The supervisor shows what a worker that does not start wrote last.
    let _ = writeln!(io::stderr().lock(), "{error}");
    Some(ExitCode::from(EXIT_CANNOT_EXECUTE))
}

fn confine(mut arguments: impl Iterator<Item = OsString>) -> Result<Infallible, HelperError> {
    let (Some(plan), Some(program)) = (arguments.next(), arguments.next()) else {
        return Err(HelperError::Usage);
    };
    let plan = ConfinementPlan::parse(&plan)?;
    put_up_walls(&plan)?;
    execute(program, arguments)
}

/// The order matters: what needs a right comes before that right is given up.
fn put_up_walls(plan: &ConfinementPlan) -> Result<(), HelperError> {
    let strict = plan.level >= ConfinementLevel::Strict;
    let stands = |wall: &'static str, result: Result<(), String>| match result {
        Err(reason) if strict => Err(HelperError::Wall { wall, reason }),
        // The supervisor says at its start which walls this kernel cannot have.
        Ok(()) | Err(_) => Ok(()),
    };
    let said = |result: io::Result<()>| result.map_err(|error| error.to_string());
    if let Some(score) = plan.oom_score {
        // Not a wall of the worker's: it is for everybody else's good.
        let _ = privileges::set_oom_score(score);
    }
    if strict {
        // Elsewhere what a workflow makes may be meant for others.
        privileges::make_files_private();
    }
    stands("no core dumps", said(privileges::leave_no_core()))?;
    stands("no new privileges", said(privileges::refuse_new_privileges()))?;
    stands("the limits of worker_limits", said(privileges::bound(plan.limits)))?;
    stands("the loss of capabilities", said(privileges::clear_bounding_set()))?;
    if let Some(user) = &plan.user {
        let failed = |source| HelperError::User { uid: user.uid, source };
        privileges::become_user(user).map_err(failed)?;
    }
    stands("the loss of capabilities", said(privileges::drop_capabilities()))?;
    stands("a Landlock domain", enter_domain(plan, strict))?;
    if strict {
        let refused = system_calls::refuse_system_calls().map_err(|error| error.to_string());
        stands("a filter of system calls", refused)?;
    }
    Ok(())
}

fn enter_domain(plan: &ConfinementPlan, strict: bool) -> Result<(), String> {
    let abi = landlock_domain::kernel_abi();
    if abi < if strict { SCOPE_ABI } else { DOMAIN_ABI } {
        return Err(format!("the kernel offers {}", landlock_domain::version_name(abi)));
    }
    let ConfinementPlan { readable, writable, ports, .. } = plan;
    let entered = if strict {
        landlock_domain::enter_strict(AllowLists { readable, writable, ports })
    } else {
        landlock_domain::enter(abi)
    };
    entered.map_err(|error| error.to_string())
}

fn execute(program: OsString, arguments: impl Iterator<Item = OsString>) -> Result<Infallible, HelperError> {
    let mut command = Command::new(&program);
    command.args(arguments);
    let mut tries = 0;
    loop {
        let source = command.exec();
        if source.kind() != ErrorKind::ExecutableFileBusy || tries >= TEXT_BUSY_RETRIES {
            return Err(HelperError::Execute { program: program.display().to_string(), source });
        }
        tries += 1;
        std::thread::sleep(TEXT_BUSY_WAIT);
    }
}
