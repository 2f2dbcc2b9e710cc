//! The client, the scheme and the host that trusted proxies report: `X-Forwarded-For`, `-Proto` and
//! `-Host`, or `Forwarded` (RFC 7239).
//!
//! Each proxy appends the address that it was called from. So the list is read from its end, as long
//! as its addresses are trusted; the first that is not is the client's, and nothing before it is
//! believed. A request with one of the `X-Forwarded-*` has no other source: proxies that set these pass
//! on a `Forwarded` that a client has invented.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::config::TrustedPeers;
use crate::message::ConnectionAddresses;

use super::framing::is_host;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Replaces what the headers of a request report; its peer is trusted.
pub(super) fn apply(
    addresses: &mut ConnectionAddresses,
    headers: &HeaderMap,
    trusted: &TrustedPeers,
) {
    let [clients, protos, hosts] = [FOR, PROTO, HOST].map(|name| list(headers, &name));
    let has_any = !(clients.is_empty() && protos.is_empty() && hosts.is_empty());
    if has_any {
        let hop = find_client(addresses, clients.into_iter().map(Some), trusted);
        set_proto(addresses, at(&protos, hop));
        set_host(addresses, at(&hosts, hop));
        return;
    }
    let elements: Vec<Element> =
        list(headers, &FORWARDED).iter().map(|text| Element::parse(text)).collect();
    let clients = elements.iter().map(|element| element.client.as_deref());
    let hop = find_client(addresses, clients, trusted);
    if let Some(element) = elements.iter().rev().nth(hop) {
        set_proto(addresses, element.proto.as_deref());
        set_host(addresses, element.host.as_deref());
    }
}

/// The value of the proxy that the client has called; it may have set one in place of a list.
fn at<'a>(values: &[&'a str], hop: usize) -> Option<&'a str> {
    values.iter().rev().nth(hop).or(values.first()).copied()
}

/// Finds the client, and returns how many entries of the list come after it.
fn find_client<'a>(
    addresses: &mut ConnectionAddresses,
    list: impl DoubleEndedIterator<Item = Option<&'a str>>,
    trusted: &TrustedPeers,
) -> usize {
    let mut found = 0;
    for (hop, entry) in list.rev().enumerate() {
        // A proxy that was called over a Unix socket, as nginx writes it.
        if entry == Some("unix:") && trusted.contains(None) {
            found = hop;
            continue;
        }
        // An unknown or hidden one: the proxy that has reported it is the last that is known.
        let Some(address) = entry.and_then(parse_address) else { break };
        (addresses.client, found) = (Some(address), hop);
        if !trusted.contains(Some(address.ip())) {
            break;
        }
    }
    found
}

fn set_proto(addresses: &mut ConnectionAddresses, proto: Option<&str>) {
    match proto.map(str::to_ascii_lowercase).as_deref() {
        Some("https" | "wss") => addresses.is_https = true,
        Some("http" | "ws") => addresses.is_https = false,
        _ => {}
    }
}

fn set_host(addresses: &mut ConnectionAddresses, host: Option<&str>) {
    let valid = host.filter(|host| !host.is_empty() && is_host(host.as_bytes()));
    if let Some(Ok(host)) = valid.map(HeaderValue::from_str) {
        addresses.host = Some(host);
    }
}

/// The entries of all headers of a name, which may be quoted.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    let values = headers.get_all(name).iter();
    values
        .flat_map(|value| split(value.to_str().unwrap_or("unknown"), ','))
        .filter(|entry| !entry.is_empty())
        .collect()
}

/// One proxy's entry in `Forwarded`.
#[derive(Debug, Default)]
struct Element {
    client: Option<String>,
    proto: Option<String>,
    host: Option<String>,
}

impl Element {
    fn parse(text: &str) -> Self {
        let mut element = Self::default();
        for pair in split(text, ';') {
            let Some((name, value)) = pair.split_once('=') else { continue };
            let value = Some(unquote(value.trim()));
            match name.trim().to_ascii_lowercase().as_str() {
                "for" => element.client = value,
                "proto" => element.proto = value,
                "host" => element.host = value,
                _ => {}
            }
        }
        element
    }
}

/// Splits outside of quoted strings, and trims the parts.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (index, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if letter == separator && !is_quoted => {
                parts.push(text[start..index].trim());
                start = index + letter.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut letters = inner.chars();
    let mut text = String::new();
    while let Some(letter) = letters.next() {
        text.push(if letter == '\\' { letters.next().unwrap_or(letter) } else { letter });
    }
    text
}

/// Parses an address with or without a port, which is 0 then, or if the proxy hides it (`_x`).
fn parse_address(text: &str) -> Option<SocketAddr> {
    let text = text.split_once(":_").map_or(text, |(address, _)| address);
    let address = match (text.parse::<IpAddr>(), text.parse::<SocketAddr>()) {
        (Ok(address), _) => SocketAddr::new(address, 0),
        (_, Ok(address)) => address,
        _ => {
            let inner = text.strip_prefix('[')?.strip_suffix(']')?;
            SocketAddr::new(inner.parse::<Ipv6Addr>().ok()?.into(), 0)
        }
    };
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Client, scheme and host of a request with these headers, from the peer 10.0.0.1.
    fn read(trusted: &str, headers: &[(&str, &str)]) -> String {
        let trusted: TrustedPeers = trusted.parse().expect("it is valid");
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            map.append(name, value.parse().expect("a value"));
        }
        let peer = Some(SocketAddr::from(([10, 0, 0, 1], 7)));
        let mut addresses = ConnectionAddresses { client: peer, ..Default::default() };
        apply(&mut addresses, &map, &trusted);
        let ConnectionAddresses { client, is_https, host, .. } = addresses;
        let scheme = if is_https { "https" } else { "http" };
        let host = host.map_or_else(String::new, |host| host.to_str().expect("text").to_owned());
        format!("{} {scheme} {host}", client.expect("there is one"))
    }

    #[test]
    fn the_last_address_that_is_not_trusted_is_the_client() {
        let trusted = "10.0.0.0/8";
        for (list, client) in [
            ("203.0.113.9", "203.0.113.9:0"),
            ("1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9:0"),
            ("10.0.0.3,10.0.0.2", "10.0.0.3:0"),
            ("203.0.113.9:4711", "203.0.113.9:4711"),
            ("[2001:db8::1]:80", "[2001:db8::1]:80"),
            ("2001:db8::1", "[2001:db8::1]:0"),
            ("::ffff:203.0.113.9", "203.0.113.9:0"),
            ("203.0.113.9, unknown", "10.0.0.1:7"),
            ("203.0.113.9, unknown, 10.0.0.2", "10.0.0.2:0"),
            ("a\"b", "10.0.0.1:7"),
            ("", "10.0.0.1:7"),
        ] {
            let read = read(trusted, &[("x-forwarded-for", list)]);
            assert_eq!(read, format!("{client} http "), "{list}");
        }
        for (trusted, client) in [("10.0.0.0/8", "10.0.0.1:7"), ("unix", "203.0.113.9:0")] {
            let read = read(trusted, &[("x-forwarded-for", "203.0.113.9, unix:")]);
            assert_eq!(read, format!("{client} http "));
        }
        let several = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2, 10.0.0.2")];
        assert_eq!(read(trusted, &several), "2.2.2.2:0 http ");
        assert_eq!(read("*", &several), "1.1.1.1:0 http ");
    }

    #[test]
    fn scheme_and_host_come_from_the_proxy_that_the_client_has_called() {
        let headers = |proto, host| {
            let list = ("x-forwarded-for", "1.1.1.1, 2.2.2.2, 10.0.0.2");
            read("10.0.0.0/8", &[list, ("x-forwarded-proto", proto), ("x-forwarded-host", host)])
        };
        assert_eq!(headers("https", "a.example:8443"), "2.2.2.2:0 https a.example:8443");
        assert_eq!(headers("http, HTTPS, http", "x, a.example, y"), "2.2.2.2:0 https a.example");
        assert_eq!(headers("ftp", "a b/c"), "2.2.2.2:0 http ");
        assert_eq!(headers("wss", "[::1]:80"), "2.2.2.2:0 https [::1]:80");
    }

    #[test]
    fn forwarded_has_all_three_for_each_proxy() {
        let read = |value| read("10.0.0.0/8", &[("forwarded", value)]);
        assert_eq!(
            read(
                "for=1.1.1.1;proto=http, For=\"[2001:db8::1]:4711\";Proto=https;host=a.example;by=x"
            ),
            "[2001:db8::1]:4711 https a.example"
        );
        assert_eq!(
            read("for=203.0.113.9;host=\"a.example:8\";proto=https, for=10.0.0.2;proto=http"),
            "203.0.113.9:0 https a.example:8"
        );
        assert_eq!(read("for=203.0.113.9, for=_hidden"), "10.0.0.1:7 http ");
        assert_eq!(read("for=\"203.0.113.9:_p1\""), "203.0.113.9:0 http ");
        assert_eq!(read("for=\"[2001:db8::1]:_p1\""), "[2001:db8::1]:0 http ");
        assert_eq!(read("proto=https"), "10.0.0.1:7 https ");
        assert_eq!(read("for=\"1.1.1.1, for=2.2.2.2"), "10.0.0.1:7 http ");
    }

    #[test]
    fn a_client_cannot_add_forwarded_behind_a_proxy_of_the_other_kind() {
        let both = [("forwarded", "for=6.6.6.6;host=evil"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(read("10.0.0.1", &both), "203.0.113.9:0 http ");
    }
}
