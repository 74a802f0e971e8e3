//! The keys that deliveries of webhooks are signed with, so that the receiver knows who sent one and when.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::OsRng;
use chacha20poly1305::aead::rand_core::RngCore as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What the keys of secrets begin with that deliveries are signed with. Runs are not given them.
pub const KEY_PREFIX: &str = "webhook.";
/// What a signing key begins with as text.
const PREFIX: &str = "whsec_";
/// How many bytes a key may have.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// How many bytes a new key has.
const NEW_KEY_BYTES: usize = 32;

/// A key that deliveries are signed with.
pub struct WebhookKey(Vec<u8>);

impl std::fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookKey")
    }
}

/// A text that is no signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no signing key: make one with `supervisor webhook key`")]
pub struct InvalidWebhookKey;

/// The key of the secret that deliveries of this webhook are signed with.
pub fn secret_of(webhook: &str) -> String {
    format!("{KEY_PREFIX}{webhook}")
}

/// A new key, as text.
pub fn make_key() -> String {
    let mut bytes = [0; NEW_KEY_BYTES];
    OsRng.fill_bytes(&mut bytes);
    format!("{PREFIX}{}", STANDARD.encode(bytes))
}

impl WebhookKey {
    /// Reads a key.
    ///
    /// # Errors
    /// When it is none; the message does not show it.
    pub fn parse(text: &str) -> Result<Self, InvalidWebhookKey> {
        let text = text.trim();
        let bytes =
            STANDARD.decode(text.strip_prefix(PREFIX).unwrap_or(text)).map_err(|_| InvalidWebhookKey)?;
        if KEY_BYTES.contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(InvalidWebhookKey) }
    }

    /// What `webhook-signature` says of a message of this id, sent at this second.
    pub fn sign(&self, id: &str, second: i64, body: &str) -> Result<String, InvalidWebhookKey> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).map_err(|_| InvalidWebhookKey)?;
        mac.update(format!("{id}.{second}.{body}").as_bytes());
        Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_specification() {
        // The example of the specification's own libraries.
        let key = WebhookKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for wrong in ["", "whsec_", "whsec_AAAA", "hunter2"] {
            assert!(WebhookKey::parse(wrong).is_err(), "{wrong}");
        }
        assert!(WebhookKey::parse(&make_key()).is_ok());
        assert_ne!(make_key(), make_key());
    }
}
