//! The supervisor's end of a template's channel: over it go the streams of a worker that is to be, and comes the
//! descriptor of its process. What asks for the fork itself is a frame, and none of this module's business.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use rustix::process::Pid;

use super::descendants::ObservedProcess;
use super::mark::WorkerMark;
use super::{PIPE_BYTES, ProcessGroup, ProcessTree, SpawnedChild, WorkerBelongings, child_reaper};

/// Longer than any id.
const ID_MAX_BYTES: usize = 256;

/// Our end. The other one is inherited by the template.
#[derive(Debug)]
pub struct ForkChannel {
    ours: OwnedFd,
}

/// A worker that was asked for: its id, and our ends of its pipes.
#[derive(Debug)]
pub struct ForkRequest {
    mark: WorkerMark,
    belongings: WorkerBelongings,
    stdin: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

impl ForkRequest {
    /// What the child's environment will call it.
    pub fn worker_id(&self) -> &str {
        self.mark.as_str()
    }
}

impl ForkChannel {
    /// Both ends. Nothing is ever waited for at ours.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        Ok((Self { ours }, theirs))
    }

    /// Makes the pipes of a worker and sends the template, which has these belongings, its ends. The Fork comes after
    /// this.
    ///
    /// # Errors
    /// When the system gives no pipe or no folder, or the template takes no packet.
    pub fn request(&self, template: &WorkerBelongings) -> io::Result<ForkRequest> {
        let mark = WorkerMark::new();
        let belongings = template.of_child(mark.as_str())?;
        let (their_stdin, stdin) = pipe_with(PipeFlags::CLOEXEC)?;
        let (stdout, their_stdout) = pipe_with(PipeFlags::CLOEXEC)?;
        let (stderr, their_stderr) = pipe_with(PipeFlags::CLOEXEC)?;
        for pipe in [&stdin, &stdout, &stderr] {
            let _ = fcntl_setpipe_size(pipe, PIPE_BYTES);
        }
        let theirs: [BorrowedFd<'_>; 3] = [their_stdin.as_fd(), their_stdout.as_fd(), their_stderr.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut descriptors = SendAncillaryBuffer::new(&mut space);
        if !descriptors.push(SendAncillaryMessage::ScmRights(&theirs)) {
            return Err(io::Error::other("three descriptors do not fit in a packet"));
        }
        let id = [IoSlice::new(mark.as_str().as_bytes())];
        sendmsg(&self.ours, &id, &mut descriptors, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?;
        Ok(ForkRequest { mark, belongings, stdin, stdout, stderr })
    }

    /// The child that Forked tells of. Who it is, is what its descriptor says, not what the template does: of the
    /// numbers in Forked none is ever signalled. It must be a child of the template, or ours by now.
    ///
    /// # Errors
    /// When no descriptor is there, or it is not of such a child.
    pub fn accept(&self, request: ForkRequest, template: ProcessGroup) -> io::Result<SpawnedChild> {
        let pidfd = self.receive(&request)?;
        let pid = process_of(&pidfd)?;
        let seen = ObservedProcess::read(pid.as_raw_pid().unsigned_abs());
        let is_of_template = seen
            .as_ref()
            .is_some_and(|seen| seen.parent == template.id() || seen.parent == std::process::id());
        if !is_of_template {
            return Err(io::Error::other("what it sent is not its child"));
        }
        let group = ProcessGroup::led_by(pid);
        child_reaper::adopt(group.id());
        let ForkRequest { mark, belongings, stdin, stdout, stderr } = request;
        let family = ProcessTree::of_seen(group, mark, seen.as_ref());
        Ok(SpawnedChild { group, family, pidfd, stdin, stdout, stderr, belongings })
    }

    fn receive(&self, request: &ForkRequest) -> io::Result<OwnedFd> {
        let mut id = [0; ID_MAX_BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut descriptors = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let received = recvmsg(&self.ours, &mut [IoSliceMut::new(&mut id)], &mut descriptors, flags)?;
        let mut sent = Vec::new();
        for message in descriptors.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                sent.extend(descriptors);
            }
        }
        match sent.pop() {
            _ if &id[..received.bytes] != request.mark.as_str().as_bytes() => {
                Err(io::Error::other("its packets and its answers are not in the same order"))
            }
            Some(pidfd) => Ok(pidfd),
            None => Err(io::Error::other("no descriptor of the child came with its answer")),
        }
    }
}

/// Whom a pidfd is of.
fn process_of(pidfd: &OwnedFd) -> io::Result<Pid> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))?;
    let number = info.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse::<i32>().ok());
    let number = number.ok_or_else(|| io::Error::other("what it sent is no descriptor of a process"))?;
    // A process that has been reaped has no number any more.
    Pid::from_raw(number)
        .filter(|_| number > 0)
        .ok_or_else(|| io::Error::other("the new process ended at once"))
}
