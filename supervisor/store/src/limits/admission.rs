//! Who is let in: decided by numbers, without a database.
//!
//! Whoever decides holds the locks of the limits concerned, has counted who is in them, and writes down what comes of
//! it before it lets go of the locks.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::HeldLimit;
use super::rate::RateState;
use crate::pauses::PauseTarget;

/// So many are let go at once at most, where a limit does not say how many.
pub(crate) const LET_GO_MAX: u32 = 1_000;

/// What is known of a limit and of one key in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LimitFill {
    /// The limit, and the key.
    pub(crate) held: HeldLimit,
    /// How many may run at once; `None` is any number, and so is a limit that nobody has set.
    pub(crate) total: Option<u32>,
    /// How many may for this key.
    pub(crate) per_key: Option<u32>,
    /// How many do.
    pub(crate) running: u32,
    /// How many do for this key.
    pub(crate) running_of_key: u32,
    /// How its rate stands for this key; `None`: it has none.
    pub(crate) rate: Option<RateState>,
}

/// What keeps an execution out of the claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum WaitsFor {
    /// Room in a limit for anybody.
    Limit(String),
    /// Room in a limit for this key.
    Key(HeldLimit),
    /// A moment at which the rate of a limit lets one more start, for this key.
    Rate(HeldLimit),
    /// The end of a pause.
    Pause(PauseTarget),
}

impl WaitsFor {
    /// The limit, and the key; where anybody waits, none. `None`: it is no limit.
    pub(crate) fn held(&self) -> Option<HeldLimit> {
        match self {
            Self::Limit(name) => Some(HeldLimit { name: name.clone(), key: String::new() }),
            Self::Key(held) | Self::Rate(held) => Some(held.clone()),
            Self::Pause(_) => None,
        }
    }

    /// What a column says; `None` for what nobody here waits for.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(target) = text.strip_prefix("pause:") {
            return target.parse().ok().map(Self::Pause);
        }
        if let Some((name, key)) = text.strip_prefix("rate:").and_then(|rest| rest.split_once(':')) {
            return Some(Self::Rate(HeldLimit { name: name.to_owned(), key: key.to_owned() }));
        }
        let rest = text.strip_prefix("limit:")?;
        Some(match rest.split_once(':') {
            None => Self::Limit(rest.to_owned()),
            Some((name, key)) => Self::Key(HeldLimit { name: name.to_owned(), key: key.to_owned() }),
        })
    }
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(name) => write!(f, "limit:{name}"),
            Self::Key(HeldLimit { name, key }) => write!(f, "limit:{name}:{key}"),
            Self::Rate(HeldLimit { name, key }) => write!(f, "rate:{name}:{key}"),
            Self::Pause(target) => write!(f, "pause:{target}"),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct LimitCount {
    total: Option<u32>,
    per_key: Option<u32>,
    running: u32,
    of_key: HashMap<String, u32>,
    rates: HashMap<String, RateState>,
}

/// How full limits are, for whoever decides about several executions.
#[derive(Clone, Debug, Default)]
pub(crate) struct LimitCounts {
    limits: BTreeMap<String, LimitCount>,
}

impl LimitCounts {
    /// What was counted.
    pub(crate) fn of(fills: Vec<LimitFill>) -> Self {
        let mut limits: BTreeMap<String, LimitCount> = BTreeMap::new();
        for fill in fills {
            let count = limits.entry(fill.held.name).or_default();
            (count.total, count.per_key, count.running) = (fill.total, fill.per_key, fill.running);
            count.rates.extend(fill.rate.map(|rate| (fill.held.key.clone(), rate)));
            count.of_key.insert(fill.held.key, fill.running_of_key);
        }
        Self { limits }
    }

    /// What an execution with these limits has to wait for; `None`: it may start.
    pub(crate) fn full(&self, limits: &[HeldLimit]) -> Option<WaitsFor> {
        let room = limits.iter().find_map(|held| {
            let count = self.limits.get(&held.name)?;
            let of_key = count.of_key.get(&held.key).copied().unwrap_or_default();
            if count.per_key.is_some_and(|most| of_key >= most) {
                return Some(WaitsFor::Key(held.clone()));
            }
            let is_full = count.total.is_some_and(|most| count.running >= most);
            is_full.then(|| WaitsFor::Limit(held.name.clone()))
        });
        room.or_else(|| self.too_early(limits))
    }

    /// The rate that lets none of these limits start at this moment; `None`: all do.
    fn too_early(&self, limits: &[HeldLimit]) -> Option<WaitsFor> {
        let is_closed = |held: &&HeldLimit| self.rate(held).is_some_and(|rate| rate.room() == 0);
        limits.iter().find(is_closed).map(|held| WaitsFor::Rate(held.clone()))
    }

    /// How the rate of a limit stands for a key; `None`: it has none.
    pub(crate) fn rate(&self, held: &HeldLimit) -> Option<RateState> {
        self.limits.get(&held.name)?.rates.get(&held.key).copied()
    }

    /// True of a rate that was slower when it was noted until when it holds somebody up.
    pub(crate) fn is_to_be_noted(&self, waits_for: &WaitsFor) -> bool {
        match waits_for {
            WaitsFor::Rate(held) => self.rate(held).is_some_and(|rate| rate.was_later()),
            WaitsFor::Limit(_) | WaitsFor::Key(_) | WaitsFor::Pause(_) => false,
        }
    }

    /// Counts a start for the rates of these limits.
    fn start(&mut self, limits: &[HeldLimit]) {
        for held in limits {
            let count = self.limits.get_mut(&held.name);
            if let Some(rate) = count.and_then(|count| count.rates.get_mut(&held.key)) {
                rate.start();
            }
        }
    }

    /// Lets one start that is in its limits already: only their rates count.
    pub(crate) fn admit_again(&mut self, limits: &[HeldLimit]) -> Option<WaitsFor> {
        let early = self.too_early(limits);
        if early.is_none() {
            self.start(limits);
        }
        early
    }

    /// Lets one in if all its limits have room; else what it has to wait for.
    pub(crate) fn admit(&mut self, limits: &[HeldLimit]) -> Option<WaitsFor> {
        let full = self.full(limits);
        if full.is_none() {
            self.start(limits);
            for held in limits {
                let count = self.limits.entry(held.name.clone()).or_default();
                count.running += 1;
                *count.of_key.entry(held.key.clone()).or_default() += 1;
            }
        }
        full
    }

    /// How many may run where this is waited for, and how many do.
    pub(crate) fn standing(&self, waits_for: &WaitsFor) -> (Option<u32>, u32) {
        let Some(held) = waits_for.held() else { return (None, 0) };
        let Some(count) = self.limits.get(&held.name) else { return (None, 0) };
        match waits_for {
            WaitsFor::Limit(_) => (count.total, count.running),
            WaitsFor::Key(_) => (count.per_key, count.of_key.get(&held.key).copied().unwrap_or_default()),
            WaitsFor::Rate(_) => (self.rate(&held).map(|rate| rate.room()), 0),
            WaitsFor::Pause(_) => (None, 0),
        }
    }

    /// How many of those that wait for this may be let go.
    pub(crate) fn room(&self, waits_for: &WaitsFor) -> u32 {
        let (most, running) = self.standing(waits_for);
        let room = most.map_or(LET_GO_MAX, |most| most.saturating_sub(running));
        room.min(LET_GO_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(name: &str, key: &str) -> HeldLimit {
        HeldLimit { name: name.to_owned(), key: key.to_owned() }
    }

    fn fill(name: &str, key: &str, most: (Option<u32>, Option<u32>), running: (u32, u32)) -> LimitFill {
        LimitFill {
            held: held(name, key),
            total: most.0,
            per_key: most.1,
            running: running.0,
            running_of_key: running.1,
            rate: None,
        }
    }

    #[test]
    fn all_limits_must_have_room_and_then_all_are_held() {
        let mut counts = LimitCounts::of(vec![
            fill("crm", "acme", (Some(3), Some(2)), (1, 0)),
            fill("crm", "other", (Some(3), Some(2)), (1, 1)),
            fill("mail", "", (Some(1), None), (0, 0)),
        ]);
        assert_eq!(counts.admit(&[held("crm", "acme"), held("mail", "")]), None);
        assert_eq!(
            counts.admit(&[held("crm", "acme"), held("mail", "")]),
            Some(WaitsFor::Limit("mail".to_owned())),
            "and takes nothing of the other"
        );
        assert_eq!(counts.admit(&[held("crm", "acme")]), None);
        assert_eq!(counts.admit(&[held("crm", "acme")]), Some(WaitsFor::Key(held("crm", "acme"))));
        assert_eq!(counts.admit(&[held("crm", "other")]), Some(WaitsFor::Limit("crm".to_owned())));
    }

    #[test]
    fn what_nobody_has_set_holds_nothing_back() {
        let mut counts = LimitCounts::of(vec![fill("new", "", (None, None), (7, 7))]);
        assert_eq!(counts.admit(&[held("new", "")]), None);
        assert_eq!(counts.room(&WaitsFor::Limit("new".to_owned())), LET_GO_MAX);
    }

    #[test]
    fn room_is_what_is_left_and_never_less_than_none() {
        let counts = LimitCounts::of(vec![fill("crm", "a", (Some(5), Some(2)), (7, 1))]);
        assert_eq!(counts.room(&WaitsFor::Limit("crm".to_owned())), 0);
        assert_eq!(counts.room(&WaitsFor::Key(held("crm", "a"))), 1);
    }

    #[test]
    fn what_is_waited_for_is_read_as_it_is_written() {
        let pause = WaitsFor::Pause(PauseTarget::Workflow("billing/a:b".to_owned()));
        for waits in [
            WaitsFor::Limit("crm".to_owned()),
            WaitsFor::Key(held("crm", "a:b")),
            WaitsFor::Rate(held("crm", "")),
            pause,
        ] {
            assert_eq!(WaitsFor::parse(&waits.to_string()), Some(waits));
        }
        assert_eq!(WaitsFor::parse("approval:7"), None);
    }
}
