//! Tokens whose form is wrong: sizes, segments, base64url.

use token::{MAX_TOKEN, Policy};

use crate::forge::*;

fn good() -> String {
    seal(ED_HEADER, at(CLAIMS))
}

#[test]
fn segments_and_alphabet() {
    let g = good();
    let [h, p, s]: [&str; 3] = g.split('.').collect::<Vec<_>>().try_into().unwrap();
    let rows: Vec<(&str, String, &'static str, Oracle)> = vec![
        ("good", g.clone(), "ok", Agrees),
        ("empty", String::new(), "segments", Agrees),
        ("one dot", ".".into(), "segments", Agrees),
        ("two dots", "..".into(), "segments", Agrees),
        ("three dots", "...".into(), "segments", Agrees),
        ("one segment", h.into(), "segments", Agrees),
        ("two segments", format!("{h}.{p}"), "segments", Agrees),
        ("no signature", format!("{h}.{p}."), "segments", Agrees),
        ("no payload", format!("{h}..{s}"), "segments", Agrees),
        ("no header", format!(".{p}.{s}"), "segments", Agrees),
        ("four segments", format!("{g}.{s}"), "segments", Agrees),
        ("five segments, a JWE", format!("{g}.{s}.{s}"), "segments", Agrees),
        ("a dot at the end", format!("{g}."), "segments", Agrees),
        ("a dot in front", format!(".{g}"), "segments", Agrees),
        ("space in front", format!(" {g}"), "alphabet", Agrees),
        ("space at the end", format!("{g} "), "alphabet", Agrees),
        ("line feed at the end", format!("{g}\n"), "alphabet", Agrees),
        ("line feed inside", format!("{h}.\n{p}.{s}"), "alphabet", Agrees),
        ("NUL at the end", format!("{g}\0"), "alphabet", Agrees),
        ("scheme in front", format!("Bearer {g}"), "alphabet", Agrees),
        ("quoted", format!("\"{g}\""), "alphabet", Agrees),
        ("percent-encoded dot", format!("{h}%2E{p}.{s}"), "alphabet", Agrees),
        ("letters beyond ASCII", format!("{h}.{p}é.{s}"), "alphabet", Agrees),
        ("full-width letter", format!("{h}.{p}.Ａ{s}"), "alphabet", Agrees),
        ("JSON serialisation", r#"{"payload":"e30","signatures":[]}"#.into(), "alphabet", Agrees),
    ];
    judge(&Policy::default(), rows.into_iter().map(|(n, t, c, o)| (n.to_owned(), t, c, o)));
}

#[test]
fn base64_and_signature() {
    let g = good();
    let [h, p, s]: [&str; 3] = g.split('.').collect::<Vec<_>>().try_into().unwrap();
    let rows: Vec<(&str, String, &'static str, Oracle)> = vec![
        ("padding on the signature", format!("{g}=="), "alphabet", Agrees),
        ("padding on the payload", seal_segments(h, &format!("{p}=")), "alphabet", Agrees),
        ("plus for minus", seal_segments(h, "-_-_").replace('-', "+"), "alphabet", Agrees),
        ("slash for underscore", seal_segments(h, "____").replace('_', "/"), "alphabet", Agrees),
        ("a length base64 cannot have: header", seal_segments("e30aa", p), "base64", Agrees),
        ("a length base64 cannot have: payload", seal_segments(h, "e30aa"), "base64", Agrees),
        ("a length base64 cannot have: signature", format!("{g}aaa"), "base64", Agrees),
        ("one letter as signature", format!("{h}.{p}.a"), "base64", Agrees),
        ("loose bits in the header", seal_segments("e31", p), "base64", Agrees),
        ("loose bits in the payload", seal_segments(h, "e31"), "base64", Agrees),
        ("loose bits in the signature", loose(&g), "base64", Agrees),
        ("signature one byte short", shorter(&g), "signature", Agrees),
        (
            "signature one byte long",
            format!("{h}.{p}.{}", b64([unb64(s), vec![0]].concat())),
            "signature",
            Agrees,
        ),
        ("signature of zeros", format!("{h}.{p}.{}", b64([0; 64])), "signature", Agrees),
        ("signature of one byte", format!("{h}.{p}.AA"), "signature", Agrees),
        ("header and payload swapped", format!("{p}.{h}.{s}"), "header_type", Agrees),
        (
            "payload of another token",
            format!("{h}.{}.{s}", b64(at(r#"{"sub":"bob","iat":<0>,"exp":<300>}"#))),
            "signature",
            Agrees,
        ),
        ("header said anew", format!("{}.{p}.{s}", b64(r#"{"alg":"EdDSA"}"#)), "signature", Agrees),
    ];
    judge(&Policy::default(), rows.into_iter().map(|(n, t, c, o)| (n.to_owned(), t, c, o)));
}

/// The 64 bytes of a signature leave four bits in the last letter.
fn loose(token: &str) -> String {
    let last = token.chars().last().unwrap();
    let next = match last {
        'A' => 'B',
        'Q' => 'R',
        'g' => 'h',
        'w' => 'x',
        other => panic!("{other} has loose bits already"),
    };
    format!("{}{next}", &token[..token.len() - 1])
}

fn shorter(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    format!("{input}.{}", b64(&unb64(signature)[..63]))
}

#[test]
fn sizes() {
    let pad = |bytes: usize| format!(r#"{{"alg":"EdDSA","x":"{}"}}"#, "x".repeat(bytes - 22));
    let payload = |bytes: usize| {
        let claims = at(CLAIMS);
        format!(r#"{},"x":"{}"}}"#, &claims[..claims.len() - 1], "x".repeat(bytes))
    };
    let token_of = |length: usize| {
        let mut x = length / 2;
        loop {
            let token = seal(ED_HEADER, payload(x));
            match token.len() {
                found if found >= length => return token,
                _ => x += 1,
            }
        }
    };
    let rows = [
        ("header of 1 KiB", seal(pad(1024), at(CLAIMS)), "ok", Agrees),
        ("header one longer", seal(pad(1025), at(CLAIMS)), "header_too_long", Lax),
        ("token of 8 KiB", token_of(MAX_TOKEN), "ok", Agrees),
        ("token one longer", token_of(MAX_TOKEN + 1), "too_long", Lax),
        ("a megabyte", "a".repeat(1 << 20), "too_long", Agrees),
    ];
    assert_eq!(rows[0].1.split('.').next().unwrap().len(), 1366); // ⌈1024 × 4 / 3⌉
    assert_eq!(rows[2].1.len(), MAX_TOKEN);
    judge(&Policy::default(), rows.into_iter().map(|(n, t, c, o)| (n.to_owned(), t, c, o)));
}
