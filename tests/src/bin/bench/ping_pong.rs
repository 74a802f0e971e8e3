//! The floor: one byte there and back over two pipes, with blocking threads and nothing else.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::pin;

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Wall time per round trip.
    pub(crate) wall: Duration,
    /// CPU time of both ends per round trip.
    pub(crate) cpu: Duration,
}

/// Measures `pairs` of processes at once, each doing `round_trips`.
pub(crate) fn measure(round_trips: u32, pairs: u32, here: &[usize], there: &[usize]) -> anyhow::Result<Cost> {
    let cpu_before = cpu_time();
    let children_before = children_cpu_time();
    let started = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..pairs).map(|_| scope.spawn(|| one_pair(round_trips, here, there))).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("a pair panicked"))?)
    })?;
    let wall = started.elapsed() / (round_trips * pairs);
    let cpu = (cpu_time() - cpu_before + children_cpu_time() - children_before) / (round_trips * pairs);
    Ok(Cost { wall, cpu })
}

fn one_pair(round_trips: u32, here: &[usize], there: &[usize]) -> anyhow::Result<()> {
    pin::this_thread(here)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the floor is measured without the supervisor's process layer"
    )]
    let mut child = Command::new(std::env::current_exe()?)
        .arg("echo")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    pin::process(Some(Pid::from_child(&child)), there)?;
    let (Some(mut to), Some(mut from)) = (child.stdin.take(), child.stdout.take()) else {
        anyhow::bail!("the child has no pipes");
    };
    let mut byte = [7];
    for _ in 0..round_trips {
        to.write_all(&byte)?;
        from.read_exact(&mut byte)?;
    }
    drop(to);
    child.wait()?;
    Ok(())
}

/// The child: blocking reads and writes of one byte until the pipe ends.
pub(crate) fn echo() -> anyhow::Result<()> {
    let (mut from, mut to) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut byte = [0];
    while from.read(&mut byte)? == 1 {
        to.write_all(&byte)?;
        to.flush()?;
    }
    Ok(())
}

/// CPU time this process has used so far.
pub(crate) fn cpu_time() -> Duration {
    stat_time(13)
}

/// CPU time of children that were waited for.
pub(crate) fn children_cpu_time() -> Duration {
    stat_time(15)
}

/// Two neighbouring fields of /proc/self/stat, in clock ticks: user and system time.
fn stat_time(field: usize) -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields = after_name.split_ascii_whitespace().skip(field - 2).take(2);
    let ticks: u64 = fields.filter_map(|text| text.parse::<u64>().ok()).sum();
    Duration::from_micros(ticks * 1_000_000 / rustix::param::clock_ticks_per_second())
}
