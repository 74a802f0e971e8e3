//! How the server is spoken to: what its URL says, and the certificates of the settings.

use std::str::FromStr as _;

use muster_system::certificates::ServerAddress;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::BACKEND;
use crate::{Result, StoreError};

/// The names under which a URL says how it is to be encrypted.
const SSL_MODE: [&str; 2] = ["sslmode=", "ssl-mode="];

/// The options of a URL. With a private authority's certificate the server is verified, unless the URL says otherwise.
pub(super) fn options(address: &ServerAddress) -> Result<PgConnectOptions> {
    let mut options = PgConnectOptions::from_str(&address.url).map_err(|error| {
        incompatible(format!(
            "database_url cannot be read: {error}; write postgres://USER:PASSWORD@HOST:PORT/DATABASE"
        ))
    })?;
    let certificates = address.certificates.read().map_err(|error| incompatible(error.to_string()))?;
    if let Some(ca) = certificates.ca {
        options = options.ssl_root_cert_from_pem(ca);
        if !SSL_MODE.iter().any(|name| address.url.contains(name)) {
            options = options.ssl_mode(PgSslMode::VerifyFull);
        }
    }
    if let Some((certificate, key)) = certificates.identity {
        options = options.ssl_client_cert_from_pem(certificate).ssl_client_key_from_pem(key);
    }
    Ok(options)
}

fn incompatible(message: String) -> StoreError {
    StoreError::Incompatible { backend: BACKEND, message }
}
