//! The command line of a worker program: serve a supervisor, run one execution here or run it again, list workflows.

mod arguments;
mod here;
mod list;
mod recorded;
mod replay;
mod replayed;
mod run;
mod terminal;

pub(crate) use terminal::TerminalLine;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use arguments::{WorkerArguments, WorkerCommand};
use clap::error::ErrorKind;
use clap::{Arg, Command, CommandFactory, FromArgMatches};
use muster_protocol::wire::Spelling;
use muster_protocol::{CONFORMANCE_ENV, PROTOCOL_ENV};

use crate::serve::exit;
use crate::worker::Worker;

/// The environment variables that are for the worker and not for user code.
const OWN_VARIABLES: [&str; 2] = [PROTOCOL_ENV, CONFORMANCE_ENV];
/// What the default worker is called, also in the examples of its help.
const DEFAULT_NAME: &str = "worker";
/// A command line that makes no sense, on the side of the command-line program.
pub(crate) const EXIT_USAGE: u8 = 2;

/// Does what the command line says.
pub(crate) fn main(worker: Worker) -> ExitCode {
    let asked_to_serve = std::env::var_os(PROTOCOL_ENV).is_some();
    let conformance = std::env::var_os(CONFORMANCE_ENV).is_some_and(|value| value == "1");
    crate::trusted::remove_environment(&OWN_VARIABLES);
    let parsed = command_line(&program_name(), worker.has_javascript()).try_get_matches();
    let arguments = match parsed.and_then(|matches| WorkerArguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) => return ExitCode::from(refuse(&error, asked_to_serve)),
    };
    let has_javascript = worker.has_javascript();
    let engines = worker.into_engines(conformance);
    let code = match arguments.command {
        Some(WorkerCommand::Serve { json }) => {
            crate::serve::serve(engines, if json { Spelling::JsonLines } else { Spelling::Binary })
        }
        Some(WorkerCommand::Run(options)) => run::run(engines, options),
        Some(WorkerCommand::Replay(options)) => replay::replay(engines, options),
        Some(WorkerCommand::List { workflows_dir, json }) => list::list(engines, workflows_dir, json),
        None if asked_to_serve => crate::serve::serve(engines, Spelling::Binary),
        None => help(has_javascript),
    };
    ExitCode::from(code)
}

/// What this program is called by whoever started it.
fn program_name() -> String {
    let name = std::env::args_os().next().map(PathBuf::from);
    let name = name.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| DEFAULT_NAME.to_owned())
}

/// The command line in the words of this program: a worker of somebody's own has its own name in the examples, and no
/// flags for the files of JavaScript it does not run.
fn command_line(program: &str, has_javascript: bool) -> Command {
    let mut command = named(WorkerArguments::command(), program).name(program.to_owned()).bin_name(program);
    for subcommand in ["serve", "run", "replay", "list"] {
        command = command.mut_subcommand(subcommand, |subcommand| {
            let subcommand = named(subcommand, program);
            if has_javascript { subcommand } else { subcommand.mut_args(hide_those_of_files) }
        });
    }
    command
}

fn named(command: Command, program: &str) -> Command {
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    command.after_help(examples.replace(&format!("{DEFAULT_NAME} "), &format!("{program} ")))
}

fn hide_those_of_files(argument: Arg) -> Arg {
    let is_of_files = ["code", "workflows_dir", "memory_limit_mb"].contains(&argument.get_id().as_str());
    argument.hide(is_of_files)
}

/// Without arguments and without a supervisor there is nothing to do but to say what could be done.
fn help(has_javascript: bool) -> u8 {
    let text = command_line(&program_name(), has_javascript).render_long_help();
    if std::io::stdout().is_terminal() || std::io::stdin().is_terminal() {
        // If nobody reads the help, nobody needs it.
        let _ = write!(std::io::stdout().lock(), "{text}");
        return exit::DONE;
    }
    let _ =
        write!(std::io::stderr().lock(), "{text}\nSet {PROTOCOL_ENV}=1 or say `serve` to serve frames.\n");
    exit::USAGE
}

fn refuse(error: &clap::Error, asked_to_serve: bool) -> u8 {
    // The reader of a broken pipe does not want the text.
    let _ = error.print();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        exit::DONE
    } else if asked_to_serve {
        exit::USAGE
    } else {
        EXIT_USAGE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help_of(program: &str, has_javascript: bool) -> String {
        let mut command = command_line(program, has_javascript);
        let mut text = command.render_long_help().to_string();
        for subcommand in command.get_subcommands_mut() {
            text.push_str(&subcommand.render_long_help().to_string());
        }
        text
    }

    #[test]
    fn a_worker_of_somebodys_own_speaks_of_itself() {
        let help = help_of("billing", false);
        for text in ["Usage: billing", "billing run hello", "billing replay failure.jsonl", "'billing serve'"]
        {
            assert!(help.contains(text), "{text} is not in\n{help}");
        }
        for text in ["worker run", "--workflows-dir <", "--code <", "--memory-limit-mb"] {
            assert!(!help.contains(text), "{text} is in\n{help}");
        }
        command_line("billing", false).debug_assert();
    }

    #[test]
    fn the_default_worker_has_flags_for_its_files() {
        let help = help_of("worker", true);
        for text in ["worker run hello", "--workflows-dir <", "--code <", "--memory-limit-mb"] {
            assert!(help.contains(text), "{text} is not in\n{help}");
        }
    }
}
