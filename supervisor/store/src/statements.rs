//! Lists the statements of an adapter, each in a file of its own beside the list.

/// Defines a constant for each statement, and `ALL` of them. The files are looked for beside the file that lists them.
macro_rules! statements {
    ($($name:ident = $file:literal,)*) => {
        $(pub(super) const $name: &str = include_str!(concat!("sql/", $file, ".sql"));)*

        /// All of them, by the names of their files.
        pub(super) const ALL: &[(&str, &str)] = &[$(($file, $name)),*];
    };
}

pub(crate) use statements;
