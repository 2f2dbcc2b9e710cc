//! How an option is declared: the macro that makes an entry of the list a field, a builder method, a
//! value from text, and a line of the help.
//!
//! The list is in `options.rs`.

/// The description of one option, for help and errors.
#[derive(Debug)]
pub struct OptionSpec {
    /// As `[tool.snaxum]` and the command line spell it.
    pub name: &'static str,
    /// The placeholder of its value, in brackets if it may be missing; empty for a switch.
    pub value_name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// The default as people read it; empty if there is none.
    pub default: &'static str,
    /// Whether it can be repeated.
    pub is_list: bool,
}

impl OptionSpec {
    /// Whether the name alone turns it on.
    pub fn is_switch(&self) -> bool {
        self.value_name.is_empty()
    }

    /// Whether its value is a number, or begins with one.
    pub(crate) fn is_numeric(&self) -> bool {
        matches!(self.value_name, "PORT" | "N" | "SIZE" | "TIME")
    }

    /// Whether the name alone turns it on, and it can have a value.
    pub fn has_optional_value(&self) -> bool {
        self.value_name.starts_with('[')
    }
}

/// The values of one option in one source.
pub(super) trait Setting: Default {
    type Value;
    const IS_LIST: bool;
    fn add(&mut self, value: Self::Value);
    fn or(self, other: Self) -> Self;
}

impl<T> Setting for Option<T> {
    type Value = T;
    const IS_LIST: bool = false;

    fn add(&mut self, value: T) {
        *self = Some(value);
    }

    fn or(self, other: Self) -> Self {
        self.or(other)
    }
}

impl<T> Setting for Vec<T> {
    type Value = T;
    const IS_LIST: bool = true;

    fn add(&mut self, value: T) {
        self.push(value);
    }

    fn or(self, other: Self) -> Self {
        if self.is_empty() { other } else { self }
    }
}

/// The type of a setting: an option with a default may be missing in a source.
macro_rules! setting {
    ($type:ty) => { $type };
    ($type:ty, $default:expr) => { Option<$type> };
}

pub(super) fn is_default<T: Default + PartialEq>(setting: &T) -> bool {
    *setting == T::default()
}

macro_rules! resolve {
    ($setting:expr) => {
        $setting
    };
    ($setting:expr, $default:expr) => {
        $setting.unwrap_or_else(|| $default)
    };
}

// /// Help.
// "name", "VALUE", parser, builder_method(argument) => config_field: type [= default, "shown"];
macro_rules! options {
    ($(
        $(#[doc = $help:literal])+
        $name:literal, $value:literal, $parse:ident, $method:ident($argument:ty)
            => $field:ident: $type:ty $(= $default:expr)? $(, $shown:literal)?;
    )+) => {
        /// The options of a server. Created by [`SnaxumConfig::builder`].
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub struct SnaxumConfig {
            /// The directory that paths are shown from and that contains `.venv`; absolute.
            pub project_dir: PathBuf,
            /// Whether to reload on save and to serve the console.
            pub dev: bool,
            /// Whether the runtime only loads the modules, to inspect the routes.
            pub load_only: bool,
            /// The number of the first generation; more than 1 after a restart.
            pub first_generation: u64,
            /// Where a crash of this process is recorded.
            pub crash_record: Option<Arc<CrashRecord>>,
            /// The place of this process in its server.
            pub process: ServerProcess,
            /// Where a file sets its options.
            pub places: OptionPlaces,
            $($(#[doc = $help])+ pub $field: $type,)+
        }

        /// The server options that one source sets.
        #[derive(Clone, Debug, Default, PartialEq)]
        #[non_exhaustive]
        pub struct ServerOptions {
            $($(#[doc = $help])+ pub $field: $crate::config::declaration::setting!($type $(, $default)?),)+
        }

        /// Collects options; [`build`](Self::build) checks them.
        #[derive(Clone, Debug, Default)]
        pub struct SnaxumConfigBuilder {
            pub(super) project_dir: Option<PathBuf>,
            pub(super) dev: bool,
            pub(super) load_only: bool,
            pub(super) first_generation: Option<u64>,
            pub(super) crash_record: Option<Arc<CrashRecord>>,
            pub(super) process: ServerProcess,
            pub(super) places: OptionPlaces,
            pub(super) options: ServerOptions,
        }

        /// All options, in the order of the help.
        pub const OPTIONS: &[OptionSpec] = &[$(OptionSpec {
            name: $name,
            value_name: $value,
            help: concat!($($help),+).trim_ascii(),
            default: concat!($($shown)?),
            is_list: <$crate::config::declaration::setting!($type $(, $default)?) as Setting>::IS_LIST,
        },)+];

        impl SnaxumConfigBuilder {
            $(
                #[doc = concat!("Sets `", $name, "`.")]
                #[doc = ""]
                $(#[doc = $help])+
                $(#[doc = concat!("\n\nDefault: ", $shown, ".")])?
                pub fn $method(mut self, value: $argument) -> Self {
                    self.options.$field.add(value.into());
                    self
                }
            )+
        }

        impl ServerOptions {
            /// Fills the missing options from `other`.
            pub fn or(self, other: Self) -> Self {
                let other = self.without_replaced(other);
                Self { $($field: Setting::or(self.$field, other.$field),)+ }
            }

            /// Sets one of [`OPTIONS`] from text; a list gets one more item.
            ///
            /// # Errors
            ///
            /// The value and the expected form, to follow "`name` is".
            pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
                match name {
                    $($name => self.$field.add($parse(value)?.into()),)+
                    _ => unreachable!("the caller took the name from OPTIONS"),
                }
                Ok(())
            }

            /// Whether one of [`OPTIONS`] is set.
            pub fn sets(&self, name: &str) -> bool {
                match name {
                    $($name => !is_default(&self.$field),)+
                    _ => unreachable!("the caller took the name from OPTIONS"),
                }
            }

            /// Applies the defaults.
            pub(crate) fn into_config(self, project_dir: PathBuf) -> SnaxumConfig {
                SnaxumConfig {
                    project_dir,
                    dev: false,
                    load_only: false,
                    first_generation: 1,
                    crash_record: None,
                    process: ServerProcess::default(),
                    places: OptionPlaces::default(),
                    $($field: $crate::config::declaration::resolve!(self.$field $(, $default)?),)+
                }
            }
        }
    };
}

pub(super) use {options, resolve, setting};
