//! Who descends from whom, read in a way that can be relied on.
//!
//! The kernel's own lists, `/proc/…/children`, are whole only while the children stand still: one that ends while
//! its list is read hides those after it. So each process of the machine is asked for its parent instead. This
//! module reads and sorts; it signals nobody.

use std::collections::BTreeSet;
use std::io::Read as _;

/// One process at the moment it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedProcess {
    /// The process id.
    pub pid: u32,
    /// Its name, as the kernel has it.
    pub name: String,
    /// It has ended, and nobody has reaped it.
    pub is_dead: bool,
    /// Who started it, or who took it over when that one ended.
    pub parent: u32,
    /// The id of its process group.
    pub group: u32,
    /// The id of its session.
    pub session: u32,
    /// When it started, in clock ticks since boot: with its number, a name for ever.
    pub started: u64,
    /// How much memory it is in, shared or not.
    pub resident_bytes: u64,
}

impl ObservedProcess {
    /// The process of this number as it is now, or `None` when there is none.
    pub fn read(pid: u32) -> Option<Self> {
        Self::parse(pid, &read_small(&format!("/proc/{pid}/stat"))?)
    }

    /// Understands a line of `/proc/…/stat`. The second field is the program's name in parentheses and may hold
    /// anything, so fields are counted from its end.
    fn parse(pid: u32, stat: &[u8]) -> Option<Self> {
        let stat = String::from_utf8_lossy(stat);
        let (head, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        let state = fields.next()?;
        let mut number = || fields.next()?.parse::<i64>().ok();
        let (parent, group, session) = (number()?, number()?, number()?);
        Some(Self {
            pid,
            name: head.split_once('(')?.1.to_owned(),
            is_dead: matches!(state, "Z" | "X"),
            parent: u32::try_from(parent).ok()?,
            group: u32::try_from(group).unwrap_or_default(),
            session: u32::try_from(session).unwrap_or_default(),
            started: fields.nth(15)?.parse().ok()?,
            resident_bytes: fields
                .nth(1)
                .and_then(|pages| pages.parse::<u64>().ok())
                .map_or(0, |pages| pages * rustix::param::page_size() as u64),
        })
    }

    /// True when both looks were at one and the same process.
    pub fn is_same(&self, other: &Self) -> bool {
        self.pid == other.pid && self.started == other.started
    }
}

/// All processes of the machine, as far as this process sees them.
#[derive(Clone, Debug, Default)]
pub struct ProcessTable(Vec<ObservedProcess>);

impl ProcessTable {
    /// Looks at each process once. What lives all the while is among them; what starts or ends meanwhile may be.
    pub fn read() -> Self {
        Self(numbers_of_all().filter_map(ObservedProcess::read).collect())
    }

    /// Gives every process that has not ended.
    pub fn into_living(self) -> Vec<ObservedProcess> {
        self.0.into_iter().filter(|seen| !seen.is_dead).collect()
    }

    /// The direct children of a process, dead ones that nobody reaped included.
    pub fn children_of(&self, pid: u32) -> impl Iterator<Item = &ObservedProcess> {
        self.0.iter().filter(move |seen| seen.parent == pid)
    }

    /// What a process started, and what that started, and so on, without itself. Whoever is in the group that it
    /// leads counts, and in a session that one of them began, and those of whom `is_known` says that they belong to
    /// it: so one is found whose parents have ended.
    pub fn descendants_of(
        &self,
        root: u32,
        is_known: impl Fn(&ObservedProcess) -> bool,
    ) -> Vec<ObservedProcess> {
        let known: Vec<&ObservedProcess> =
            self.0.iter().filter(|seen| seen.pid != root && is_known(seen)).collect();
        let mut members: BTreeSet<u32> = known.iter().map(|seen| seen.pid).collect();
        members.insert(root);
        // A session that one of the known is in is theirs, unless it was there before them: ours, or the root's.
        let mut sessions: BTreeSet<u32> = known.iter().map(|seen| seen.session).collect();
        for home in [root, std::process::id()] {
            self.0.iter().filter(|seen| seen.pid == home && seen.session != root).for_each(|seen| {
                sessions.remove(&seen.session);
            });
        }
        loop {
            let before = members.len();
            for seen in &self.0 {
                let belongs = seen.group == root
                    || [seen.parent, seen.session].iter().any(|number| members.contains(number))
                    || sessions.contains(&seen.session);
                if belongs {
                    members.insert(seen.pid);
                }
            }
            if members.len() == before {
                return self
                    .0
                    .iter()
                    .filter(|seen| seen.pid != root && members.contains(&seen.pid))
                    .cloned()
                    .collect();
            }
        }
    }
}

/// The direct children of a process, dead ones that nobody reaped included.
pub fn children(pid: u32) -> Vec<u32> {
    ProcessTable::read().children_of(pid).map(|seen| seen.pid).collect()
}

/// The numbers of all processes. The kernel walks them in order, so none that stays is passed over.
pub(super) fn numbers_of_all() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// A file of /proc that fits in a page.
pub(super) fn read_small(path: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 4096];
    let read = std::fs::File::open(path).ok()?.read(&mut bytes).ok()?;
    bytes.truncate(read);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process by its number, its parent, its group and its session.
    fn seen([pid, parent, group, session]: [u32; 4]) -> ObservedProcess {
        let (name, is_dead, started, resident_bytes) = ("it".to_owned(), false, 1, 0);
        ObservedProcess { pid, name, is_dead, parent, group, session, started, resident_bytes }
    }

    /// Who belongs to process 10, when process 7 of session 5 is the supervisor.
    fn of_ten(processes: &[[u32; 4]], known: &[u32]) -> Vec<u32> {
        let ours = [[1, 0, 1, 1], [std::process::id(), 1, 5, 5], [10, std::process::id(), 10, 5]];
        let all = ProcessTable(ours.iter().chain(processes).copied().map(seen).collect());
        let found = all.descendants_of(10, |seen| known.contains(&seen.pid));
        found.iter().map(|seen| seen.pid).collect()
    }

    #[test]
    fn a_line_of_stat_is_read_whatever_the_name() {
        let line = b"77 (a) S 1 (b\n) Z 10 11 12 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 4321 0 3 0";
        let seen = ObservedProcess::parse(77, line).unwrap();
        assert_eq!((seen.name.as_str(), seen.is_dead), ("a) S 1 (b\n", true));
        assert_eq!((seen.parent, seen.group, seen.session, seen.started), (10, 11, 12, 4321));
        assert_eq!(seen.resident_bytes, 3 * rustix::param::page_size() as u64);
        let ours = ObservedProcess::read(std::process::id()).unwrap();
        assert!(!ours.is_dead && ours.started > 0);
    }

    #[test]
    fn children_and_theirs_belong_and_neighbours_do_not() {
        let child = [20, 10, 10, 5];
        let grandchild = [21, 20, 21, 5];
        let peer = [30, std::process::id(), 30, 5];
        assert_eq!(of_ten(&[grandchild, child, peer, [31, 30, 30, 5]], &[]), [21, 20]);
    }

    #[test]
    fn an_orphan_is_found_by_its_group_by_its_session_and_by_being_known() {
        assert_eq!(of_ten(&[[22, 1, 10, 5]], &[]), [22]);
        // A child began a session and lives.
        assert_eq!(of_ten(&[[20, 10, 20, 20], [22, 1, 22, 20]], &[]), [20, 22]);
        // It has ended: only what is known of the orphan helps, and leads to the rest of its session.
        assert_eq!(of_ten(&[[22, 1, 22, 20], [23, 1, 23, 20]], &[]), [0; 0]);
        assert_eq!(of_ten(&[[22, 1, 22, 20], [23, 1, 23, 20], [24, 23, 24, 24]], &[22]), [22, 23, 24]);
    }

    #[test]
    fn being_known_does_not_make_the_supervisors_own_session_theirs() {
        assert_eq!(of_ten(&[[22, 1, 22, 5], [30, 1, 30, 5]], &[22]), [22]);
    }
}
