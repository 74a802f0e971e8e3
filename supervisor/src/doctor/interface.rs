//! The HTTP interface: whether its address is free, or ours already, and whether its token is one.

use std::io;
use std::net::{IpAddr, SocketAddr};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;

use super::files::is_nobodys;
use super::finding::DoctorFinding;
use crate::access::{TOKEN_FILE, known_to, read_main};
use crate::client::{ApiClient, reachable};
use crate::settings::{HttpToken, Settings};

/// A shorter token can be guessed by whoever can try often.
const TOKEN_MIN_BYTES: usize = 16;

/// Who is at the address.
#[derive(Debug)]
enum Occupant {
    Nobody,
    /// The supervisor of this data_dir answers there.
    Supervisor {
        ready: bool,
    },
    /// A supervisor answers there, and none has this data_dir.
    OtherSupervisor,
    /// Somebody else.
    Stranger,
    /// It cannot be listened on for another reason.
    Refused(io::Error),
}

pub(super) async fn check(settings: &Settings) -> Vec<DoctorFinding> {
    let Some(address) = settings.http_bind else {
        return vec![DoctorFinding::ok(
            "http",
            "off: http_bind is empty, so no API, dashboard, health or metrics",
        )];
    };
    let mut occupant = occupant(address, known_to(settings)).await;
    if matches!(occupant, Occupant::Supervisor { .. }) && is_nobodys(&settings.data_dir) {
        occupant = Occupant::OtherSupervisor;
    }
    let mut findings = vec![finding_for(address, &occupant)];
    findings.extend(judge_token(address.ip(), &look_at_token(settings)));
    findings
}

/// What is known of the token.
enum TokenState {
    Open,
    Given {
        bytes: usize,
    },
    /// In its file, or made at the first start.
    Kept,
    Unusable(String),
}

fn look_at_token(settings: &Settings) -> TokenState {
    let file = settings.data_dir.join(TOKEN_FILE);
    match &settings.http_token {
        HttpToken::Open => TokenState::Open,
        HttpToken::Given(token) => TokenState::Given { bytes: token.expose_secret().len() },
        HttpToken::Made if !file.exists() => TokenState::Kept,
        HttpToken::Made => read_main(&file)
            .map_or_else(|error| TokenState::Unusable(error.to_string()), |_| TokenState::Kept),
    }
}

async fn occupant(address: SocketAddr, token: Option<SecretString>) -> Occupant {
    match TcpListener::bind(address).await {
        Ok(_) => return Occupant::Nobody,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
        Err(error) => return Occupant::Refused(error),
    }
    let asked = tokio::task::spawn_blocking(move || {
        ApiClient::new(&format!("http://{}", reachable(address)), token)?.readiness()
    });
    match asked.await {
        Ok(Ok(readiness)) => Occupant::Supervisor { ready: readiness.ready },
        Ok(Err(_)) | Err(_) => Occupant::Stranger,
    }
}

fn finding_for(address: SocketAddr, occupant: &Occupant) -> DoctorFinding {
    match occupant {
        Occupant::Nobody => DoctorFinding::ok("http", format!("{address} is free")),
        Occupant::Supervisor { ready: true } => {
            DoctorFinding::ok("http", format!("a supervisor answers on {address}, and is ready"))
        }
        Occupant::Supervisor { ready: false } => DoctorFinding::warn(
            "http",
            format!("a supervisor answers on {address}, and is not ready"),
            format!("see http://{}/readyz", reachable(address)),
        ),
        Occupant::OtherSupervisor => DoctorFinding::fail(
            "http",
            format!("a supervisor of another data_dir answers on {address}"),
            "end that supervisor, or set another http_bind",
        ),
        Occupant::Stranger => DoctorFinding::fail(
            "http",
            format!("{address} is in use by another program"),
            "end that program, or set another http_bind",
        ),
        Occupant::Refused(error) => {
            let fix = if error.kind() == io::ErrorKind::PermissionDenied {
                "set http_bind to a port above 1023"
            } else {
                "set http_bind to an address of this machine"
            };
            DoctorFinding::fail("http", format!("cannot listen on {address}: {error}"), fix)
        }
    }
}

/// What is missing altogether the settings refuse by themselves.
fn judge_token(ip: IpAddr, token: &TokenState) -> Option<DoctorFinding> {
    match token {
        TokenState::Given { bytes } if *bytes < TOKEN_MIN_BYTES && !ip.is_loopback() => {
            Some(DoctorFinding::warn(
                "http",
                format!("http_token has only {bytes} bytes, and other machines can try it"),
                "set a longer one: `openssl rand -hex 32`",
            ))
        }
        TokenState::Open => Some(DoctorFinding::warn(
            "http",
            "http_token is none: every local program may submit and cancel, what runs in workers too",
            "leave http_token out: one is made, and commands find it by themselves",
        )),
        TokenState::Unusable(reason) => {
            let fix = "delete the file, or run doctor as the supervisor's user";
            Some(DoctorFinding::fail("http", reason.clone(), fix))
        }
        TokenState::Given { .. } | TokenState::Kept => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::doctor::Severity;

    #[test]
    fn a_free_address_or_our_own_is_well_and_a_strangers_is_not() {
        let address = SocketAddr::from(([127, 0, 0, 1], 7420));
        let verdict = |occupant| finding_for(address, &occupant).verdict;
        assert_eq!(verdict(Occupant::Nobody), Severity::Ok);
        assert_eq!(verdict(Occupant::Supervisor { ready: true }), Severity::Ok);
        assert_eq!(verdict(Occupant::Supervisor { ready: false }), Severity::Warn);
        assert_eq!(verdict(Occupant::OtherSupervisor), Severity::Fail);
        assert_eq!(verdict(Occupant::Stranger), Severity::Fail);
        assert_eq!(verdict(Occupant::Refused(io::ErrorKind::AddrNotAvailable.into())), Severity::Fail);
    }

    #[test]
    fn a_short_token_matters_only_where_others_can_try_it() {
        let (here, everywhere) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        assert_eq!(judge_token(here, &TokenState::Given { bytes: 3 }), None);
        assert_eq!(judge_token(everywhere, &TokenState::Given { bytes: 32 }), None);
        assert_eq!(judge_token(everywhere, &TokenState::Given { bytes: 3 }).unwrap().verdict, Severity::Warn);
        assert_eq!(judge_token(everywhere, &TokenState::Kept), None);
        assert_eq!(judge_token(here, &TokenState::Open).unwrap().verdict, Severity::Warn);
        assert_eq!(judge_token(here, &TokenState::Unusable("x".into())).unwrap().verdict, Severity::Fail);
    }
}
