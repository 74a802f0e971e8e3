//! The command line as clap sees it: nothing clashes, every command helps with examples.

use clap::{CommandFactory as _, Parser as _};

use super::Cli;

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_examples() {
    let mut command = Cli::command();
    command.build();
    assert_commands_have_examples(&mut command, "supervisor");
}

fn assert_commands_have_examples(command: &mut clap::Command, path: &str) {
    for command in command.get_subcommands_mut().filter(|command| command.get_name() != "help") {
        let path = format!("{path} {}", command.get_name());
        let help = command.render_long_help().to_string();
        let examples = help.split_once("Examples:").map_or("", |(_, examples)| examples);
        assert!(examples.contains(&path), "{path} has no examples in its help");
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty(), "{path} does not say what it does");
        assert_commands_have_examples(command, &path);
    }
}

#[test]
fn usage_errors_exit_with_2() {
    for line in [&["supervisor", "confi"][..], &["supervisor", "config", "--max-worker", "3"]] {
        assert_eq!(Cli::try_parse_from(line).unwrap_err().exit_code(), 2);
    }
}
