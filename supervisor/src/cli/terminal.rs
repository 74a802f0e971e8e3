//! Text of users on the terminal of an operator: in colours, and without power over the terminal.

use std::borrow::Cow;
use std::io::IsTerminal;

/// Who reads a stream of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputStream {
    /// A terminal obeys control characters. A file or a program gets the text as it is.
    is_terminal: bool,
    /// A terminal that shows colours.
    pub(crate) has_colours: bool,
}

impl OutputStream {
    /// Who reads stdout.
    pub(crate) fn stdout() -> Self {
        Self::of(&std::io::stdout())
    }

    /// Who reads stderr.
    pub(crate) fn stderr() -> Self {
        Self::of(&std::io::stderr())
    }

    fn of(stream: &impl IsTerminal) -> Self {
        let is_terminal = stream.is_terminal();
        let has_colours = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { is_terminal, has_colours }
    }

    /// Text that users wrote, fit to be shown: on a terminal a title or a cleared screen is spelled out, not obeyed.
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let obeyed = |one: char| one.is_control() && one != '\n' && one != '\t';
        if !self.is_terminal || !text.contains(obeyed) {
            return Cow::Borrowed(text);
        }
        let mut shown = String::with_capacity(text.len() + 16);
        for one in text.chars() {
            if obeyed(one) { shown.extend(one.escape_default()) } else { shown.push(one) }
        }
        Cow::Owned(shown)
    }
}

#[cfg(test)]
impl OutputStream {
    /// A terminal without colours.
    pub(crate) const PLAIN: Self = Self { is_terminal: true, has_colours: false };
    /// A file or a pipe.
    pub(crate) const PIPE: Self = Self { is_terminal: false, has_colours: false };
}

#[cfg(test)]
mod tests {
    use super::OutputStream;

    #[test]
    fn a_terminal_is_not_told_what_to_do() {
        let text = "title \x1b]0;owned\x07 \x1b[2J\u{9b}2J\rover\x08\n\tnext é";
        let shown = "title \\u{1b}]0;owned\\u{7} \\u{1b}[2J\\u{9b}2J\\rover\\u{8}\n\tnext é";
        assert_eq!(OutputStream::PLAIN.text(text), shown);
        assert_eq!(OutputStream::PIPE.text(text), text);
    }
}
