//! Rightly signed tokens whose claims are not to be taken.

use std::time::Duration;

use token::Policy;

use crate::forge::*;

#[rustfmt::skip]
const TEXT: &[(&str, &str, Oracle)] = &[
    (r#"{"sub":"alice","iat":<0>,"exp":<300>}"#, "ok", Agrees),
    (r#"{"sub":"alice","iat":<0>.25,"exp":<300>.75}"#, "ok", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":4e9}"#, "ok", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":253402300799}"#, "ok", Agrees),
    (r#"{"sub":"alice","iat":0,"exp":<300>}"#, "ok", Agrees),
    (r#"{"sub":"alice","iat":-0,"exp":<300>}"#, "ok", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":<300>,"nbf":<0>}"#, "ok", Agrees),
    (r#"{"sub":" ","iat":<0>,"exp":<300>}"#, "ok", Agrees),
    (r#"{"sub":"\u0000\n\u202e","iat":<0>,"exp":<300>}"#, "ok", Agrees),
    (r#"{"s\u0075b":"alice","iat":<0>,"exp":<300>}"#, "ok", Agrees),
    (r#"{"sub":"alice","SUB":"root","iat":<0>,"exp":<300>}"#, "ok", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":<300>,"x":{"sub":"root"}}"#, "ok", Agrees),
    ("", "segments", Agrees),
    ("null", "not_object", Agrees),
    (r#""alice""#, "not_object", Agrees),
    (r#"["alice",<0>,<300>]"#, "not_object", Agrees),
    (r#"[{"sub":"alice","iat":<0>,"exp":<300>}]"#, "not_object", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":<300>}{"sub":"root"}"#, "malformed", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":<300>}]"#, "malformed", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":<300>"#, "malformed", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":<300>,}"#, "malformed", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":1e400}"#, "malformed", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":Infinity}"#, "malformed", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":0x7fffffff}"#, "malformed", Agrees),
    (r#"{"sub":"\udfff","iat":<0>,"exp":<300>}"#, "malformed", Agrees),
    ("\u{feff}{\"sub\":\"alice\",\"iat\":<0>,\"exp\":<300>}", "malformed", Agrees),
    (r#"{"sub":"alice","sub":"alice","iat":<0>,"exp":<300>}"#, "duplicate_name", Agrees),
    (r#"{"sub":"alice","s\u0075b":"root","iat":<0>,"exp":<300>}"#, "duplicate_name", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":<-300>,"exp":<300>}"#, "duplicate_name", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":<300>,"x":{"a":1,"a":1}}"#, "duplicate_name", Lax),
    (r#"{"sub":"alice","iat":<0>,"exp":<300>,"x":[{"é":1,"\u00e9":1}]}"#, "duplicate_name", Lax),
    (r#"{"iat":<0>,"exp":<300>}"#, "missing_claim", Agrees),
    (r#"{"Sub":"alice","iat":<0>,"exp":<300>}"#, "missing_claim", Agrees),
    (r#"{"sub":"alice","exp":<300>}"#, "missing_claim", Lax),
    (r#"{"sub":"alice","iat":<0>}"#, "missing_claim", Agrees),
    (r#"{"sub":null,"iat":<0>,"exp":<300>}"#, "claim_type", Agrees),
    (r#"{"sub":7,"iat":<0>,"exp":<300>}"#, "claim_type", Agrees),
    (r#"{"sub":["alice"],"iat":<0>,"exp":<300>}"#, "claim_type", Agrees),
    (r#"{"sub":{"name":"alice"},"iat":<0>,"exp":<300>}"#, "claim_type", Agrees),
    (r#"{"sub":true,"iat":<0>,"exp":<300>}"#, "claim_type", Agrees),
    (r#"{"sub":"","iat":<0>,"exp":<300>}"#, "subject_length", Lax),
    (r#"{"sub":"alice","iat":<0>,"exp":"<300>"}"#, "claim_type", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":null}"#, "claim_type", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":[<300>]}"#, "claim_type", Agrees),
    (r#"{"sub":"alice","iat":"<0>","exp":<300>}"#, "claim_type", Lax),
    (r#"{"sub":"alice","iat":null,"exp":<300>}"#, "claim_type", Lax),
    (r#"{"sub":"alice","iat":false,"exp":<300>}"#, "claim_type", Lax),
    (r#"{"sub":"alice","iat":<0>,"exp":<300>,"nbf":"<0>"}"#, "claim_type", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":<300>,"nbf":null}"#, "claim_type", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":253402300800}"#, "date_range", Lax),
    (r#"{"sub":"alice","iat":<0>,"exp":<300>000}"#, "date_range", Lax),
    (r#"{"sub":"alice","iat":<0>,"exp":18446744073709551615}"#, "date_range", Lax),
    (r#"{"sub":"alice","iat":<0>,"exp":18446744073709551616}"#, "date_range", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":1e300}"#, "date_range", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":-1}"#, "date_range", Agrees),
    (r#"{"sub":"alice","iat":-1,"exp":<300>}"#, "date_range", Lax),
    (r#"{"sub":"alice","iat":-0.5,"exp":<300>}"#, "date_range", Lax),
    (r#"{"sub":"alice","iat":-1e300,"exp":<300>}"#, "date_range", Lax),
    (r#"{"sub":"alice","iat":<0>,"exp":<300>,"nbf":-9223372036854775808}"#, "date_range", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":<300>,"nbf":-9223372036854775809}"#, "date_range", Agrees),
    (r#"{"sub":"alice","iat":<-900>,"exp":<-300>}"#, "expired", Agrees),
    (r#"{"sub":"alice","iat":0,"exp":0}"#, "expired", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":<-32>.5}"#, "expired", Agrees),
    (r#"{"sub":"alice","iat":<31>,"exp":<300>}"#, "future", Lax),
    (r#"{"sub":"alice","iat":<30>.5,"exp":<300>}"#, "future", Lax),
    (r#"{"sub":"alice","iat":<3600>,"exp":<300>}"#, "future", Lax),
    (r#"{"sub":"alice","iat":<0>,"exp":<300>,"nbf":<600>}"#, "not_yet", Agrees),
    (r#"{"sub":"alice","iat":<0>,"exp":<300>,"nbf":<30>}"#, "ok", Agrees),
    (r#"{"sub":"alice","iat":<30>,"exp":<300>}"#, "ok", Agrees),
];

fn rows(rows: &[(&str, &'static str, Oracle)]) -> Vec<(String, String, &'static str, Oracle)> {
    let row = |&(claims, code, oracle)| (String::from(claims), seal(ED_HEADER, at(claims)), code, oracle);
    rows.iter().map(row).collect()
}

#[test]
fn claims() {
    judge(&Policy::default(), rows(TEXT));
}

#[test]
fn payloads_that_are_no_text() {
    let with =
        |bytes: &[u8]| [at(CLAIMS).trim_end_matches('}').as_bytes(), b",\"x\":\"", bytes, b"\"}"].concat();
    let cases: [(&[u8], &str, Oracle); 4] = [
        (b"\xff", "utf8", Agrees),
        (b"\xc1\x81", "utf8", Agrees),
        (b"\x01", "malformed", Agrees),
        (b"\xc3\xa9", "ok", Agrees),
    ];
    judge(&Policy::default(), cases.map(|(b, c, o)| (format!("{b:x?}"), seal(ED_HEADER, with(b)), c, o)));
}

#[test]
fn payload_depth() {
    let nested = |depth: usize| {
        let (open, close) = (r#"{"a":"#.repeat(depth - 1), "}".repeat(depth - 1));
        format!(r#"{},"x":{open}1{close}}}"#, at(CLAIMS).trim_end_matches('}'))
    };
    let cases = [(32, "ok", Agrees), (33, "too_deep", Lax), (500, "too_deep", Agrees)];
    judge(
        &Policy::default(),
        cases.map(|(d, c, o)| (format!("depth {d}"), seal(ED_HEADER, nested(d)), c, o)),
    );
}

#[test]
fn subject_length_is_the_policys() {
    let token = |bytes: usize| seal(ED_HEADER, at(&CLAIMS.replace("alice", &"a".repeat(bytes))));
    for (max_subject, bytes, expected) in [
        (256, 256, "ok"),
        (256, 257, "subject_length"),
        (255, 256, "subject_length"),
        (usize::MAX, 1000, "ok"),
    ] {
        let policy = Policy { max_subject, ..Policy::default() };
        assert_eq!(code(&token(bytes), &set(&[&ED]), &policy), expected, "{bytes} of {max_subject}");
    }
}

#[test]
fn audience_and_issuer() {
    let audience = Policy { audience: vec!["gate".into(), "door".into()], ..Policy::default() };
    let issuer = Policy { issuer: vec!["home".into()], ..Policy::default() };
    let with = |more: &str| at(CLAIMS).replace('}', &format!(",{more}}}"));
    #[rustfmt::skip]
    let cases = [
        (&audience, r#""aud":"gate""#, "ok", Agrees),
        (&audience, r#""aud":["other","door"]"#, "ok", Agrees),
        (&audience, r#""x":1"#, "audience", Agrees),
        (&audience, r#""aud":[]"#, "audience", Agrees),
        (&audience, r#""aud":"other""#, "audience", Agrees),
        (&audience, r#""aud":"Gate""#, "audience", Agrees),
        (&audience, r#""aud":"gate ""#, "audience", Agrees),
        (&audience, r#""aud":"gate,door""#, "audience", Agrees),
        (&audience, r#""aud":["other"]"#, "audience", Agrees),
        (&audience, r#""aud":[["gate"]]"#, "claim_type", Agrees),
        (&audience, r#""aud":["gate",1]"#, "claim_type", Agrees),
        (&audience, r#""aud":null"#, "claim_type", Agrees),
        (&audience, r#""aud":{"gate":1}"#, "claim_type", Agrees),
        (&issuer, r#""iss":"home""#, "ok", Agrees),
        (&issuer, r#""x":1"#, "issuer", Agrees),
        (&issuer, r#""iss":"other""#, "issuer", Agrees),
        (&issuer, r#""iss":"home/""#, "issuer", Agrees),
        (&issuer, r#""iss":["home"]"#, "claim_type", Lax),
        (&issuer, r#""iss":7"#, "claim_type", Agrees),
    ];
    for (policy, more, expected, oracle) in cases {
        judge(policy, [(more.to_owned(), seal(ED_HEADER, with(more)), expected, oracle)]);
    }
}

#[test]
fn freshness_and_lifetime_are_the_policys() {
    let seconds = |s| Some(Duration::from_secs(s));
    let claims = |iat: i64, exp: i64| at(&format!(r#"{{"sub":"alice","iat":<{iat}>,"exp":<{exp}>}}"#));
    let cases = [
        (seconds(60), None, -90, 300, "ok"),
        (seconds(60), None, -91, 300, "too_old"),
        (seconds(0), None, -30, 300, "ok"),
        (Some(Duration::MAX), None, -100_000, 300, "ok"),
        (None, seconds(300), 0, 300, "ok"),
        (None, seconds(300), 0, 301, "lifetime"),
        (None, seconds(300), 0, -10, "ok"),
        (None, None, -100_000_000, 100_000_000, "ok"),
    ];
    for (freshness, max_lifetime, iat, exp, expected) in cases {
        let policy = Policy { freshness, max_lifetime, ..Policy::default() };
        let token = seal(ED_HEADER, claims(iat, exp));
        assert_eq!(code(&token, &set(&[&ED]), &policy), expected, "{policy:?} {iat} {exp}");
    }
}
