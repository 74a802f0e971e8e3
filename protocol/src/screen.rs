//! Text of users where a person reads it.

use std::borrow::Cow;

/// Text that users wrote, fit to be shown: a title, a cleared screen or a carriage return is spelled out, so that no
/// terminal obeys it. Line ends and tabs stay.
///
/// Also for what goes into a pipe: at its end there often is a terminal all the same, behind a pager or a filter.
pub fn spelled_out(text: &str) -> Cow<'_, str> {
    let obeyed = |one: char| one.is_control() && one != '\n' && one != '\t';
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for one in text.chars() {
        if obeyed(one) { shown.extend(one.escape_default()) } else { shown.push(one) }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::spelled_out;

    #[test]
    fn a_terminal_is_not_told_what_to_do() {
        let text = "title \x1b]0;owned\x07 \x1b[2J\u{9b}2J\rover\x08\n\tnext é";
        let shown = "title \\u{1b}]0;owned\\u{7} \\u{1b}[2J\\u{9b}2J\\rover\\u{8}\n\tnext é";
        assert_eq!(spelled_out(text), shown);
        assert_eq!(spelled_out(shown), shown);
    }
}
