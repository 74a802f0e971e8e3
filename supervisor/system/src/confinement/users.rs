//! Who workers run as, where the supervisor is root: one user for all, or one of a range for each.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::WorkerUser;
use super::user_database::UserEntry;

/// Who workers run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerUsers {
    /// All as this one.
    One {
        /// Who.
        user: WorkerUser,
        /// Where it is at home, if it has an entry among the users.
        home: Option<PathBuf>,
    },
    /// Each as one that no other worker has; its group has the same number.
    Range {
        /// The first.
        first: u32,
        /// The last.
        last: u32,
    },
}

/// Which of all ranges are taken, in this process.
static TAKEN: Mutex<TakenUsers> = Mutex::new(TakenUsers { taken: BTreeSet::new(), last: None });

struct TakenUsers {
    taken: BTreeSet<u32>,
    /// Given out last: one that was given back is the last to be given out again.
    last: Option<u32>,
}

/// A user for a worker, until this is dropped.
#[derive(Debug)]
pub struct UserLease {
    user: WorkerUser,
    is_taken: bool,
}

impl UserLease {
    /// Who.
    pub fn user(&self) -> &WorkerUser {
        &self.user
    }
}

impl Drop for UserLease {
    fn drop(&mut self) {
        if self.is_taken {
            TAKEN.lock().unwrap_or_else(PoisonError::into_inner).taken.remove(&self.user.uid);
        }
    }
}

impl WorkerUsers {
    /// A user for one more worker.
    ///
    /// # Errors
    /// When each of the range has a worker.
    pub fn lease(&self) -> io::Result<UserLease> {
        match self {
            Self::One { user, .. } => Ok(UserLease { user: user.clone(), is_taken: false }),
            Self::Range { first, last } => {
                let uid = TAKEN.lock().unwrap_or_else(PoisonError::into_inner).take(*first, *last);
                let uid = uid.ok_or_else(|| {
                    io::Error::other(format!(
                        "every user from {first} to {last} has a worker: widen worker_user to twice max_workers"
                    ))
                })?;
                Ok(UserLease { user: WorkerUser { uid, gid: uid, groups: Vec::new() }, is_taken: true })
            }
        }
    }
}

/// The user of this name or number, with its groups and its home. `None` when no name is like that.
pub fn user_named(name: &str) -> Option<WorkerUsers> {
    if let Some(entry) = UserEntry::find(name) {
        let UserEntry { uid, gid, groups, home } = entry;
        return Some(WorkerUsers::One { user: WorkerUser { uid, gid, groups }, home: Some(home) });
    }
    // A number needs no entry: it is its own group, and at home nowhere.
    let number = name.parse::<u32>().ok()?;
    let user = WorkerUser { uid: number, gid: number, groups: Vec::new() };
    Some(WorkerUsers::One { user, home: None })
}

impl TakenUsers {
    fn take(&mut self, first: u32, last: u32) -> Option<u32> {
        let after = self.last.filter(|at| (first..last).contains(at)).map_or(first, |at| at + 1);
        let found = (after..=last).chain(first..after).find(|uid| !self.taken.contains(uid))?;
        self.taken.insert(found);
        self.last = Some(found);
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_worker_of_a_range_has_a_user_of_its_own_until_all_are_taken() {
        let mut users = TakenUsers { taken: BTreeSet::new(), last: None };
        let mut take = |first, last| users.take(first, last);
        assert_eq!([take(7, 9), take(7, 9), take(7, 9), take(7, 9)], [Some(7), Some(8), Some(9), None]);
        users.taken.remove(&8);
        assert_eq!(users.take(7, 9), Some(8));
        users.taken.clear();
        assert_eq!(users.take(7, 9), Some(9), "the one that was given back last comes last");
        assert_eq!(users.take(3, 3), Some(3));
        assert_eq!(users.take(3, 3), None);
    }

    #[test]
    fn a_user_is_found_by_its_name_and_by_its_number() {
        let root = user_named("root").unwrap();
        assert_eq!(user_named("0"), Some(root.clone()));
        assert!(
            matches!(root, WorkerUsers::One { user, home: Some(_) } if user.uid == 0 && user.groups.contains(&0))
        );
        assert_eq!(user_named("no such user"), None);
        let unknown = WorkerUser { uid: 3_999_999_999, gid: 3_999_999_999, groups: Vec::new() };
        assert_eq!(user_named("3999999999"), Some(WorkerUsers::One { user: unknown, home: None }));
    }

    #[test]
    fn a_user_that_is_given_back_can_be_taken_again() {
        let users = WorkerUsers::Range { first: 4_000_000_000, last: 4_000_000_000 };
        let lease = users.lease().unwrap();
        assert_eq!((lease.user().uid, lease.user().gid), (4_000_000_000, 4_000_000_000));
        assert!(users.lease().unwrap_err().to_string().contains("widen worker_user"));
        drop(lease);
        assert!(users.lease().is_ok());
    }
}
