//! Who is at the other end of a socket, and the lists of addresses that are believed.

use std::net::{IpAddr, Ipv4Addr};

/// The other end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer {
    /// A unix domain socket: local, always trusted, as in Gunicorn.
    Unix,
    /// A TCP peer.
    Ip(IpAddr),
}

/// A parsed `forwarded_allow_ips` or `proxy_allow_ips`.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct AllowList {
    everybody: bool,
    networks: Vec<Network>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Network {
    address: IpAddr,
    prefix: u8,
}

impl AllowList {
    /// Reads the entries of the setting: `*`, addresses, and networks without host bits.
    ///
    /// # Errors
    /// The words of Python's `ipaddress.ip_network` for an entry that is none of these.
    pub fn parse(entries: &[&str]) -> Result<Self, String> {
        let mut list = Self::default();
        for entry in entries {
            match *entry {
                "*" => list.everybody = true,
                _ => list.networks.push(Network::parse(entry)?),
            }
        }
        Ok(list)
    }

    /// Whether `peer` is on the list. A unix peer always is.
    ///
    /// An IPv4 client of a dual-stack listener shows up as `::ffff:a.b.c.d`; it is that IPv4 host,
    /// so it matches IPv4 entries (Gunicorn compares the IPv6 form only).
    pub fn allows(&self, peer: &Peer) -> bool {
        let Peer::Ip(ip) = peer else { return true };
        if self.everybody {
            return true;
        }
        let canonical = ip.to_canonical();
        self.networks.iter().any(|n| n.contains(canonical) || n.contains(*ip))
    }
}

impl Network {
    fn parse(entry: &str) -> Result<Self, String> {
        let unreadable = || format!("'{entry}' does not appear to be an IPv4 or IPv6 network");
        let (address, mask) = match entry.split_once('/') {
            Some((address, mask)) => (address, Some(mask)),
            None => (entry, None),
        };
        let address: IpAddr = address.parse().map_err(|_| unreadable())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match mask {
            None => width,
            Some(mask) => prefix_length(mask, address).ok_or_else(unreadable)?,
        };
        if bits(address) & !prefix_mask(prefix, width) & full(width) != 0 {
            return Err(format!("{entry} has host bits set"));
        }
        Ok(Self { address, prefix })
    }

    fn contains(self, ip: IpAddr) -> bool {
        if self.address.is_ipv4() != ip.is_ipv4() {
            return false;
        }
        let width = if ip.is_ipv4() { 32 } else { 128 };
        (bits(ip) ^ bits(self.address)) & prefix_mask(self.prefix, width) == 0
    }
}

/// `8`, and for IPv4 also `255.0.0.0` (net mask) or `0.255.255.255` (host mask).
fn prefix_length(mask: &str, address: IpAddr) -> Option<u8> {
    let width = if address.is_ipv4() { 32 } else { 128 };
    if !mask.is_empty() && mask.bytes().all(|b| b.is_ascii_digit()) {
        return mask.parse().ok().filter(|n| *n <= width);
    }
    if !address.is_ipv4() {
        return None;
    }
    let mask = u32::from(mask.parse::<Ipv4Addr>().ok()?);
    [mask, !mask]
        .into_iter()
        .find(|m| m.leading_ones() + m.trailing_zeros() >= 32)
        .map(|m| m.leading_ones() as u8)
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn full(width: u8) -> u128 {
    if width == 128 { u128::MAX } else { (1 << width) - 1 }
}

fn prefix_mask(prefix: u8, width: u8) -> u128 {
    let host = width - prefix;
    if host == 128 { 0 } else { full(width) & !((1u128 << host) - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> Peer {
        Peer::Ip(text.parse().unwrap())
    }

    #[test]
    fn matching() {
        let cases: &[(&[&str], &str, bool)] = &[
            (&["127.0.0.1", "::1"], "127.0.0.1", true),
            (&["127.0.0.1", "::1"], "::1", true),
            (&["127.0.0.1", "::1"], "127.0.0.2", false),
            (&["127.0.0.1"], "::ffff:127.0.0.1", true),
            (&["::ffff:0:0/96"], "::ffff:10.1.2.3", true),
            (&["10.0.0.0/8"], "10.255.0.1", true),
            (&["10.0.0.0/8"], "11.0.0.1", false),
            (&["10.0.0.0/255.0.0.0"], "10.1.1.1", true),
            (&["10.0.0.0/0.255.255.255"], "11.1.1.1", false),
            (&["0.0.0.0/0"], "8.8.8.8", true),
            (&["0.0.0.0/0"], "2001:db8::1", false),
            (&["2001:db8::/32"], "2001:db8:1::1", true),
            (&["2001:db8::/32"], "2001:db9::1", false),
            (&["::/0"], "2001:db9::1", true),
            (&["*"], "203.0.113.9", true),
            (&[], "127.0.0.1", false),
        ];
        for (entries, ip, expected) in cases {
            let list = AllowList::parse(entries).unwrap();
            assert_eq!(list.allows(&peer(ip)), *expected, "{entries:?} {ip}");
            assert!(list.allows(&Peer::Unix));
        }
    }

    #[test]
    fn refused_entries() {
        for (entry, words) in [
            ("10.0.0.1/8", "10.0.0.1/8 has host bits set"),
            ("10.0.0.0/33", "'10.0.0.0/33' does not appear to be an IPv4 or IPv6 network"),
            ("10.0.0.0/", "'10.0.0.0/' does not appear to be an IPv4 or IPv6 network"),
            (
                "10.0.0.0/255.0.255.0",
                "'10.0.0.0/255.0.255.0' does not appear to be an IPv4 or IPv6 network",
            ),
            ("localhost", "'localhost' does not appear to be an IPv4 or IPv6 network"),
            ("", "'' does not appear to be an IPv4 or IPv6 network"),
        ] {
            assert_eq!(AllowList::parse(&[entry]).unwrap_err(), words);
        }
    }
}
