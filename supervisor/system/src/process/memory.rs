//! How much memory processes hold: one process, or a worker with all that it started.
//!
//! The resident set costs nothing to read and counts a page once for each process that shares it; the proportional set
//! counts it once for all of them, and the kernel walks the whole process to tell it. So the first is looked at, and
//! the second only when the first is too much, and for no longer than there is time: a worker may have started thousands.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::ProcessTree;
use super::descendants::{ObservedProcess, ProcessTable, read_small};
use super::mark::WorkerMark;

/// How far up parents are followed.
const ANCESTORS_MAX: usize = 64;
/// The proportional set is read anew after so long, although nothing has grown: others may have let go of shared pages.
const EXACT_FOR: Duration = Duration::from_secs(2);
/// So long the proportional sets of one worker's processes are read at most: all workers wait for it to be looked at.
const EXACT_WITHIN: Duration = Duration::from_millis(50);

/// The resident set of a process in bytes, or `None` when it is gone.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Its share of the memory it is in, in bytes; `None` when it is gone or closed to us.
fn proportional_bytes(pid: u32) -> Option<u64> {
    let rollup = read_small(&format!("/proc/{pid}/smaps_rollup"))?;
    let rollup = std::str::from_utf8(&rollup).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim_end().parse().ok()?;
    Some(kibibytes * 1024)
}

/// What a worker and all that it started hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeMemory {
    /// The sum of their resident sets, or that of their proportional sets where the first was too much.
    pub bytes: u64,
    /// Who they are, the worker first.
    pub members: Vec<ObservedProcess>,
}

impl TreeMemory {
    /// What the same processes hold by now, without looking for others.
    pub fn again(&self, enough_bytes: u64) -> u64 {
        let lives = |seen: &ObservedProcess| {
            ObservedProcess::read(seen.pid).filter(|now| now.is_same(seen) && !now.is_dead)
        };
        let members: Vec<ObservedProcess> = self.members.iter().filter_map(lives).collect();
        let resident = resident_sum(&members);
        if resident > enough_bytes { exact_sum(&members) } else { resident }
    }
}

fn resident_sum(members: &[ObservedProcess]) -> u64 {
    members.iter().map(|seen| seen.resident_bytes).sum()
}

fn exact_sum(members: &[ObservedProcess]) -> u64 {
    let begun = Instant::now();
    proportional_sum(members, proportional_bytes, || begun.elapsed() < EXACT_WITHIN)
}

/// The proportional sets of the largest, one at least and as many as there is time for; of the others the same part of
/// their resident sets.
fn proportional_sum(
    members: &[ObservedProcess],
    read: impl Fn(u32) -> Option<u64>,
    has_time: impl Fn() -> bool,
) -> u64 {
    let mut largest_first: Vec<&ObservedProcess> = members.iter().collect();
    largest_first.sort_by_key(|seen| Reverse(seen.resident_bytes));
    let (mut exact, mut resident) = (0, 0);
    for seen in largest_first {
        if resident > 0 && !has_time() {
            break;
        }
        exact += read(seen.pid).unwrap_or(seen.resident_bytes);
        resident += seen.resident_bytes;
    }
    let unread = u128::from(resident_sum(members) - resident);
    let estimated = (unread * u128::from(exact)).checked_div(u128::from(resident)).unwrap_or(0);
    exact + u64::try_from(estimated).unwrap_or(u64::MAX)
}

/// Looks at the memory of many workers at once, for the price of one look at the processes of the machine.
#[derive(Debug, Default)]
pub struct MemoryWatch {
    /// The marks of processes that nothing else ties to a worker, by number and start: an environment is read once.
    marks: HashMap<(u32, u64), Option<WorkerMark>>,
    /// What was exact, by the worker's number.
    exact: HashMap<u32, ExactSum>,
}

#[derive(Clone, Copy, Debug)]
struct ExactSum {
    resident_bytes: u64,
    bytes: u64,
    at: Instant,
}

impl MemoryWatch {
    /// What each of these workers holds, exactly where it may be more than `enough_bytes`. In the order of the workers.
    pub fn look(&mut self, workers: &[ProcessTree], enough_bytes: u64) -> Vec<TreeMemory> {
        let table = ProcessTable::read().into_living();
        let mut families = self.families(workers, &table);
        self.exact.retain(|worker, _| workers.iter().any(|tree| tree.group().id() == *worker));
        workers
            .iter()
            .zip(&mut families)
            .map(|(tree, members)| {
                let members = std::mem::take(members);
                let bytes = self.sum(tree.group().id(), &members, enough_bytes);
                TreeMemory { bytes, members }
            })
            .collect()
    }

    fn sum(&mut self, worker: u32, members: &[ObservedProcess], enough_bytes: u64) -> u64 {
        let resident_bytes = resident_sum(members);
        if resident_bytes <= enough_bytes {
            return resident_bytes;
        }
        if let Some(before) = self.exact.get(&worker).filter(|before| before.at.elapsed() < EXACT_FOR) {
            // What came since counts in full.
            let most = before.bytes + resident_bytes.saturating_sub(before.resident_bytes);
            if most <= enough_bytes {
                return most;
            }
        }
        let bytes = exact_sum(members);
        self.exact.insert(worker, ExactSum { resident_bytes, bytes, at: Instant::now() });
        bytes
    }

    /// Who belongs to which worker.
    fn families(&mut self, workers: &[ProcessTree], table: &[ObservedProcess]) -> Vec<Vec<ObservedProcess>> {
        let mut families = vec![Vec::new(); workers.len()];
        let roots: HashMap<u32, usize> =
            workers.iter().enumerate().map(|(index, tree)| (tree.group().id(), index)).collect();
        let marks: HashMap<&WorkerMark, usize> =
            workers.iter().enumerate().map(|(index, tree)| (tree.mark(), index)).collect();
        let by_number: HashMap<u32, &ObservedProcess> = table.iter().map(|seen| (seen.pid, seen)).collect();
        let in_leaves: HashMap<u32, usize> = workers
            .iter()
            .enumerate()
            .flat_map(|(index, tree)| tree.numbers_in_leaf().into_iter().map(move |number| (number, index)))
            .collect();
        let eldest = workers.iter().filter_map(ProcessTree::started).min().unwrap_or(0);
        let mut known = HashMap::new();
        for seen in table.iter().filter(|seen| seen.started >= eldest) {
            let tied = in_leaves.get(&seen.pid).copied().or_else(|| Self::tied(seen, &roots, &by_number));
            let index = tied.or_else(|| {
                let key = (seen.pid, seen.started);
                let kept = self.marks.remove(&key);
                let mark = kept.clone().unwrap_or_else(|| WorkerMark::read(seen.pid));
                let index = mark.as_ref().and_then(|mark| marks.get(mark).copied());
                // Between two programs it shows none, and is looked at again.
                if kept.is_some() || mark.is_some() || !WorkerMark::is_hidden(seen.pid) {
                    known.insert(key, mark);
                }
                index
            });
            let Some(index) = index.filter(|index| seen.started >= workers[*index].started().unwrap_or(0))
            else {
                continue;
            };
            if seen.pid == workers[index].group().id() {
                families[index].insert(0, seen.clone());
            } else {
                families[index].push(seen.clone());
            }
        }
        self.marks = known;
        families
    }

    /// The worker to which its group, or that of who started it, leads.
    fn tied(
        seen: &ObservedProcess,
        roots: &HashMap<u32, usize>,
        by_number: &HashMap<u32, &ObservedProcess>,
    ) -> Option<usize> {
        let mut next = Some(seen);
        for _ in 0..ANCESTORS_MAX {
            let seen = next?;
            if let Some(index) = roots.get(&seen.pid).or_else(|| roots.get(&seen.group)) {
                return Some(*index);
            }
            next = by_number.get(&seen.parent).copied();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_measure_this_process_agree() {
        let own = std::process::id();
        let (resident, proportional) = (resident_bytes(own).unwrap(), proportional_bytes(own).unwrap());
        assert!(proportional > 0 && proportional <= resident * 2, "{proportional} of {resident}");
        let seen = ObservedProcess::read(own).unwrap();
        assert!(seen.resident_bytes > 0);
        assert_eq!(proportional_bytes(u32::MAX), None);
    }

    #[test]
    fn what_there_is_no_time_to_read_is_estimated_by_what_was_read() {
        let of = |pid, resident_bytes| ObservedProcess {
            pid,
            resident_bytes,
            ..ObservedProcess::read(std::process::id()).unwrap()
        };
        let members = [of(1, 100), of(2, 400), of(3, 300)];
        // A quarter of each is its own share; the third is gone.
        let read = |pid| (pid != 3).then_some(if pid == 2 { 100 } else { 25 });
        assert_eq!(proportional_sum(&members, read, || true), 100 + 300 + 25);
        assert_eq!(proportional_sum(&members, read, || false), 100 + 400 / 4, "the largest is always read");
        assert_eq!(proportional_sum(&[], read, || true), 0);
        assert_eq!(proportional_sum(&[of(1, 0)], |_| None, || false), 0);
    }

    #[test]
    fn a_process_belongs_to_the_worker_its_parents_lead_to() {
        let seen = |pid, parent, group| {
            let name = String::new();
            let (is_dead, session, started, resident_bytes) = (false, 1, 1, 1);
            ObservedProcess { pid, name, is_dead, parent, group, session, started, resident_bytes }
        };
        let table = [
            seen(10, 2, 10),
            seen(11, 10, 10),
            seen(12, 11, 12),
            seen(20, 2, 20),
            seen(30, 1, 10),
            seen(40, 1, 40),
        ];
        let by_number = table.iter().map(|seen| (seen.pid, seen)).collect();
        let roots = HashMap::from([(10, 0), (20, 1)]);
        let tied: Vec<_> = table.iter().map(|seen| MemoryWatch::tied(seen, &roots, &by_number)).collect();
        assert_eq!(tied, [Some(0), Some(0), Some(0), Some(1), Some(0), None]);
    }
}
