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
use std::process::ExitCode;

use arguments::{WorkerArguments, WorkerCommand};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use muster_protocol::wire::Spelling;
use muster_protocol::{CONFORMANCE_ENV, PROTOCOL_ENV};

use crate::serve::exit;
use crate::worker::Worker;

/// The environment variables that are for the worker and not for user code.
const OWN_VARIABLES: [&str; 2] = [PROTOCOL_ENV, CONFORMANCE_ENV];
/// A command line that makes no sense, on the side of the command-line program.
pub(crate) const EXIT_USAGE: u8 = 2;

/// Does what the command line says.
pub(crate) fn main(worker: Worker) -> ExitCode {
    let asked_to_serve = std::env::var_os(PROTOCOL_ENV).is_some();
    let conformance = std::env::var_os(CONFORMANCE_ENV).is_some_and(|value| value == "1");
    crate::trusted::remove_environment(&OWN_VARIABLES);
    let arguments = match WorkerArguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return ExitCode::from(refuse(&error, asked_to_serve)),
    };
    let engines = worker.into_engines(conformance);
    let code = match arguments.command {
        Some(WorkerCommand::Serve { json }) => {
            crate::serve::serve(engines, if json { Spelling::JsonLines } else { Spelling::Binary })
        }
        Some(WorkerCommand::Run(options)) => run::run(engines, options),
        Some(WorkerCommand::Replay(options)) => replay::replay(engines, options),
        Some(WorkerCommand::List { workflows_dir, json }) => list::list(engines, workflows_dir, json),
        None if asked_to_serve => crate::serve::serve(engines, Spelling::Binary),
        None => help(),
    };
    ExitCode::from(code)
}

/// Without arguments and without a supervisor there is nothing to do but to say what could be done.
fn help() -> u8 {
    let text = WorkerArguments::command().render_long_help();
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
