//! What an attacker does to a signature, and to how it is written.

/// The order n of P-256, SEC 2 §2.4.2, big-endian.
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The order L of the group of Ed25519, RFC 8032 §5.1, little-endian.
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The letters of base64url in their order, RFC 4648 §5.
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Does to a signature what a row of the table calls `how`.
///
/// # Panics
/// When nobody knows how.
pub fn spoil_bytes(mut bytes: Vec<u8>, how: &str) -> Vec<u8> {
    let length = bytes.len();
    match how {
        "flip-first" => bytes[0] ^= 1,
        "flip-last" => bytes[length - 1] ^= 1,
        "short" => bytes.truncate(length - 1),
        "half" => bytes.truncate(length / 2),
        "long" => bytes.push(0),
        "leading-zero" => bytes.insert(0, 0),
        "zeros" => bytes.fill(0),
        "ones" => bytes.fill(0xff),
        "swap" => bytes.rotate_left(length / 2),
        "order" => bytes = [P256_ORDER, P256_ORDER].concat(),
        "high-s" => subtract_from_order(&mut bytes[32..]),
        "plus-order" => add_order(&mut bytes[32..]),
        other => panic!("nobody knows how to spoil a signature by {other:?}"),
    }
    bytes
}

/// Does to a base64url segment what a row of the table calls `how`.
///
/// # Panics
/// When nobody knows how, or the segment has no bits to spare.
pub fn spoil_text(text: &str, how: &str) -> String {
    let (rest, last) = text.split_at(text.len() - 1);
    match how {
        // The last letter of a segment has unused bits unless the segment is of whole groups of four.
        "loose" => {
            assert_ne!(text.len() % 4, 0, "{text} has no loose bits");
            let place = LETTERS.find(last).expect("base64url");
            format!("{rest}{}", &LETTERS[place + 1..place + 2])
        }
        other => panic!("nobody knows how to spoil a segment by {other:?}"),
    }
}

/// s becomes n − s: the other signature of the same message by the same key (SEC 1 §4.1.3).
fn subtract_from_order(s: &mut [u8]) {
    let mut borrow = 0;
    for (byte, order) in s.iter_mut().zip(P256_ORDER).rev() {
        let difference = i16::from(order) - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = difference.rem_euclid(256) as u8;
    }
}

/// S becomes S + L, which is the same number modulo L.
fn add_order(s: &mut [u8]) {
    let mut carry = 0;
    for (byte, order) in s.iter_mut().zip(ED25519_ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        carry = sum >> 8;
        *byte = (sum & 0xff) as u8;
    }
}
