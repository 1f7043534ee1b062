use super::*;
use proptest::prelude::*;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn tcp(source: &str, destination: &str) -> Header {
    Header::Tcp { source: address(source), destination: address(destination) }
}

/// A version 2 header from its bytes after the signature, in hex with spaces.
fn v2(hex: &str) -> Vec<u8> {
    let rest = hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap());
    v2::SIGNATURE.into_iter().chain(rest).collect()
}

#[test]
fn lines_are_read() {
    let mapped = "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6402 1 2\r\n";
    let widest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    let longest = format!("PROXY TCP6 {widest} {widest} 65535 65535\r\n");
    let full = format!("PROXY UNKNOWN {widest} {widest} 65535 65535\r\n");
    assert_eq!(full.len(), 107);
    for (line, header) in [
        ("PROXY TCP4 192.0.2.1 198.51.100.2 51234 443\r\n", tcp("192.0.2.1:51234", "198.51.100.2:443")),
        ("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", tcp("0.0.0.0:0", "255.255.255.255:65535")),
        ("PROXY TCP6 2001:db8::1 ::1 51234 443\r\n", tcp("[2001:db8::1]:51234", "[::1]:443")),
        (mapped, tcp("192.0.2.1:1", "198.51.100.2:2")),
        (&longest, tcp(&format!("[{widest}]:65535"), &format!("[{widest}]:65535"))),
        ("PROXY UNKNOWN\r\n", Header::Unknown),
        ("PROXY UNKNOWN \r\n", Header::Unknown),
        (&full, Header::Unknown),
    ] {
        let length = line.len();
        assert_eq!(parse(line.as_bytes()), Ok(Parsed { header: header.clone(), length }), "{line}");
        let more = [line.as_bytes(), b"payload\r\n"].concat();
        assert_eq!(parse(&more), Ok(Parsed { header, length }), "{line} and payload");
    }
    let odd = b"PROXY UNKNOWN \xff\0\t\r\n";
    assert_eq!(parse(odd).unwrap().header, Header::Unknown, "what follows UNKNOWN is ignored");
}

#[test]
fn what_is_no_line_is_refused_with_the_reason() {
    let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(92));
    assert_eq!(long.len(), 108);
    for (line, reason) in [
        ("GET / HTTP/1.1\r\n", "neither"),
        ("proxy TCP4 1.1.1.1 1.1.1.1 1 1\r\n", "neither"),
        ("PROXYTCP4", "neither"),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n", "CRLF"),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 1 1\rx", "CRLF"),
        ("PROXY \r\n", "protocol"),
        ("PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n", "protocol"),
        ("PROXY UNKNOWNS\r\n", "protocol"),
        ("PROXY  TCP4 1.1.1.1 1.1.1.1 1 1\r\n", "protocol"),
        ("PROXY TCP4 1.1.1.1  1.1.1.1 1 1\r\n", "one space"),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 1 1 \r\n", "one space"),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n", "one space"),
        ("PROXY TCP4 ::1 ::1 1 1\r\n", "family"),
        ("PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n", "family"),
        ("PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n", "family"),
        ("PROXY TCP4 01.1.1.1 1.1.1.1 1 1\r\n", "family"),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 65536 1\r\n", "port"),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 +1 1\r\n", "port"),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n", "port"),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 -1 1\r\n", "port"),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 1 x\r\n", "port"),
        ("PROXY TCP4 \u{e9} 1.1.1.1 1 1\r\n", "family"),
        (&long, "107"),
        (&long[..106], "107"),
    ] {
        let Err(Unparsed::Malformed(why)) = parse(line.as_bytes()) else { panic!("{line}") };
        assert!(why.contains(reason), "{line}: {why}");
    }
}

#[test]
fn binary_headers_are_read() {
    let zeros = "00 ".repeat(216);
    let path = format!("2f 61 {} 2f 62 2f 63 {}", "00 ".repeat(106), "00 ".repeat(104));
    let v4 = "c0 00 02 01 c6 33 64 02 c8 22 01 bb";
    let mapped = "00 00 00 00 00 00 00 00 00 00 ff ff c0 00 02 01";
    for (hex, header) in [
        ("20 00 00 00".into(), Header::Local),
        ("20 11 00 0c 00 00 00 00 00 00 00 00 00 00 00 00".into(), Header::Local),
        ("20 ff 00 01 2a".into(), Header::Local),
        ("21 00 00 00".into(), Header::Unknown),
        ("21 00 00 02 01 02".into(), Header::Unknown),
        (format!("21 11 00 0c {v4}"), tcp("192.0.2.1:51234", "198.51.100.2:443")),
        (format!("21 11 00 10 {v4} 04 00 01 00"), tcp("192.0.2.1:51234", "198.51.100.2:443")),
        (format!("21 21 00 24 {mapped} {mapped} 00 01 00 02"), tcp("192.0.2.1:1", "192.0.2.1:2")),
        (format!("21 31 00 d8 {zeros}"), Header::Unix { source: "".into(), destination: "".into() }),
        (format!("21 31 00 d8 {path}"), Header::Unix { source: "/a".into(), destination: "/b/c".into() }),
    ] {
        let mut bytes = v2(&hex);
        let length = bytes.len();
        assert_eq!(parse(&bytes), Ok(Parsed { header: header.clone(), length }), "{hex}");
        bytes.extend(b"payload");
        assert_eq!(parse(&bytes), Ok(Parsed { header, length }), "{hex} and payload");
    }
}

#[test]
fn what_is_no_binary_header_is_refused_with_the_reason() {
    let short = |length: usize| "00 ".repeat(length);
    for (hex, reason) in [
        ("11 11 00 00".into(), "version 2"),
        ("22 11 00 00".into(), "version 2"),
        ("31 11 00 00".into(), "version 2"),
        ("21 12 00 0c 00 00 00 00 00 00 00 00 00 00 00 00".into(), "family"),
        ("21 22 00 00".into(), "family"),
        ("21 32 00 00".into(), "family"),
        ("21 41 00 00".into(), "family"),
        ("21 01 00 00".into(), "family"),
        (format!("21 11 00 0b {}", short(11)), "IPv4"),
        (format!("21 21 00 23 {}", short(35)), "IPv6"),
        (format!("21 31 00 d7 {}", short(215)), "paths"),
        ("21 11 0f f1".into(), "4096"),
        ("20 00 ff ff".into(), "4096"),
    ] {
        let Err(Unparsed::Malformed(why)) = parse(&v2(&hex)) else { panic!("{hex}") };
        assert!(why.contains(reason), "{hex}: {why}");
    }
    assert_eq!(parse(&v2("21 11 0f f0")), Err(Unparsed::NeedMore(4080)), "4096 bytes are taken");
}

#[test]
fn headers_are_written() {
    let v4 = tcp("192.0.2.1:51234", "198.51.100.2:443");
    let v6 = tcp("[2001:db8::1]:1", "[::1]:2");
    let mixed = tcp("192.0.2.1:1", "[::1]:2");
    let scoped = Header::Tcp { source: address("[fe80::1%3]:1"), destination: address("[::1]:2") };
    for (header, line) in [
        (&v4, "PROXY TCP4 192.0.2.1 198.51.100.2 51234 443\r\n"),
        (&v6, "PROXY TCP6 2001:db8::1 ::1 1 2\r\n"),
        (&mixed, "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"),
        (&scoped, "PROXY TCP6 fe80::1 ::1 1 2\r\n"),
        (&Header::Local, "PROXY UNKNOWN\r\n"),
        (&Header::Unknown, "PROXY UNKNOWN\r\n"),
    ] {
        assert_eq!(String::from_utf8(header.write(Version::V1)).unwrap(), line);
    }
    assert_eq!(v4.write(Version::V2), v2("21 11 00 0c c0 00 02 01 c6 33 64 02 c8 22 01 bb"));
    assert_eq!(mixed.write(Version::V2)[12..16], [0x21, 0x21, 0, 36]);
    assert_eq!(Header::Local.write(Version::V2), v2("20 00 00 00"));
    assert_eq!(Header::Unknown.write(Version::V2), v2("21 00 00 00"));
}

#[test]
fn only_a_tcp_header_says_who_connected() {
    assert_eq!(tcp("192.0.2.1:1", "[::1]:2").source(), Some(address("192.0.2.1:1")));
    let unix = Header::Unix { source: "/a".into(), destination: "/b".into() };
    for header in [Header::Local, Header::Unknown, unix] {
        assert_eq!(header.source(), None);
    }
    assert_eq!(("v1".parse(), "v2".parse()), (Ok(Version::V1), Ok(Version::V2)));
    assert!("v3".parse::<Version>().unwrap_err().contains("v1 and v2"));
}

fn any_address() -> impl Strategy<Value = SocketAddr> {
    any::<(IpAddr, u16)>().prop_map(|(ip, port)| folded(SocketAddr::new(ip, port)))
}

fn any_header() -> impl Strategy<Value = Header> {
    let path = || "(/[a-z]{1,20}){0,5}".prop_map(PathBuf::from);
    prop_oneof![
        Just(Header::Local),
        Just(Header::Unknown),
        (any_address(), any_address()).prop_map(|(source, destination)| Header::Tcp { source, destination }),
        (path(), path()).prop_map(|(source, destination)| Header::Unix { source, destination }),
    ]
}

/// Version 1 knows less.
fn as_told(header: &Header, version: Version) -> Header {
    match (version, header) {
        (Version::V2, _) | (_, Header::Tcp { .. }) => header.clone(),
        _ => Header::Unknown,
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(header in any_header(), rest in any::<Vec<u8>>()) {
        for version in [Version::V1, Version::V2] {
            let mut bytes = header.write(version);
            let parsed = Parsed { header: as_told(&header, version), length: bytes.len() };
            bytes.extend(&rest);
            prop_assert_eq!(parse(&bytes), Ok(parsed));
        }
    }

    /// And never asks for a byte of payload.
    #[test]
    fn a_header_that_is_cut_needs_more(header in any_header()) {
        for bytes in [header.write(Version::V1), header.write(Version::V2)] {
            for cut in 0..bytes.len() {
                let Err(Unparsed::NeedMore(missing)) = parse(&bytes[..cut]) else { panic!("{cut}") };
                prop_assert!((1..=bytes.len() - cut).contains(&missing), "{missing} after {cut}");
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>(), start in 0usize..3, cut in 0usize..20) {
        let starts = [&b""[..], b"PROXY TCP4 1.1.1.1 ", b"\r\n\r\n\0\r\nQUIT\n\x21"];
        let start = &starts[start][..cut.min(starts[start].len())];
        let bytes = [start, &bytes].concat();
        match parse(&bytes) {
            Ok(parsed) => prop_assert!(parsed.length <= bytes.len().min(MAX_HEADER)),
            Err(Unparsed::NeedMore(missing)) => prop_assert!(bytes.len() + missing <= MAX_HEADER),
            Err(Unparsed::Malformed(_)) => {}
        }
    }
}
