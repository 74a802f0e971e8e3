//! The files by which servers are verified, and by which they verify us: a private authority's certificate, our own
//! certificate and its key, all as PEM. What speaks TLS is in the adapters.

use std::path::{Path, PathBuf};

/// Where the certificates are. Each may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFiles {
    /// Certificates of the authorities that sign servers' certificates.
    pub ca: Option<PathBuf>,
    /// Our certificate, for servers that want one.
    pub certificate: Option<PathBuf>,
    /// Its private key, without a passphrase.
    pub key: Option<PathBuf>,
}

/// The files' contents, as PEM.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    /// The authorities.
    pub ca: Option<Vec<u8>>,
    /// Our certificate, and its key.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl std::fmt::Debug for Certificates {
    /// Without the contents, of which one is secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ca, identity } = self;
        write!(f, "Certificates {{ ca: {}, identity: {} }}", ca.is_some(), identity.is_some())
    }
}

/// A certificate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// A file that cannot be read.
    #[error("{setting} {file} cannot be read: {message}; make it readable for the supervisor's user", file = file.display())]
    Unreadable {
        /// Which setting.
        setting: &'static str,
        /// Which file.
        file: PathBuf,
        /// What the system said.
        message: String,
    },
    /// A file without what it should hold.
    #[error("{setting} {file} holds no {wanted} as PEM (a line -----BEGIN …-----)", file = file.display())]
    NotPem {
        /// Which setting.
        setting: &'static str,
        /// Which file.
        file: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// One of two that belong together.
    #[error("tls_cert_file and tls_key_file belong together: give both, or none")]
    Half,
}

impl CertificateFiles {
    /// Reads what there is. Files are small, and read anew for each new connection's settings, so that a renewed
    /// certificate counts from the next start on.
    ///
    /// # Errors
    /// When a file cannot be read, or holds something else.
    pub fn read(&self) -> Result<Certificates, CertificateError> {
        let ca = match &self.ca {
            Some(file) => Some(read("tls_ca_file", file, "certificate", "CERTIFICATE")?),
            None => None,
        };
        let identity = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some((
                read("tls_cert_file", certificate, "certificate", "CERTIFICATE")?,
                read("tls_key_file", key, "private key", "PRIVATE KEY")?,
            )),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(CertificateError::Half),
        };
        Ok(Certificates { ca, identity })
    }
}

fn read(
    setting: &'static str,
    file: &Path,
    wanted: &'static str,
    label: &str,
) -> Result<Vec<u8>, CertificateError> {
    let pem = std::fs::read(file).map_err(|error| CertificateError::Unreadable {
        setting,
        file: file.to_owned(),
        message: error.to_string(),
    })?;
    // RSA and EC keys have a word before the label.
    let text = String::from_utf8_lossy(&pem);
    let is_there = text
        .lines()
        .any(|line| line.starts_with("-----BEGIN ") && line.trim_end().ends_with(&format!("{label}-----")));
    if is_there { Ok(pem) } else { Err(CertificateError::NotPem { setting, file: file.to_owned(), wanted }) }
}

/// A server's URL, and the certificates for it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ServerAddress {
    /// The URL, which may hold a password.
    pub url: String,
    /// Where the certificates are.
    pub certificates: CertificateFiles,
}

impl From<&str> for ServerAddress {
    /// A server that is verified by the public authorities, if at all.
    fn from(url: &str) -> Self {
        Self { url: url.to_owned(), certificates: CertificateFiles::default() }
    }
}

impl From<&String> for ServerAddress {
    fn from(url: &String) -> Self {
        Self::from(url.as_str())
    }
}

impl std::fmt::Debug for ServerAddress {
    /// Without the URL.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerAddress").field("certificates", &self.certificates).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_says_what_is_wrong_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Some(path)
        };
        let ca = file("ca", "text before\n-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----\n");
        let key = file("key", "-----BEGIN EC PRIVATE KEY-----\nQQ==\n-----END EC PRIVATE KEY-----\n");
        let files = CertificateFiles { ca: ca.clone(), certificate: ca.clone(), key: key.clone() };
        let read = files.read().unwrap();
        assert!(read.ca.is_some() && read.identity.is_some());
        assert_eq!(CertificateFiles::default().read(), Ok(Certificates::default()));

        let says = |files: CertificateFiles| files.read().unwrap_err().to_string();
        let half = CertificateFiles { certificate: ca.clone(), ..CertificateFiles::default() };
        assert_eq!(half.read(), Err(CertificateError::Half));
        let swapped = says(CertificateFiles { ca: key, ..CertificateFiles::default() });
        assert!(swapped.starts_with("tls_ca_file ") && swapped.contains("holds no certificate"), "{swapped}");
        let missing = folder.path().join("none");
        let missing = says(CertificateFiles { ca: Some(missing), ..CertificateFiles::default() });
        assert!(missing.contains("cannot be read"), "{missing}");
    }
}
