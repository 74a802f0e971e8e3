//! Numbers that JSON has. What is none would reach the supervisor as nothing at all.

/// Reads a number for a flag.
///
/// # Errors
/// When the text is no number, or one such as `NaN` and `inf`, in words for whoever typed it.
pub fn finite(given: &str) -> Result<f64, String> {
    match given.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) | Err(_) => Err("it must be a number, such as 2 or 0.5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::finite;

    #[test]
    fn what_json_does_not_have_is_refused() {
        for given in ["NaN", "inf", "-inf", "infinity", "1e999", "", "two"] {
            assert!(finite(given).is_err(), "{given}");
        }
        assert_eq!(finite("-0.5"), Ok(-0.5));
    }
}
