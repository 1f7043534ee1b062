//! Rightly signed tokens whose JOSE header is not to be taken.

use token::Policy;

use crate::forge::*;

#[rustfmt::skip]
const TEXT: &[(&str, &str, Oracle)] = &[
    (r#"{"alg":"EdDSA"}"#, "ok", Agrees),
    (r#"{"typ":"JWT","alg":"EdDSA"}"#, "ok", Agrees),
    (r#"{"typ":"jwt","alg":"EdDSA"}"#, "ok", Agrees),
    (r#"{"typ":"at+jwt","alg":"EdDSA"}"#, "ok", Agrees),
    (r#"{"typ":"application/at+JWT","alg":"EdDSA"}"#, "ok", Agrees),
    (r#"{"typ":"Application/Jwt","alg":"EdDSA"}"#, "ok", Agrees),
    (" \t\r\n{ \"alg\" : \"EdDSA\" } \n", "ok", Agrees),
    (r#"{"\u0061lg":"\u0045dDSA"}"#, "ok", Agrees),
    (r#"{"alg":"EdDSA","kid":"any"}"#, "ok", Agrees),
    (r#"{"alg":"EdDSA","kid":""}"#, "ok", Agrees),
    (r#"{"alg":"EdDSA","cty":"text/plain"}"#, "ok", Agrees),
    (r#"{"alg":"EdDSA","jku":"https://evil.example/jwks","x5u":"https://evil.example/c"}"#, "ok", Agrees),
    (r#"{"alg":"EdDSA","x5c":["MIIB"],"x5t":"abcd"}"#, "ok", Agrees),
    (r#"{"alg":"EdDSA","jwk":{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}"#, "ok", Agrees),
    (r#"{"alg":"EdDSA","unknown":{"a":[1,2,{"b":null}]}}"#, "ok", Agrees),
    (r#"{"alg":"EdDSA","ALG":"none"}"#, "ok", Agrees),
    ("", "segments", Agrees),
    (" ", "malformed", Agrees),
    ("null", "not_object", Agrees),
    ("true", "not_object", Agrees),
    ("7", "not_object", Agrees),
    (r#""EdDSA""#, "not_object", Agrees),
    (r#"["EdDSA"]"#, "not_object", Agrees),
    (r#"["JWT","EdDSA"]"#, "not_object", Agrees),
    ("{}", "header_type", Agrees),
    (r#"{"alg":null}"#, "header_type", Agrees),
    (r#"{"alg":["EdDSA"]}"#, "header_type", Agrees),
    (r#"{"alg":{"EdDSA":null}}"#, "header_type", Lax),
    (r#"{"alg":1}"#, "header_type", Agrees),
    (r#"{"Alg":"EdDSA"}"#, "header_type", Agrees),
    (r#"{"alg\u0000":"EdDSA"}"#, "header_type", Agrees),
    (r#"{"alg":""}"#, "algorithm", Agrees),
    (r#"{"alg":"none"}"#, "algorithm", Agrees),
    (r#"{"alg":"None"}"#, "algorithm", Agrees),
    (r#"{"alg":"HS256"}"#, "algorithm", Agrees),
    (r#"{"alg":"eddsa"}"#, "algorithm", Agrees),
    (r#"{"alg":"EdDSA "}"#, "algorithm", Agrees),
    (r#"{"alg":"Ed25519"}"#, "algorithm", Agrees),
    (r#"{"alg":"ES256"}"#, "algorithm", Agrees),
    (r#"{"alg":"RS256"}"#, "algorithm", Agrees),
    (r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#, "enc", Agrees),
    (r#"{"alg":"dir","enc":"A256GCM"}"#, "enc", Agrees),
    (r#"{"alg":"EdDSA","crit":["exp"],"exp":1}"#, "crit", Lax),
    (r#"{"alg":"EdDSA","crit":[]}"#, "crit", Lax),
    (r#"{"alg":"EdDSA","crit":null}"#, "crit", Lax),
    (r#"{"alg":"EdDSA","cr\u0069t":["b64"],"b64":false}"#, "crit", Lax),
    (r#"{"alg":"EdDSA","b64":true}"#, "b64", Lax),
    (r#"{"alg":"EdDSA","b64":false}"#, "b64", Lax),
    (r#"{"alg":"EdDSA","zip":"DEF"}"#, "zip", Lax),
    (r#"{"alg":"EdDSA","enc":null}"#, "enc", Lax),
    (r#"{"alg":"EdDSA","cty":"JWT"}"#, "nested", Lax),
    (r#"{"alg":"EdDSA","cty":"application/jwt"}"#, "nested", Lax),
    (r#"{"alg":"EdDSA","cty":"at+jwt"}"#, "nested", Lax),
    (r#"{"alg":"EdDSA","cty":["JWT"]}"#, "header_type", Agrees),
    (r#"{"alg":"EdDSA","typ":""}"#, "typ", Lax),
    (r#"{"alg":"EdDSA","typ":"JWS"}"#, "typ", Lax),
    (r#"{"alg":"EdDSA","typ":"JOSE+JSON"}"#, "typ", Lax),
    (r#"{"alg":"EdDSA","typ":"secevent+jwt"}"#, "typ", Lax),
    (r#"{"alg":"EdDSA","typ":"dpop+jwt"}"#, "typ", Lax),
    (r#"{"alg":"EdDSA","typ":"application/application/jwt"}"#, "typ", Lax),
    (r#"{"alg":"EdDSA","typ":" JWT"}"#, "typ", Lax),
    (r#"{"alg":"EdDSA","typ":null}"#, "header_type", Lax),
    (r#"{"alg":"EdDSA","typ":["JWT"]}"#, "header_type", Agrees),
    (r#"{"alg":"EdDSA","kid":1}"#, "header_type", Agrees),
    (r#"{"alg":"EdDSA","kid":null}"#, "header_type", Lax),
    (r#"{"alg":"EdDSA","kid":["a","b"]}"#, "header_type", Agrees),
    (r#"{"alg":"EdDSA","alg":"EdDSA"}"#, "duplicate_name", Agrees),
    (r#"{"alg":"none","alg":"EdDSA"}"#, "duplicate_name", Agrees),
    (r#"{"alg":"EdDSA","\u0061lg":"none"}"#, "duplicate_name", Agrees),
    (r#"{"alg":"EdDSA","x":1,"x":2}"#, "duplicate_name", Lax),
    (r#"{"alg":"EdDSA","x":{"a":1,"b":2,"a":3}}"#, "duplicate_name", Lax),
    (r#"{"alg":"EdDSA","x":[[{"a":1,"\u0061":3}]]}"#, "duplicate_name", Lax),
    (r#"{"alg":"EdDSA"}{}"#, "malformed", Agrees),
    (r#"{"alg":"EdDSA"}x"#, "malformed", Agrees),
    ("{\"alg\":\"EdDSA\"}\0", "malformed", Agrees),
    (r#"{"alg":"EdDSA""#, "malformed", Agrees),
    (r#"{"alg":"EdDSA",}"#, "malformed", Agrees),
    (r#"{'alg':'EdDSA'}"#, "malformed", Agrees),
    (r#"{alg:"EdDSA"}"#, "malformed", Agrees),
    (r#"{"alg":"EdDSA"/**/}"#, "malformed", Agrees),
    (r#"{"alg":"EdDSA","x":NaN}"#, "malformed", Agrees),
    (r#"{"alg":"EdDSA","x":1e400}"#, "malformed", Agrees),
    (r#"{"alg":"EdDSA","x":01}"#, "malformed", Agrees),
    (r#"{"alg":"EdDSA","x":+1}"#, "malformed", Agrees),
    (r#"{"alg":"EdDSA","x":"\x41"}"#, "malformed", Agrees),
    (r#"{"alg":"EdDSA","x":"\ud800"}"#, "malformed", Agrees),
    ("{\"alg\":\"EdDSA\",\"x\":\"a\nb\"}", "malformed", Agrees),
    ("\u{feff}{\"alg\":\"EdDSA\"}", "malformed", Agrees),
];

#[test]
fn headers() {
    let rows = TEXT
        .iter()
        .map(|(header, code, oracle)| ((*header).to_owned(), seal(header, at(CLAIMS)), *code, *oracle));
    judge(&Policy::default(), rows);
}

#[test]
fn headers_that_are_no_text() {
    let rows: [(&str, &[u8], &str, Oracle); 4] = [
        ("a lone continuation byte", b"{\"alg\":\"EdDSA\",\"x\":\"\x80\"}", "utf8", Agrees),
        ("an overlong slash", b"{\"alg\":\"EdDSA\",\"x\":\"\xc0\xaf\"}", "utf8", Agrees),
        ("a surrogate in UTF-8", b"{\"alg\":\"EdDSA\",\"x\":\"\xed\xa0\x80\"}", "utf8", Agrees),
        ("UTF-16", b"\xff\xfe{\0}\0", "utf8", Agrees),
    ];
    judge(&Policy::default(), rows.map(|(n, header, c, o)| (n.to_owned(), seal(header, at(CLAIMS)), c, o)));
}

#[test]
fn header_depth() {
    let nested = |depth: usize| {
        let inside = depth - 1;
        format!(r#"{{"alg":"EdDSA","x":{}{}}}"#, "[".repeat(inside), "]".repeat(inside))
    };
    let rows = [(16, "ok", Agrees), (17, "too_deep", Lax), (200, "too_deep", Agrees)];
    judge(
        &Policy::default(),
        rows.map(|(d, c, o)| (format!("depth {d}"), seal(nested(d), at(CLAIMS)), c, o)),
    );
}
