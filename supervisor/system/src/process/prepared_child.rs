//! All that a new process needs until it executes its program, laid out before it is made.

use std::cell::Cell;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::setpgid;
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::exec_arguments::ExecArguments;
use super::vfork::{BeforeProgram, reset_signals};
use crate::confinement::{PreparedWalls, WallFailure};

/// A process that is to be.
#[derive(Debug)]
pub(super) struct PreparedChild<'a> {
    pub(super) program: ExecArguments,
    /// Its stdin, stdout and stderr, where those are not ours.
    pub(super) streams: Option<[BorrowedFd<'a>; 3]>,
    /// What it inherits besides.
    pub(super) inherited: Option<BorrowedFd<'a>>,
    /// The list of a control group that it is to join, where it is not made in it.
    pub(super) joins: Option<OwnedFd>,
    pub(super) walls: Option<PreparedWalls>,
    /// What it could not do. It is written by the new process, which is in our memory, before this one goes on.
    pub(super) failure: Cell<Option<ChildFailure>>,
    /// It is in that control group.
    pub(super) has_joined: Cell<bool>,
}

/// What a new process could not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChildFailure {
    /// It has no group or no streams of its own.
    SetUp(Errno),
    /// It has not the walls that it must have.
    Walls(WallFailure),
    /// It is not the program.
    Execute(Errno),
}

impl PreparedChild<'_> {
    /// A program in a group of its own, and nothing else.
    #[cfg(test)]
    pub(super) fn bare(program: ExecArguments) -> Self {
        let (failure, has_joined) = (Cell::new(None), Cell::new(false));
        Self { program, streams: None, inherited: None, joins: None, walls: None, failure, has_joined }
    }

    /// The failure as an error, for whoever asked for the process.
    pub(super) fn error_of(&self, failure: ChildFailure) -> io::Error {
        match (failure, &self.walls) {
            (ChildFailure::Walls(failure), Some(walls)) => io::Error::other(walls.error_of(failure)),
            (ChildFailure::Walls(WallFailure::Wall(_, errno) | WallFailure::User(errno)), None)
            | (ChildFailure::SetUp(errno) | ChildFailure::Execute(errno), _) => errno.into(),
        }
    }

    fn set_up(&self) -> Result<(), Errno> {
        setpgid(None, None)?;
        if let Some(list) = &self.joins {
            // Without a group of its own it is found as well as a plain process can.
            self.has_joined.set(rustix::io::write(list, b"0").is_ok());
        }
        if let Some([stdin, stdout, stderr]) = self.streams {
            dup2_stdin(stdin)?;
            dup2_stdout(stdout)?;
            dup2_stderr(stderr)?;
        }
        match self.inherited {
            Some(descriptor) => fcntl_setfd(descriptor, FdFlags::empty()),
            None => Ok(()),
        }
    }
}

impl BeforeProgram for PreparedChild<'_> {
    fn become_program(&self) {
        reset_signals();
        let prepared = self.set_up().map_err(ChildFailure::SetUp);
        let prepared = prepared.and_then(|()| match &self.walls {
            Some(walls) => walls.put_up().map_err(ChildFailure::Walls),
            None => Ok(()),
        });
        let failure = match prepared {
            Ok(()) => ChildFailure::Execute(self.program.execute()),
            Err(failure) => failure,
        };
        self.failure.set(Some(failure));
    }
}
