//! The server options as command-line flags, made from the list in `snaxum::config`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use snaxum::config::{OPTIONS, OptionSpec, ServerOptions};

const HEADING: &str = "Server options, also keys of [tool.snaxum] and SNAXUM_* variables";

/// The arguments of every command that loads a project.
#[derive(Args, Clone)]
pub(crate) struct ProjectArgs {
    /// Directory of the project, with `python/` in it; or an application as MODULE:ATTRIBUTE, such
    /// as main:app, whose project is the current directory
    #[arg(value_name = "DIR", default_value = ".")]
    target: PathBuf,
    #[command(flatten)]
    pub(crate) flags: ServerFlags,
}

impl From<PathBuf> for ProjectArgs {
    /// A directory, without flags.
    fn from(target: PathBuf) -> Self {
        Self { target, flags: ServerFlags(ServerOptions::default()) }
    }
}

impl ProjectArgs {
    /// The directory of the project.
    pub(crate) fn dir(&self) -> &Path {
        if self.app().is_some() { Path::new(".") } else { &self.target }
    }

    /// The application, if it is given in place of a directory.
    pub(crate) fn app(&self) -> Option<&str> {
        let text = self.target.to_str().filter(|text| text.contains(':'))?;
        (!self.target.exists()).then_some(text)
    }
}

/// Marks a path that follows an option with an optional value, and is a directory, as an argument of
/// its own: `serve --access-log DIR` serves DIR.
pub(crate) fn separate_directories(arguments: Vec<OsString>) -> Vec<OsString> {
    let is_optional = |argument: &OsString| {
        let name = argument.to_str().and_then(|argument| argument.strip_prefix("--"));
        name.is_some_and(|name| {
            OPTIONS.iter().any(|option| option.has_optional_value() && option.name == name)
        })
    };
    let mut separated: Vec<OsString> = Vec::with_capacity(arguments.len());
    for argument in arguments {
        if let Some(last) = separated.last_mut()
            && is_optional(last)
            && Path::new(&argument).is_dir()
        {
            last.push("=true");
        }
        separated.push(argument);
    }
    separated
}

/// One flag for each of [`OPTIONS`].
#[derive(Clone)]
pub(crate) struct ServerFlags(pub(crate) ServerOptions);

impl Args for ServerFlags {
    fn augment_args(command: Command) -> Command {
        command.args(OPTIONS.iter().map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ServerFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self(ServerOptions::default());
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for option in OPTIONS {
            if option.is_switch() {
                if matches.get_flag(option.name) {
                    set(&mut self.0, option, "true");
                }
                continue;
            }
            for value in matches.get_many::<String>(option.name).into_iter().flatten() {
                set(&mut self.0, option, value);
            }
        }
        Ok(())
    }
}

fn flag(option: &'static OptionSpec) -> Arg {
    let help = match option.default {
        "" => option.help.to_owned(),
        default => format!("{} [default: {default}]", option.help),
    };
    let arg = Arg::new(option.name).long(option.name).help(help).help_heading(HEADING);
    if option.is_switch() {
        return arg.action(ArgAction::SetTrue);
    }
    let check =
        |value: &str| ServerOptions::default().set(option.name, value).map(|()| value.to_owned());
    let action = if option.is_list { ArgAction::Append } else { ArgAction::Set };
    let arg = arg.value_parser(check).action(action);
    match option.has_optional_value() {
        true => arg
            .value_name(option.value_name.trim_matches(['[', ']']))
            .num_args(0..=1)
            .default_missing_value("true"),
        false => arg.value_name(option.value_name),
    }
}

fn set(options: &mut ServerOptions, option: &OptionSpec, value: &str) {
    options.set(option.name, value).expect("clap has checked the value");
}
