//! Long texts on a line: their beginning, or where two of them part.

/// How much of a long text is shown.
const SHOWN_MAX_CHARACTERS: usize = 400;
/// How much of what is shown stands before the place that matters.
const BEFORE_CHARACTERS: usize = 100;

/// Two texts side by side, around the first place where they differ.
pub fn side_by_side(then: &str, now: &str) -> (String, String) {
    let place = then.chars().zip(now.chars()).take_while(|(then, now)| then == now).count();
    (around(then, place), around(now, place))
}

/// The beginning of a text, with its length where it is cut.
pub fn beginning(text: &str) -> String {
    around(text, 0)
}

fn around(text: &str, place: usize) -> String {
    let total = text.chars().count();
    if total <= SHOWN_MAX_CHARACTERS {
        return text.to_owned();
    }
    let from = place.saturating_sub(BEFORE_CHARACTERS).min(total - SHOWN_MAX_CHARACTERS);
    let shown: String = text.chars().skip(from).take(SHOWN_MAX_CHARACTERS).collect();
    let before = if from > 0 { "... " } else { "" };
    let after = if from + SHOWN_MAX_CHARACTERS < total { " ..." } else { "" };
    let last = from + SHOWN_MAX_CHARACTERS;
    format!("{before}{shown}{after} (characters {} to {last} of {total})", from + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_shown_around_the_place_where_they_part() {
        assert_eq!(side_by_side("short", "other"), ("short".to_owned(), "other".to_owned()));
        let text = |middle: &str| format!("{}{middle}{}", "é".repeat(5000), "z".repeat(5000));
        let (then, now) = side_by_side(&text("THEN"), &text("NOW"));
        for (shown, middle, total) in [(&then, "THEN", 10_004), (&now, "NOW", 10_003)] {
            assert!(shown.contains(middle) && shown.chars().count() < 460, "{shown}");
            assert!(shown.ends_with(&format!(" ... (characters 4901 to 5300 of {total})")), "{shown}");
        }
        let (whole, longer) = side_by_side("begins", &format!("begins{}", "x".repeat(1000)));
        assert_eq!(whole, "begins");
        assert!(
            longer.starts_with("beginsxxx") && longer.ends_with("(characters 1 to 400 of 1006)"),
            "{longer}"
        );
    }
}
