//! The flags: what to do wrong, in which runs, and how often.

use std::fs::File;
use std::path::PathBuf;

use clap::Parser;

/// A worker that misbehaves on request. Without flags it behaves.
#[derive(Clone, Debug, Parser)]
#[command(name = "rogue_worker")]
pub(crate) struct Sins {
    /// Sin only in runs of this workflow.
    #[arg(long, value_name = "WORKFLOW")]
    pub(crate) only: Option<String>,
    /// Sin once: whoever creates this file first sins, everyone later behaves.
    #[arg(long, value_name = "FILE")]
    pub(crate) once: Option<PathBuf>,
    /// Sin at the start until this file exists.
    #[arg(long, value_name = "FILE")]
    pub(crate) until: Option<PathBuf>,

    /// Behave, but in lines of JSON.
    #[arg(long)]
    pub(crate) json_lines: bool,
    /// Behave, but offer no feature.
    #[arg(long)]
    pub(crate) no_features: bool,

    /// Print this text and a line end to stdout before Hello.
    #[arg(long, value_name = "TEXT")]
    pub(crate) print_before_hello: Option<String>,
    /// Print this much text to stdout before Hello.
    #[arg(long, value_name = "BYTES")]
    pub(crate) flood_before_hello: Option<usize>,
    /// Exit at once with this code, after a line on stderr.
    #[arg(long, value_name = "CODE")]
    pub(crate) exit_at_once: Option<u8>,
    /// Never say Hello.
    #[arg(long)]
    pub(crate) never_hello: bool,
    /// Speak only version 99.
    #[arg(long)]
    pub(crate) wrong_version: bool,
    /// Say InitFailed with this message.
    #[arg(long, value_name = "MESSAGE")]
    pub(crate) init_failed: Option<String>,
    /// Take this long between Welcome and Ready.
    #[arg(long, value_name = "MS")]
    pub(crate) slow_start: Option<u64>,
    /// Never say Ready.
    #[arg(long)]
    pub(crate) never_ready: bool,

    /// Say Goodbye to an Execute and leave.
    #[arg(long)]
    pub(crate) goodbye_on_execute: bool,
    /// Say nothing to an Execute.
    #[arg(long)]
    pub(crate) never_started: bool,
    /// SIGKILL to itself before Started.
    #[arg(long)]
    pub(crate) crash_before_started: bool,
    /// SIGKILL to itself after Started.
    #[arg(long)]
    pub(crate) crash_after_started: bool,
    /// Exit with this code after Started.
    #[arg(long, value_name = "CODE")]
    pub(crate) exit_code: Option<u8>,
    /// Write this line to stderr after Started.
    #[arg(long, value_name = "TEXT")]
    pub(crate) stderr: Option<String>,
    /// Write this much text to stderr, in lines, after Started.
    #[arg(long, value_name = "BYTES")]
    pub(crate) flood_stderr: Option<usize>,
    /// Send this many log records after Started.
    #[arg(long, value_name = "RECORDS")]
    pub(crate) flood_logs: Option<u64>,
    /// Send Progress after Started, over and over and deaf to Cancel.
    #[arg(long)]
    pub(crate) flood_frames: bool,
    /// Print this text and a line end to stdout after Started.
    #[arg(long, value_name = "TEXT")]
    pub(crate) print_during_run: Option<String>,
    /// Announce a frame that is too long, after Started.
    #[arg(long)]
    pub(crate) hostile_length: bool,
    /// Announce a frame of no bytes, after Started.
    #[arg(long)]
    pub(crate) zero_length: bool,
    /// Write half a frame after Started, then nothing more.
    #[arg(long)]
    pub(crate) half_frame: bool,
    /// Send a body that is no message, after Started.
    #[arg(long)]
    pub(crate) bad_body: bool,
    /// Send a body that holds a text of 2^64 bytes, after Started.
    #[arg(long)]
    pub(crate) hostile_inner_length: bool,
    /// Behave, but send a message of a later version after Started.
    #[arg(long)]
    pub(crate) unknown_message: bool,
    /// Compute for ever, deaf to Cancel; SIGTERM works.
    #[arg(long)]
    pub(crate) busy_forever: bool,
    /// Swallow Cancel and SIGTERM, and go on for ever.
    #[arg(long)]
    pub(crate) ignore_cancel: bool,
    /// Take and keep this much memory, then wait for a Cancel.
    #[arg(long, value_name = "MIB")]
    pub(crate) leak_memory: Option<usize>,
    /// Leave a grandchild that holds the inherited descriptors for so long.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) hold_pipes: Option<u32>,
    /// Leave a grandchild in a session of its own that holds the inherited descriptors for so long.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) setsid_grandchild: Option<u32>,

    /// Leave a child that writes to stderr without end.
    #[arg(long)]
    pub(crate) flooding_child: bool,

    /// Return a string of this length.
    #[arg(long, value_name = "BYTES")]
    pub(crate) big_result: Option<usize>,
    /// Return bytes that are no JSON.
    #[arg(long)]
    pub(crate) invalid_result: bool,
    /// Finish a run nobody asked for.
    #[arg(long)]
    pub(crate) wrong_run: bool,
    /// Say Finished twice, with another result.
    #[arg(long)]
    pub(crate) second_finished: bool,
    /// Say Started after Finished.
    #[arg(long)]
    pub(crate) started_after_finished: bool,
    /// Exit right after Finished; Started and Finished go out in one write.
    #[arg(long)]
    pub(crate) exit_after_finished: bool,
    /// Never say Idle.
    #[arg(long)]
    pub(crate) never_idle: bool,
    /// Behave, but ask to be replaced in every Idle.
    #[arg(long)]
    pub(crate) ask_recycle: bool,
}

impl Sins {
    /// Whether to sin at the start.
    pub(crate) fn at_start(&self) -> bool {
        match (&self.until, &self.only) {
            (Some(file), _) => !file.exists(),
            (None, Some(_)) => false,
            (None, None) => true,
        }
    }

    /// Whether to sin in a run of this workflow. Uses up `--once`.
    pub(crate) fn in_run(&self, workflow: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == workflow)
            && self.once.as_ref().is_none_or(|file| File::create_new(file).is_ok())
    }
}
