//! The peers whose headers name the client of a request: the values of `forwarded-allow-ips`.
//!
//! Parses addresses and networks. Reads no header (`server/forwarded.rs`).

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

const FORM: &str = "it must be an address such as 10.0.0.1, a network such as 10.0.0.0/8, `unix` for \
                    the clients of a Unix socket, or `*` for all; a comma separates several";

/// Addresses and networks; `unix` is the peer of a Unix socket, and `*` any peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedPeers {
    is_any: bool,
    has_unix: bool,
    networks: Vec<IpNet>,
}

impl TrustedPeers {
    /// Whether a peer is one of them; `None` is that of a Unix socket.
    pub fn contains(&self, peer: Option<IpAddr>) -> bool {
        self.is_any
            || match peer {
                None => self.has_unix,
                Some(peer) => {
                    // As a socket for IPv6 and IPv4 reports it: `::ffff:10.0.0.1`.
                    let peer = peer.to_canonical();
                    self.networks.iter().any(|network| network.contains(&peer))
                }
            }
    }

    /// Whether no peer is.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl FromStr for TrustedPeers {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        let mut peers = Self::default();
        for part in value.split(',').map(str::trim) {
            match part {
                "*" => peers.is_any = true,
                "unix" | "unix:" => peers.has_unix = true,
                _ => peers.networks.push(network(part, value)?),
            }
        }
        Ok(peers)
    }
}

impl FromIterator<Self> for TrustedPeers {
    fn from_iter<I: IntoIterator<Item = Self>>(several: I) -> Self {
        several.into_iter().fold(Self::default(), |mut all, peers| {
            all.is_any |= peers.is_any;
            all.has_unix |= peers.has_unix;
            all.networks.extend(peers.networks);
            all
        })
    }
}

fn network(part: &str, value: &str) -> Result<IpNet, String> {
    if let Ok(address) = part.parse::<IpAddr>() {
        return Ok(address.to_canonical().into());
    }
    let network: IpNet = part.parse().map_err(|_| match part == value {
        true => format!("`{value}`; {FORM}"),
        false => format!("`{value}`, where `{part}` is neither; {FORM}"),
    })?;
    match network.addr() == network.network() {
        true => Ok(network),
        false => Err(format!(
            "`{value}`, where `{part}` has bits after its prefix; write {}, or the address alone",
            network.trunc()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_addresses_networks_and_words() {
        let peers: TrustedPeers =
            "127.0.0.1, 10.0.0.0/8,2001:db8::/32,::1".parse().expect("all are valid");
        for trusted in ["127.0.0.1", "::ffff:127.0.0.1", "10.9.9.9", "2001:db8::7", "::1"] {
            assert!(peers.contains(trusted.parse().ok()), "{trusted}");
        }
        for other in ["127.0.0.2", "11.0.0.1", "2001:db9::", "::2"] {
            assert!(!peers.contains(other.parse().ok()), "{other}");
        }
        assert!(!peers.contains(None));
        let word = |text: &str| text.parse::<TrustedPeers>().expect("it is valid");
        assert!(word("unix").contains(None) && !word("unix").contains("::1".parse().ok()));
        assert!(word("*").contains(None) && word("*").contains("8.8.8.8".parse().ok()));
        assert!(TrustedPeers::from_iter([]).is_empty());
    }

    #[test]
    fn an_error_names_the_part_and_the_way_out() {
        let problem = |text: &str| text.parse::<TrustedPeers>().expect_err("it is not valid");
        assert!(problem("proxy").starts_with("`proxy`; it must be an address"));
        assert!(problem("::1,10.0.0.0/40").contains("where `10.0.0.0/40` is neither"));
        assert!(problem("10.0.0.1/8").contains("write 10.0.0.0/8, or the address alone"));
        assert!(problem("").starts_with("``; it must be"));
    }
}
