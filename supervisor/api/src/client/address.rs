//! Where a supervisor is reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where an address to listen on can be reached from here: 0.0.0.0 is nobody's.
pub fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_reached_through_one_of_them() {
        assert_eq!(reachable(SocketAddr::from(([0, 0, 0, 0], 1))), SocketAddr::from(([127, 0, 0, 1], 1)));
        assert_eq!(reachable(SocketAddr::from(([10, 0, 0, 1], 1))), SocketAddr::from(([10, 0, 0, 1], 1)));
    }
}
