//! Every setting as a flag, made from the table of settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use muster_settings::{KEYS, REMOVED, Raw, SettingKey, Settings, SettingsError, Sources};

/// `--config FILE` and one flag per setting.
#[derive(Clone, Debug, Default)]
pub struct SettingFlags {
    config: Option<PathBuf>,
    flags: BTreeMap<&'static str, Raw>,
}

impl SettingFlags {
    /// Where the settings of this process come from.
    pub fn sources(&self) -> Sources {
        Sources::of_process(self.config.clone(), self.flags.clone())
    }

    /// The settings of this process.
    pub fn load(&self) -> Result<Settings, SettingsError> {
        Settings::load(&self.sources())
    }

    /// The settings of a command that lets nobody in.
    pub fn load_letting_nobody_in(&self) -> Result<Settings, SettingsError> {
        Settings::load(&self.sources().letting_nobody_in())
    }
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("The settings file [default: ./muster.toml, else /etc/muster/muster.toml]");
        command
            .arg(config.help_heading("Settings"))
            .args(KEYS.iter().map(flag))
            .args(REMOVED.iter().map(|(key, _)| removed_flag(key)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(key: &'static SettingKey) -> Arg {
    let default = if key.default.is_empty() { String::new() } else { format!(" [default: {}]", key.default) };
    // A negative number is the setting's to judge: its error says what would be right.
    Arg::new(key.name)
        .long(key.flag())
        .value_name(key.placeholder)
        .action(if key.is_list { ArgAction::Append } else { ArgAction::Set })
        .allow_negative_numbers(true)
        .help(format!("{}{default}", key.help.trim()))
        .help_heading("Settings")
}

/// Taken, and refused with the other problems of the settings, so that its error says what replaced it.
fn removed_flag(key: &'static str) -> Arg {
    Arg::new(key).long(key.replace('_', "-")).num_args(0..=1).hide(true)
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.config = matches.get_one::<PathBuf>("config").cloned();
        for key in KEYS {
            let Some(values) = matches.get_many::<String>(key.name) else { continue };
            let mut values: Vec<String> = values.cloned().collect();
            let raw =
                if key.is_list { Raw::List(values) } else { Raw::Text(values.pop().unwrap_or_default()) };
            self.flags.insert(key.name, raw);
        }
        let removed = REMOVED.iter().filter(|(key, _)| matches.contains_id(key));
        self.flags.extend(removed.map(|(key, _)| (*key, Raw::Text(String::new()))));
        Ok(())
    }
}
