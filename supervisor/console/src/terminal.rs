//! Who reads what a command prints.

use std::io::IsTerminal;

/// Who reads a stream of ours.
#[derive(Clone, Copy, Debug)]
pub struct OutputStream {
    /// A terminal that shows colours.
    pub has_colours: bool,
}

impl OutputStream {
    /// Who reads stdout.
    pub fn stdout() -> Self {
        Self::of(&std::io::stdout())
    }

    /// Who reads stderr.
    pub fn stderr() -> Self {
        Self::of(&std::io::stderr())
    }

    fn of(stream: &impl IsTerminal) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { has_colours: wanted && stream.is_terminal() }
    }
}
