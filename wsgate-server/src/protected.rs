//! Protected mode: anonymous callers only from where strangers do not come from.

use std::net::IpAddr;

use ipnet::IpNet;

/// Where strangers do not come from.
const PRIVATE: [&str; 8] = [
    "10.0.0.0/8",     // RFC 1918
    "172.16.0.0/12",  // RFC 1918
    "192.168.0.0/16", // RFC 1918
    "100.64.0.0/10",  // RFC 6598, carrier-grade NAT
    "169.254.0.0/16", // RFC 3927, link-local
    "fc00::/7",       // RFC 4193, unique local
    "fe80::/10",      // RFC 4291, link-local
    "127.0.0.0/8",    // this host
];

/// The ranges from which load balancers of one large cloud connect.
pub(crate) const BALANCERS: [&str; 4] = [
    "130.211.0.0/22",
    "35.191.0.0/16", // their health checks, too
    "2600:2d00:1:1::/64",
    "2600:2d00:1:b029::/64", // their health checks, too
];

/// Whether an anonymous caller may connect from `ip`; `None` is a unix socket. The address is the TCP
/// peer's or the source that a trusted proxy's PROXY header names, never one that a header claims.
pub(crate) fn is_taken_from(ip: Option<IpAddr>) -> bool {
    let Some(ip) = ip.map(|ip| ip.to_canonical()) else { return true };
    let mut ranges = PRIVATE.iter().chain(&BALANCERS).filter_map(|range| range.parse::<IpNet>().ok());
    ip.is_loopback() || ranges.any(|range| range.contains(&ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_is_one() {
        assert!(PRIVATE.iter().chain(&BALANCERS).all(|range| range.parse::<IpNet>().is_ok()));
    }

    #[test]
    fn private_addresses_pass_and_public_ones_do_not() {
        assert!(is_taken_from(None));
        for (ip, taken) in [
            ("127.0.0.1", true),
            ("127.255.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("::ffff:10.1.2.3", true),
            ("::ffff:203.0.113.1", false),
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("172.15.255.255", false),
            ("172.16.0.0", true),
            ("172.32.0.0", false),
            ("192.168.1.1", true),
            ("192.169.0.0", false),
            ("100.64.0.1", true),
            ("100.128.0.0", false),
            ("169.254.1.1", true),
            ("130.211.3.255", true),
            ("130.211.4.0", false),
            ("35.191.255.255", true),
            ("35.192.0.0", false),
            ("8.8.8.8", false),
            ("203.0.113.1", false),
            ("0.0.0.0", false),
            ("fd00::1", true),
            ("fe80::1", true),
            ("2600:2d00:1:1::5", true),
            ("2600:2d00:1:2::5", false),
            ("2600:2d00:1:b029::5", true),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_taken_from(Some(ip.parse().unwrap())), taken, "{ip}");
        }
    }
}
