//! The keys that secrets are encrypted with where they are kept, and the only place that does it.
//!
//! A secret is sealed with XChaCha20-Poly1305 under the first of the keys, bound to its organization and its own key, so
//! that no row can be put in the place of another. The others are there to read what was sealed before. A dump of the
//! database does not hold a secret, whoever has it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, AeadCore as _, KeyInit as _, OsRng, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use secrecy::ExposeSecret as _;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use crate::Settings;

/// How many bytes a key has.
const KEY_BYTES: usize = 32;
/// How many bytes stand before what is encrypted.
const NONCE_BYTES: usize = 24;
/// The namespace of the ids of keys.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d75_7374_6572_5000_8000_7365_6372_6574);

/// The keys, the one to encrypt with first.
#[derive(Clone, Default)]
pub struct SecretKeys(Vec<SecretKey>);

#[derive(Clone)]
struct SecretKey {
    id: String,
    key: Key,
}

impl fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

/// Why a secret could not be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretKeyError {
    /// There is nothing to encrypt with.
    #[error(
        "secrets are kept encrypted, and this supervisor has no key: make one with `supervisor secret key`, and set it as \
         MUSTER_SECRET_KEY or in a file that secret_key_file names, the same for every supervisor on this database"
    )]
    NoKey,
    /// It was encrypted with a key that is not among ours.
    #[error(
        "the secret {key:?} is encrypted with the key {key_id}, which this supervisor does not have: add that key to \
         secret_key, behind the current one"
    )]
    UnknownKey {
        /// The key of the secret.
        key: String,
        /// The id of what it was encrypted with.
        key_id: String,
    },
    /// It is not what was written.
    #[error("the secret {0:?} was changed or moved by hand and cannot be read: set it again")]
    Damaged(String),
}

/// A secret as its row has it.
#[derive(Debug)]
pub struct SealedSecret {
    /// The id of the key it is encrypted with.
    pub key_id: String,
    /// What stands in the place of its value, JSON text.
    pub value: Box<RawValue>,
}

impl Settings {
    /// The keys of the settings.
    pub fn secret_keys(&self) -> SecretKeys {
        // What is no key was refused when the settings were read.
        self.secret_key
            .as_ref()
            .and_then(|keys| SecretKeys::parse(keys.expose_secret()).ok())
            .unwrap_or_default()
    }
}

impl SecretKeys {
    /// Reads keys with blanks or commas between.
    ///
    /// # Errors
    /// When one is no key; the message does not show it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words = text.split(|one: char| one == ',' || one.is_whitespace()).filter(|word| !word.is_empty());
        let read = |(place, word): (usize, &str)| {
            let bytes = STANDARD.decode(word).ok().and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok());
            let bytes = bytes.ok_or_else(|| {
                format!("must be keys made by `supervisor secret key`, and number {} is none", place + 1)
            })?;
            let id = Uuid::new_v5(&NAMESPACE, &bytes).simple().to_string();
            Ok(SecretKey { id: id.chars().take(12).collect(), key: Key::from(bytes) })
        };
        words.enumerate().map(read).collect::<Result<_, String>>().map(Self)
    }

    /// A new key, as text.
    pub fn make() -> String {
        STANDARD.encode(XChaCha20Poly1305::generate_key(&mut OsRng))
    }

    /// The id of the key that secrets are encrypted with from now on.
    pub fn current(&self) -> Option<&str> {
        self.0.first().map(|key| key.id.as_str())
    }

    /// Whether there is a key with this id.
    pub fn has(&self, key_id: &str) -> bool {
        self.0.iter().any(|key| key.id == key_id)
    }

    /// Encrypts a secret.
    ///
    /// # Errors
    /// When there is no key.
    pub fn seal(
        &self,
        owner: Option<Uuid>,
        key: &str,
        value: &RawValue,
    ) -> Result<SealedSecret, SecretKeyError> {
        let current = self.0.first().ok_or(SecretKeyError::NoKey)?;
        let nonce = XChaCha20Poly1305::generate_nonce(&mut OsRng);
        let payload = Payload { msg: value.get().as_bytes(), aad: &place(owner, key) };
        let sealed = XChaCha20Poly1305::new(&current.key).encrypt(&nonce, payload);
        let sealed = sealed.map_err(|_| SecretKeyError::Damaged(key.to_owned()))?;
        let text = STANDARD.encode([&nonce[..], &sealed].concat());
        let value = to_raw_value(&text).map_err(|_| SecretKeyError::Damaged(key.to_owned()))?;
        Ok(SealedSecret { key_id: current.id.clone(), value })
    }

    /// Decrypts what was sealed.
    ///
    /// # Errors
    /// When the key is not there, or it is not what was written.
    pub fn open(
        &self,
        owner: Option<Uuid>,
        key: &str,
        key_id: &str,
        value: &RawValue,
    ) -> Result<Box<RawValue>, SecretKeyError> {
        let known = self.0.iter().find(|known| known.id == key_id);
        let known = known
            .ok_or_else(|| SecretKeyError::UnknownKey { key: key.to_owned(), key_id: key_id.to_owned() })?;
        let opened = || {
            let text: String = serde_json::from_str(value.get()).ok()?;
            let bytes = STANDARD.decode(text).ok()?;
            let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES)?;
            let nonce = XNonce::from(<[u8; NONCE_BYTES]>::try_from(nonce).ok()?);
            let payload = Payload { msg: sealed, aad: &place(owner, key) };
            let open = XChaCha20Poly1305::new(&known.key).decrypt(&nonce, payload).ok()?;
            RawValue::from_string(String::from_utf8(open).ok()?).ok()
        };
        opened().ok_or_else(|| SecretKeyError::Damaged(key.to_owned()))
    }
}

/// What a secret is bound to.
fn place(owner: Option<Uuid>, key: &str) -> Vec<u8> {
    let owner = owner.map(|id| id.to_string()).unwrap_or_default();
    format!("{owner}\n{key}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn what_is_sealed_is_opened_by_the_same_key_in_the_same_place_only() {
        let (old, new) = (SecretKeys::make(), SecretKeys::make());
        let keys = SecretKeys::parse(&old).unwrap();
        let owner = Some(Uuid::from_u128(7));
        let sealed = keys.seal(owner, "token", &raw("\"planted\"")).unwrap();
        assert!(!sealed.value.get().contains("planted"));
        let open = |keys: &SecretKeys, owner, key: &str| keys.open(owner, key, &sealed.key_id, &sealed.value);
        assert_eq!(open(&keys, owner, "token").unwrap().get(), "\"planted\"");
        for (owner, key) in [(None, "token"), (owner, "other")] {
            assert_eq!(open(&keys, owner, key).unwrap_err(), SecretKeyError::Damaged(key.to_owned()));
        }
        let rotated = SecretKeys::parse(&format!("{new}, {old}\n")).unwrap();
        assert_eq!(open(&rotated, owner, "token").unwrap().get(), "\"planted\"");
        assert_ne!(rotated.current(), keys.current());
        let lost = SecretKeys::parse(&new).unwrap();
        assert!(matches!(open(&lost, owner, "token"), Err(SecretKeyError::UnknownKey { .. })));
        // Twice the same is not seen to be the same.
        assert_ne!(sealed.value.get(), keys.seal(owner, "token", &raw("\"planted\"")).unwrap().value.get());
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_shown() {
        for wrong in ["hunter2", "AAAA", &format!("{} hunter2", SecretKeys::make())] {
            let error = SecretKeys::parse(wrong).unwrap_err();
            assert!(error.contains("supervisor secret key") && !error.contains("hunter2"), "{error}");
        }
        assert_eq!(SecretKeys::default().seal(None, "k", &raw("1")).unwrap_err(), SecretKeyError::NoKey);
        assert!(!format!("{:?}", SecretKeys::parse(&SecretKeys::make()).unwrap()).contains('='));
    }
}
