//! What a worker may use together with all that it started.

/// What one worker and all it started may use, where it has a control group with the controllers for it; `None` is no
/// limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupLimits {
    /// Memory above which the kernel ends all of it, in MiB.
    pub memory_max_mb: Option<u64>,
    /// Memory above which the kernel slows it down and takes back what it can, in MiB.
    pub memory_high_mb: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
    /// Its share of the processors beside other workers: 100 is the share of one without.
    pub cpu_weight: Option<u64>,
}

/// The largest share that the kernel knows.
const CPU_WEIGHT_MAX: u64 = 10_000;

impl GroupLimits {
    /// What the limits are called, in settings too, with their values.
    pub fn named(&self) -> [(&'static str, Option<u64>); 4] {
        let Self { memory_max_mb, memory_high_mb, processes, cpu_weight } = *self;
        [
            ("memory_max_mb", memory_max_mb),
            ("memory_high_mb", memory_high_mb),
            ("processes", processes),
            ("cpu_weight", cpu_weight),
        ]
    }

    /// Sets the limit of this name; false when there is none.
    pub fn set(&mut self, name: &str, value: u64) -> bool {
        let limit = match name {
            "memory_max_mb" => &mut self.memory_max_mb,
            "memory_high_mb" => &mut self.memory_high_mb,
            "processes" => &mut self.processes,
            "cpu_weight" => &mut self.cpu_weight,
            _ => return false,
        };
        *limit = Some(value);
        true
    }

    /// The controllers that it takes, by their names in the kernel.
    pub(in crate::process) fn controllers(&self) -> Vec<&'static str> {
        let Self { memory_max_mb, memory_high_mb, processes, cpu_weight } = *self;
        let takes = [
            ("memory", memory_max_mb.or(memory_high_mb).is_some()),
            ("pids", processes.is_some()),
            ("cpu", cpu_weight.is_some()),
        ];
        takes.into_iter().filter(|(_, is_taken)| *is_taken).map(|(name, _)| name).collect()
    }

    /// The files of a control group and what is written into them. `watched_bytes` is where our own watch ends a worker;
    /// the kernel does it there, too.
    pub(super) fn files(&self, watched_bytes: Option<u64>) -> Vec<(&'static str, String)> {
        let bytes = |megabytes: u64| megabytes.saturating_mul(1024 * 1024);
        let max = [self.memory_max_mb.map(bytes), watched_bytes].into_iter().flatten().min();
        let mut files = Vec::new();
        if let Some(max) = max {
            // A worker without a part of its memory is of no use: all of it goes.
            files.push(("memory.oom.group", "1".to_owned()));
            files.push(("memory.swap.max", "0".to_owned()));
            files.push(("memory.max", max.to_string()));
        }
        files.extend(self.memory_high_mb.map(|high| ("memory.high", bytes(high).to_string())));
        files.extend(self.processes.map(|count| ("pids.max", count.to_string())));
        files.extend(self.cpu_weight.map(|weight| ("cpu.weight", weight.min(CPU_WEIGHT_MAX).to_string())));
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_of_the_two_limits_of_memory_is_the_kernels() {
        let written = |limits: GroupLimits, watched| {
            let files = limits.files(watched).into_iter();
            files.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
        };
        let all = "memory.oom.group 1, memory.swap.max 0, memory.max";
        let bounded = GroupLimits { memory_max_mb: Some(1), ..GroupLimits::default() };
        assert_eq!(written(bounded, None), format!("{all} 1048576"));
        assert_eq!(written(bounded, Some(4096)), format!("{all} 4096"));
        assert_eq!(written(GroupLimits::default(), Some(4096)), format!("{all} 4096"));
        assert_eq!(written(GroupLimits::default(), None), "");
        let others = GroupLimits { processes: Some(64), cpu_weight: Some(20_000), ..GroupLimits::default() };
        assert_eq!(written(others, None), "pids.max 64, cpu.weight 10000");
        assert_eq!((others.controllers(), bounded.controllers()), (vec!["pids", "cpu"], vec!["memory"]));
    }

    #[test]
    fn each_limit_is_set_by_its_name() {
        let mut limits = GroupLimits::default();
        for (number, (name, _)) in limits.named().into_iter().enumerate() {
            assert!(limits.set(name, number as u64 + 1));
        }
        let values: Vec<_> = limits.named().into_iter().filter_map(|(_, value)| value).collect();
        assert_eq!(values, [1, 2, 3, 4]);
        assert!(!limits.set("oxen", 1));
    }
}
