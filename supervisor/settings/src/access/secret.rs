//! The text of a token, and what is kept of it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::OsRng;
use chacha20poly1305::aead::rand_core::RngCore as _;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

/// What every token begins with, so that it is known for one wherever it turns up: in a log, in a repository.
pub const TOKEN_PREFIX: &str = "muster_";
/// How many random bytes a token has.
const TOKEN_BYTES: usize = 32;

/// A new token.
pub fn make_token() -> SecretString {
    let mut bytes = [0; TOKEN_BYTES];
    OsRng.fill_bytes(&mut bytes);
    SecretString::from(format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// Whether a text has the shape of a token that was made. Nobody comes to one by chance, and who chooses a token that begins
/// as these do has another.
pub fn is_made_token(text: &str) -> bool {
    let bytes = text.strip_prefix(TOKEN_PREFIX).and_then(|rest| URL_SAFE_NO_PAD.decode(rest).ok());
    bytes.is_some_and(|bytes| bytes.len() == TOKEN_BYTES)
}

/// What is kept of a token. It is 256 random bits: nobody can try them all, so it needs no hash that takes its time, as
/// a password does that people think of; and each request is worth one such hash.
pub fn hash_of(token: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(token.as_bytes()).iter().fold(String::with_capacity(64), |mut text, byte| {
        // A text takes whatever is written to it.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::is_token;

    #[test]
    fn a_token_is_known_for_one_travels_in_a_header_and_is_no_other() {
        let (one, other) = (make_token(), make_token());
        assert_eq!(one.expose_secret().len(), TOKEN_PREFIX.len() + 43);
        assert!(one.expose_secret().starts_with("muster_") && is_token(one.expose_secret()));
        assert_ne!(one.expose_secret(), other.expose_secret());
    }

    #[test]
    fn only_what_was_made_has_the_shape_of_it() {
        let made = make_token();
        let made = made.expose_secret();
        assert!(is_made_token(made));
        let random = made.trim_start_matches(TOKEN_PREFIX);
        for other in ["", "muster_", "muster_dev", "none", random, &made[..49], &format!("{made}A")] {
            assert!(!is_made_token(other), "{other}");
        }
    }

    #[test]
    fn what_is_kept_is_sha_256() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash_of("abc"), abc);
    }
}
