//! Close codes and the payload of a Close frame (RFC 6455 sections 5.5.1 and 7.4).

use crate::Violation;

/// An orderly end.
pub const NORMAL: u16 = 1000;
/// We are going away: a shutdown or a deadline.
pub const GOING_AWAY: u16 = 1001;
/// The peer broke the protocol.
pub const PROTOCOL: u16 = 1002;
/// The peer sent text; only binary messages are carried.
pub const UNACCEPTABLE: u16 = 1003;
/// What stands for "no code given" when a Close frame is empty; never sent.
pub const NONE: u16 = 1005;
/// A text is not UTF-8.
pub const NOT_UTF8: u16 = 1007;
/// A frame is longer than we take.
pub const TOO_BIG: u16 = 1009;
/// The local connection was reset; what was carried may not be all.
pub const LOCAL_RESET: u16 = 1011;
/// The process that owned the session is gone, and the session with it (dialect 2).
pub const OWNER_GONE: u16 = 4001;
/// Another WebSocket has taken the session over (dialect 2).
pub const TAKEN_OVER: u16 = 4002;
/// The caller may no longer reach the destination; an operator may have said so (dialect 2).
pub const NOT_ALLOWED: u16 = 4003;
/// The session goes on once the credential is renewed (dialect 2).
pub const RENEW: u16 = 4004;

/// Whether a peer of dialect 2 that closes with `code` has ended the session. After any other code, and
/// after [`NORMAL`] before the session is finished, only the WebSocket is gone.
pub fn ends_session(code: u16) -> bool {
    matches!(code, PROTOCOL | UNACCEPTABLE | NOT_UTF8 | TOO_BIG | OWNER_GONE | NOT_ALLOWED)
}

/// Whether a peer that closes with `code` says that its stream is complete.
pub fn is_orderly(code: u16) -> bool {
    matches!(code, NORMAL | NONE)
}

/// Reads the payload of a Close frame: nothing, or a code and a reason in UTF-8. The reason is checked
/// and dropped: nothing of ours depends on a peer's prose.
pub(crate) fn parse(payload: &[u8]) -> Result<u16, Violation> {
    let (code, reason) = match payload {
        [] => return Ok(NONE),
        [_] => return Err(Violation::CloseLength),
        [a, b, reason @ ..] => (u16::from_be_bytes([*a, *b]), reason),
    };
    // 1004 to 1006 and 1015 are never on the wire, and what the registry has not assigned is not used.
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::CloseCode);
    }
    std::str::from_utf8(reason).map_err(|_| Violation::CloseReason)?;
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_payloads_are_read_as_the_rfc_says() {
        for (payload, code) in [
            (&b""[..], Ok(NONE)),
            (b"\x03\xe8", Ok(1000)),
            (b"\x03\xe8bye", Ok(1000)),
            (b"\x0f\xa1", Ok(4001)),
            (b"\x03", Err(Violation::CloseLength)),
            (b"\x00\x00", Err(Violation::CloseCode)),
            (b"\x03\xe7", Err(Violation::CloseCode)), // 999
            (b"\x03\xed", Err(Violation::CloseCode)), // 1005
            (b"\x03\xee", Err(Violation::CloseCode)), // 1006
            (b"\x03\xf7", Err(Violation::CloseCode)), // 1015
            (b"\x07\xd0", Err(Violation::CloseCode)), // 2000
            (b"\x13\x88", Err(Violation::CloseCode)), // 5000
            (b"\x03\xe8\xff", Err(Violation::CloseReason)),
        ] {
            assert_eq!(parse(payload), code, "{payload:?}");
        }
    }
}
