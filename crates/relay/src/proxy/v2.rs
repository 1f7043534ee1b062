//! Version 2, the binary header.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Header, MAX_HEADER, Pair, Parsed, Unparsed, folded};

pub(super) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, command, family and length.
const FIXED: usize = 16;
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
const UNSPECIFIED: u8 = 0x00;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
const UNIX: u8 = 0x31;
/// The size of `sun_path` on Linux.
const PATH: usize = 108;

/// `bytes` begin like the signature.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, Unparsed> {
    let Some((&[.., command, family, high, low], rest)) = bytes.split_first_chunk::<FIXED>() else {
        return Err(Unparsed::NeedMore(FIXED - bytes.len()));
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if FIXED + length > MAX_HEADER {
        return Err(Unparsed::Malformed("it is longer than 4096 bytes"));
    }
    let Some(said) = rest.get(..length) else { return Err(Unparsed::NeedMore(length - rest.len())) };
    let header = header(command, family, said).map_err(Unparsed::Malformed)?;
    Ok(Parsed { header, length: FIXED + length })
}

/// LOCAL ignores the family and what follows, as section 2.2 demands.
fn header(command: u8, family: u8, said: &[u8]) -> Result<Header, &'static str> {
    match (command, family) {
        (LOCAL, _) => Ok(Header::Local),
        (PROXY, UNSPECIFIED) => Ok(Header::Unknown),
        (PROXY, TCP4) => tcp4(said).ok_or("shorter than two IPv4 addresses and ports"),
        (PROXY, TCP6) => tcp6(said).ok_or("shorter than two IPv6 addresses and ports"),
        (PROXY, UNIX) => unix(said).ok_or("shorter than two paths"),
        (PROXY, _) => Err("the family is not TCP4, TCP6 or unix stream"),
        _ => Err("neither LOCAL nor PROXY of version 2"),
    }
}

fn tcp4(said: &[u8]) -> Option<Header> {
    let (from, rest) = said.split_first_chunk::<4>()?;
    let (to, rest) = rest.split_first_chunk::<4>()?;
    tcp(Ipv4Addr::from(*from).into(), Ipv4Addr::from(*to).into(), rest)
}

fn tcp6(said: &[u8]) -> Option<Header> {
    let (from, rest) = said.split_first_chunk::<16>()?;
    let (to, rest) = rest.split_first_chunk::<16>()?;
    tcp(Ipv6Addr::from(*from).into(), Ipv6Addr::from(*to).into(), rest)
}

fn tcp(from: IpAddr, to: IpAddr, ports: &[u8]) -> Option<Header> {
    let (from_port, rest) = ports.split_first_chunk::<2>()?;
    let to_port = rest.first_chunk::<2>()?;
    let address = |ip, port| folded(SocketAddr::new(ip, u16::from_be_bytes(port)));
    Some(Header::Tcp { source: address(from, *from_port), destination: address(to, *to_port) })
}

fn unix(said: &[u8]) -> Option<Header> {
    let (source, rest) = said.split_first_chunk::<PATH>()?;
    let destination = rest.first_chunk::<PATH>()?;
    Some(Header::Unix { source: path(source), destination: path(destination) })
}

/// Up to the first zero; so an abstract address, which begins with one, is an empty path.
fn path(padded: &[u8]) -> PathBuf {
    let path = padded.split(|b| *b == 0).next().unwrap_or_default();
    OsStr::from_bytes(path).into()
}

pub(super) fn write(header: &Header) -> Vec<u8> {
    match header {
        Header::Local => assemble(LOCAL, UNSPECIFIED, &[]),
        Header::Unknown => assemble(PROXY, UNSPECIFIED, &[]),
        Header::Tcp { source, destination } => match Pair::of(*source, *destination) {
            Pair::V4([a, b]) => tcp_of(TCP4, [&octets(a.ip()), &octets(b.ip())], [a.port(), b.port()]),
            Pair::V6([(a, a_port), (b, b_port)]) => {
                tcp_of(TCP6, [&a.octets(), &b.octets()], [a_port, b_port])
            }
        },
        Header::Unix { source, destination } => {
            assemble(PROXY, UNIX, &[padded(source), padded(destination)].concat())
        }
    }
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().into(),
        IpAddr::V6(ip) => ip.octets().into(),
    }
}

fn tcp_of(family: u8, ips: [&[u8]; 2], ports: [u16; 2]) -> Vec<u8> {
    assemble(PROXY, family, &[ips.concat(), ports.map(u16::to_be_bytes).concat()].concat())
}

fn padded(path: &Path) -> [u8; PATH] {
    let mut field = [0; PATH];
    let bytes = path.as_os_str().as_bytes();
    let taken = bytes.len().min(PATH);
    field[..taken].copy_from_slice(&bytes[..taken]);
    field
}

/// `said` is at most two paths, 216 bytes.
fn assemble(command: u8, family: u8, said: &[u8]) -> Vec<u8> {
    let length = (said.len() as u16).to_be_bytes();
    [&SIGNATURE[..], &[command, family], &length, said].concat()
}
