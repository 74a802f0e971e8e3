//! The HTTP interface: whether its address is free, or ours already, and whether its token is one.

use std::io;
use std::net::{IpAddr, SocketAddr};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;

use super::finding::Finding;
use crate::access::{TOKEN_FILE, known_to, read_named};
use crate::client::{Client, reachable};
use crate::settings::{HttpToken, Settings};

/// A shorter token can be guessed by whoever can try often.
const TOKEN_MIN_BYTES: usize = 16;

/// Who is at the address.
#[derive(Debug)]
enum Occupant {
    Nobody,
    /// A supervisor answers there.
    Supervisor {
        ready: bool,
    },
    /// Somebody else.
    Stranger,
    /// It cannot be listened on for another reason.
    Refused(io::Error),
}

pub(super) async fn check(settings: &Settings) -> Vec<Finding> {
    let Some(address) = settings.http_bind else {
        return vec![Finding::ok("http", "off: http_bind is empty, so no API, dashboard, health or metrics")];
    };
    let occupant = occupant(address, known_to(settings)).await;
    let mut findings = vec![judge(address, &occupant)];
    findings.extend(judge_token(address.ip(), &look_at_token(settings)));
    findings
}

/// What is known of the token.
enum Token {
    Open,
    Given {
        bytes: usize,
    },
    /// In its file, or made at the first start.
    Kept,
    Unusable(String),
}

fn look_at_token(settings: &Settings) -> Token {
    let file = settings.data_dir.join(TOKEN_FILE);
    match &settings.http_token {
        HttpToken::Open => Token::Open,
        HttpToken::Given(token) => Token::Given { bytes: token.expose_secret().len() },
        HttpToken::Made if !file.exists() => Token::Kept,
        HttpToken::Made => {
            read_named(&file).map_or_else(|error| Token::Unusable(error.to_string()), |_| Token::Kept)
        }
    }
}

async fn occupant(address: SocketAddr, token: Option<SecretString>) -> Occupant {
    match TcpListener::bind(address).await {
        Ok(_) => return Occupant::Nobody,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
        Err(error) => return Occupant::Refused(error),
    }
    let asked = tokio::task::spawn_blocking(move || {
        Client::new(&format!("http://{}", reachable(address)), token)?.readiness()
    });
    match asked.await {
        Ok(Ok(readiness)) => Occupant::Supervisor { ready: readiness.ready },
        Ok(Err(_)) | Err(_) => Occupant::Stranger,
    }
}

fn judge(address: SocketAddr, occupant: &Occupant) -> Finding {
    match occupant {
        Occupant::Nobody => Finding::ok("http", format!("{address} is free")),
        Occupant::Supervisor { ready: true } => {
            Finding::ok("http", format!("a supervisor answers on {address}, and is ready"))
        }
        Occupant::Supervisor { ready: false } => Finding::warn(
            "http",
            format!("a supervisor answers on {address}, and is not ready"),
            format!("see http://{}/readyz", reachable(address)),
        ),
        Occupant::Stranger => Finding::fail(
            "http",
            format!("{address} is in use by another program"),
            "end that program, or set another http_bind",
        ),
        Occupant::Refused(error) => {
            let mend = if error.kind() == io::ErrorKind::PermissionDenied {
                "set http_bind to a port above 1023"
            } else {
                "set http_bind to an address of this machine"
            };
            Finding::fail("http", format!("cannot listen on {address}: {error}"), mend)
        }
    }
}

/// What is missing altogether the settings refuse by themselves.
fn judge_token(ip: IpAddr, token: &Token) -> Option<Finding> {
    match token {
        Token::Given { bytes } if *bytes < TOKEN_MIN_BYTES && !ip.is_loopback() => Some(Finding::warn(
            "http",
            format!("http_token has only {bytes} bytes, and other machines can try it"),
            "set a longer one: `openssl rand -hex 32`",
        )),
        Token::Open => Some(Finding::warn(
            "http",
            "http_token is none: every local program may submit and cancel, what runs in workers too",
            "leave http_token out: one is made, and commands find it by themselves",
        )),
        Token::Unusable(reason) => {
            let mend = "delete the file, or run doctor as the supervisor's user";
            Some(Finding::fail("http", reason.clone(), mend))
        }
        Token::Given { .. } | Token::Kept => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_free_address_or_our_own_is_well_and_a_strangers_is_not() {
        let address = SocketAddr::from(([127, 0, 0, 1], 7420));
        let verdict = |occupant| judge(address, &occupant).verdict;
        assert_eq!(verdict(Occupant::Nobody), Verdict::Ok);
        assert_eq!(verdict(Occupant::Supervisor { ready: true }), Verdict::Ok);
        assert_eq!(verdict(Occupant::Supervisor { ready: false }), Verdict::Warn);
        assert_eq!(verdict(Occupant::Stranger), Verdict::Fail);
        assert_eq!(verdict(Occupant::Refused(io::ErrorKind::AddrNotAvailable.into())), Verdict::Fail);
    }

    #[test]
    fn a_short_token_matters_only_where_others_can_try_it() {
        let (here, everywhere) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        assert_eq!(judge_token(here, &Token::Given { bytes: 3 }), None);
        assert_eq!(judge_token(everywhere, &Token::Given { bytes: 32 }), None);
        assert_eq!(judge_token(everywhere, &Token::Given { bytes: 3 }).unwrap().verdict, Verdict::Warn);
        assert_eq!(judge_token(everywhere, &Token::Kept), None);
        assert_eq!(judge_token(here, &Token::Open).unwrap().verdict, Verdict::Warn);
        assert_eq!(judge_token(here, &Token::Unusable("x".into())).unwrap().verdict, Verdict::Fail);
    }
}
