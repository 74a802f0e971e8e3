#!/usr/bin/env bash
# Messages that are sent in one go are not taken in one go: on one processor the taker runs before the burst is over, again and again.
#
# Expected: a thread sends 64 messages in a loop into an unbounded channel of tokio; another, which sleeps, is woken by the first
#   and takes with `recv_many(256)` what there is. To send them all takes a few microseconds and to wake a thread as long, so it
#   finds nearly all: 50 or more of 64 in the mean, whatever the scheduling policy.
# Seen: where both threads share a processor, the kernel lets the woken one run at once, in the middle of the loop. It takes what was sent
#   by then, sleeps, and is woken by the next send: each burst is taken in several parts, with a switch there and back for each.
#   Under SCHED_BATCH, which does not let a woken thread push another aside, the burst is whole.
# Why it matters for a supervisor: what it passes from one thread to another in a loop costs a wake-up for each part, just when it is
#   busiest. Handing over one message that holds all of them costs one, under every policy.
# Versions: tokio 1.54.1, Linux 6.18, util-linux 2.38.
# Source: docs.rs/tokio, `UnboundedReceiver::recv_many`; sched(7), SCHED_BATCH.
# Output seen:
#   other: a burst of 64 is taken in several parts
#   batch: a burst of 64 is taken whole
set -euo pipefail

for tool in cargo taskset chrt; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
uname -sr

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "burst"
version = "0.1.0"
edition = "2024"

[dependencies]
tokio = { version = "=1.54.1", features = ["rt", "sync"] }
TOML
cat >"$folder/src/main.rs" <<'RUST'
use std::time::Duration;

const BURSTS: usize = 1_000;
const BURST: usize = 64;

fn main() {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let taker = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut taken, mut times) = (Vec::new(), 0);
            while receiver.recv_many(&mut taken, 256).await > 0 {
                times += 1;
            }
            taken.len() / times
        })
    });
    for _ in 0..BURSTS {
        std::thread::sleep(Duration::from_millis(1));
        (0..BURST).for_each(|number| sender.send(number).unwrap());
    }
    drop(sender);
    println!("{}", taker.join().unwrap());
}
RUST
cargo build --quiet --release --manifest-path "$folder/Cargo.toml"

# How much of a burst is taken at once in the mean, in words: what it is exactly differs from run to run.
taken() {
    local mean
    mean=$(taskset -c 0 chrt "--$1" 0 "$folder/target/release/burst")
    echo "$1: $mean of 64 at once" >&2
    if [ "$mean" -lt 40 ]; then echo "$1: a burst of 64 is taken in several parts"; else echo "$1: a burst of 64 is taken whole"; fi
}

seen=$(
    taken other
    taken batch
)
echo "$seen"

expected='other: a burst of 64 is taken in several parts
batch: a burst of 64 is taken whole'
[ "$seen" = "$expected" ] || { echo "changed: a burst is taken otherwise"; exit 1; }
echo "as stated"
