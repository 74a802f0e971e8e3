//! Where `fetch` does not go: the supervisor's own API, and what a cloud tells a machine about itself.
//!
//! A workflow's address often comes from its parameters, so from outside. It must not lead to the API, which lists,
//! submits and cancels, nor to link-local services, which hand the machine's credentials to whoever asks. The
//! addresses judged are those the connection is made to, at each redirect anew: a name may mean one thing when it
//! is looked at and another when it is used.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::OnceLock;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout};

/// Where the API listens, if a supervisor started this worker and said so.
static API: OnceLock<SocketAddr> = OnceLock::new();

/// Link-local services of clouds that do not have link-local addresses.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// Resolves names, and leaves out the addresses nobody may go to.
#[derive(Debug, Default)]
pub(super) struct Allowed(DefaultResolver);

impl Resolver for Allowed {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let found = self.0.resolve(uri, config, timeout)?;
        let mut allowed = self.empty();
        let mut refused = None;
        for address in &found[..] {
            match forbidden(*address) {
                None => allowed.push(*address),
                Some(reason) => refused = Some(ForbiddenAddress { address: *address, reason }),
            }
        }
        match refused {
            Some(refused) if allowed.is_empty() => Err(Error::Other(Box::new(refused))),
            Some(_) | None => Ok(allowed),
        }
    }
}

/// Looks at the address as it is written when a proxy resolves it in our place. What a name means there is the
/// proxy's to judge.
#[derive(Debug)]
pub(super) struct BeforeProxy;

impl Connector for BeforeProxy {
    type Out = ();

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<()>, Error> {
        match written(details.uri).and_then(|address| Some((address, forbidden(address)?))) {
            Some((address, reason)) => Err(Error::Other(Box::new(ForbiddenAddress { address, reason }))),
            None => Ok(None),
        }
    }
}

/// The address in a URL that does not have to be resolved.
fn written(uri: &Uri) -> Option<SocketAddr> {
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let ip = if host.eq_ignore_ascii_case("localhost") {
        Ipv4Addr::LOCALHOST.into()
    } else {
        host.parse().ok()?
    };
    Some(SocketAddr::new(ip, port))
}

/// Why a request does not go there.
#[derive(Debug, thiserror::Error)]
#[error("a workflow may not go to {address}: {reason}")]
struct ForbiddenAddress {
    address: SocketAddr,
    reason: &'static str,
}

fn forbidden(address: SocketAddr) -> Option<&'static str> {
    let ip = plain(address.ip());
    if is_link_local(ip) {
        return Some("link-local and metadata addresses hold the machine's own credentials");
    }
    API.get().and_then(|api| is_api(ip, address.port(), *api, is_of_this_machine))
}

/// Tells once for this process where the API listens.
pub(super) fn api_listens_on(address: SocketAddr) {
    // A second Welcome is a breach of the protocol, and does not open what the first one closed.
    let _ = API.set(address);
}

fn is_api(ip: IpAddr, port: u16, api: SocketAddr, is_ours: impl Fn(IpAddr) -> bool) -> Option<&'static str> {
    (port == api.port() && (ip == plain(api.ip()) || is_ours(ip)))
        .then_some("it is the supervisor's API; what a workflow may ask for is in its context")
}

/// Every address that ends at this machine, whichever of them the API listens on.
fn is_of_this_machine(ip: IpAddr) -> bool {
    if ip.is_loopback() || ip.is_unspecified() {
        return true;
    }
    let any: IpAddr = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // Nothing is sent: the system only chooses the address this machine would speak from, its own to itself.
    let spoken_from = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((ip, 9))?;
        socket.local_addr()
    });
    spoken_from.is_ok_and(|from| from.ip() == ip)
}

fn is_link_local(ip: IpAddr) -> bool {
    METADATA.contains(&ip)
        || match ip {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        }
}

/// An IPv4 address that is written as an IPv6 one: mapped, compatible, or through NAT64 or 6to4.
fn plain(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = ip else { return ip };
    let four = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match six.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => four(high, low),
        [0x2002, high, low, ..] => four(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => four(high, low),
        _ => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn link_local_and_metadata_addresses_in_every_form() {
        for text in [
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "febf::1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "::ffff:168.63.129.16",
        ] {
            assert!(is_link_local(plain(ip(text))), "{text}");
        }
        for text in
            ["127.0.0.1", "10.0.0.1", "169.253.1.1", "::1", "::", "2001:db8::1", "fec0::1", "93.184.216.34"]
        {
            assert!(!is_link_local(plain(ip(text))), "{text}");
        }
    }

    #[test]
    fn the_api_is_found_under_every_address_of_this_machine_and_its_neighbours_are_not() {
        let api: SocketAddr = "127.0.0.1:7420".parse().unwrap();
        let is_api = |text: &str, port| is_api(plain(ip(text)), port, api, is_of_this_machine).is_some();
        for text in ["127.0.0.1", "127.8.9.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"] {
            assert!(is_api(text, 7420), "{text}");
            assert!(!is_api(text, 7421), "{text}");
        }
        assert!(!is_api("192.0.2.7", 7420));
        let elsewhere: SocketAddr = "192.0.2.7:80".parse().unwrap();
        assert!(super::is_api(ip("192.0.2.7"), 80, elsewhere, |_| false).is_some());
    }

    #[test]
    fn an_address_that_is_written_out_needs_no_resolver() {
        let written = |text: &str| written(&text.parse().unwrap()).map(|address| address.to_string());
        assert_eq!(written("http://169.254.169.254/a").as_deref(), Some("169.254.169.254:80"));
        assert_eq!(written("https://[fe80::1]/a").as_deref(), Some("[fe80::1]:443"));
        assert_eq!(written("http://LOCALHOST:7420/").as_deref(), Some("127.0.0.1:7420"));
        assert_eq!(written("http://example.org/"), None);
    }
}
