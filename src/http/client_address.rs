//! Where a request comes from: the other end of the connection, or, behind proxies that the operator
//! has named, what they say about it. Each proxy adds the address it was called from at the end of
//! `Forwarded` (RFC 7239) or `X-Forwarded-For`; read from there, the first that is no such proxy is
//! the client. What stands before it was written by the client, who may write anything.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderMap;
use ipnet::IpNet;

use super::problem::{Code, Problem};

const FORWARDED: &str = "forwarded";
const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// Makes the client's address that of the connection, where a proxy stands between.
pub(super) fn settle(request: &mut Request, trusted: &[IpNet]) -> Result<(), Problem> {
    if trusted.is_empty() {
        return Ok(());
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let Some(ConnectInfo(peer)) = peer.copied() else { return Ok(()) };
    let client = behind(peer.ip(), request.headers(), trusted)?;
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(client, 0)));
    Ok(())
}

/// A proxy that writes one of the two headers hands on the other as it came, so that two which
/// disagree leave open which of them the client made up.
fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Result<IpAddr, Problem> {
    let peer = peer.to_canonical();
    if !is_within(peer, trusted) {
        return Ok(peer);
    }
    let has = |name| headers.contains_key(name);
    let told = |hops: Vec<Option<IpAddr>>| last_outside(peer, &hops, trusted);
    match (has(FORWARDED), has(X_FORWARDED_FOR)) {
        (false, false) => Ok(peer),
        (true, false) => Ok(told(forwarded(headers))),
        (false, true) => Ok(told(x_forwarded_for(headers))),
        (true, true) => {
            let (one, other) = (told(forwarded(headers)), told(x_forwarded_for(headers)));
            if one == other {
                return Ok(one);
            }
            let detail = "`Forwarded` and `X-Forwarded-For` name different clients; \
                          have the proxy send one of them";
            Err(Problem::with_detail(Code::InvalidHeader, detail))
        }
    }
}

fn is_within(address: IpAddr, networks: &[IpNet]) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// The last hop that is no trusted proxy; where one cannot be read, the proxy that told of it.
fn last_outside(peer: IpAddr, hops: &[Option<IpAddr>], trusted: &[IpNet]) -> IpAddr {
    let mut known = peer;
    for hop in hops.iter().rev() {
        let Some(hop) = hop else { return known };
        known = *hop;
        if !is_within(known, trusted) {
            break;
        }
    }
    known
}

fn x_forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(X_FORWARDED_FOR).iter();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or("unreadable").split(','));
    hops.map(address).collect()
}

fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(FORWARDED).iter();
    let hops = lines.flat_map(|line| elements(line.to_str().unwrap_or("unreadable"), ','));
    hops.map(|hop| {
        let node = elements(hop, ';').into_iter().find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case("for").then_some(value)
        });
        address(node?.trim().trim_matches('"'))
    })
    .collect()
}

/// The parts between separators that stand in no quotes.
fn elements(text: &str, separator: char) -> Vec<&str> {
    let mut is_quoted = false;
    let parts = text.split(|letter| {
        is_quoted ^= letter == '"';
        letter == separator && !is_quoted
    });
    parts.collect()
}

/// An address, with or without its port; IPv6 in brackets where there is one.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.7";

    fn client(peer: &str, headers: &[(&'static str, &'static str)]) -> Option<String> {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()];
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        behind(peer.parse().unwrap(), &map, &trusted).ok().map(|address| address.to_string())
    }

    #[track_caller]
    fn is(expected: &str, peer: &str, headers: &[(&'static str, &'static str)]) {
        assert_eq!(client(peer, headers).as_deref(), Some(expected), "{headers:?}");
    }

    #[test]
    fn whoever_is_no_trusted_proxy_speaks_for_nobody_else() {
        is("192.0.2.9", "192.0.2.9", &[(X_FORWARDED_FOR, "198.51.100.1")]);
        is("192.0.2.9", "::ffff:192.0.2.9", &[(FORWARDED, "for=198.51.100.1")]);
    }

    #[test]
    fn a_trusted_proxy_tells_the_client() {
        is("198.51.100.1", PROXY, &[(X_FORWARDED_FOR, "198.51.100.1")]);
        is("198.51.100.1", PROXY, &[(FORWARDED, "for=198.51.100.1;proto=https")]);
        is("2001:db8::9", PROXY, &[(FORWARDED, "For=\"[2001:db8::9]:4711\";by=_x")]);
        is("198.51.100.1", PROXY, &[(X_FORWARDED_FOR, "198.51.100.1:4711")]);
        is("198.51.100.1", "2001:db8:1::1", &[(X_FORWARDED_FOR, "::ffff:198.51.100.1, 10.1.1.1")]);
        is(PROXY, PROXY, &[]);
    }

    #[test]
    fn what_the_client_wrote_before_its_own_address_counts_for_nothing() {
        is("198.51.100.1", PROXY, &[(X_FORWARDED_FOR, "203.0.113.5, 198.51.100.1")]);
        is(
            "198.51.100.1",
            PROXY,
            &[(X_FORWARDED_FOR, "10.0.0.1"), (X_FORWARDED_FOR, "198.51.100.1")],
        );
        is("198.51.100.1", PROXY, &[(FORWARDED, "for=\"a,for=203.0.113.5\", for=198.51.100.1")]);
        is(
            "198.51.100.1",
            PROXY,
            &[(FORWARDED, "for=203.0.113.5"), (FORWARDED, "for=198.51.100.1")],
        );
    }

    #[test]
    fn a_hop_that_cannot_be_read_is_as_far_as_anybody_knows() {
        is(PROXY, PROXY, &[(FORWARDED, "for=198.51.100.1, for=unknown")]);
        is("10.0.0.2", PROXY, &[(X_FORWARDED_FOR, "198.51.100.1, nonsense, 10.0.0.2")]);
        is(PROXY, PROXY, &[(X_FORWARDED_FOR, "198.51.100.1,")]);
        is("10.0.0.1", PROXY, &[(X_FORWARDED_FOR, "10.0.0.1, 10.0.0.2")]);
    }

    #[test]
    fn two_headers_that_disagree_are_refused() {
        let both = |other| [(FORWARDED, "for=198.51.100.1"), (X_FORWARDED_FOR, other)];
        is("198.51.100.1", PROXY, &both("198.51.100.1"));
        assert_eq!(client(PROXY, &both("203.0.113.5")), None);
    }
}
