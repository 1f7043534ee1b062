//! Keys with an end, and tokens that bring keys of their own.

use e2e::certificate::openssl;
use e2e::deteco::{key, service};
use e2e::issuer::{Issuer, claims, jwk_set};
use e2e::scratch::Scratch;
use e2e::web_server::{WebServer, answer};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use super::Site;

/// A certificate of this issuer's key, valid between two times.
fn certificate(issuer: &Issuer, from: &str, until: &str) -> String {
    let dir = Scratch::new();
    dir.write("index.txt", "");
    dir.write("serial", "01");
    dir.write(
        "ca.conf",
        "[ca]\ndefault_ca = d\n[d]\ndir = .\ndatabase = index.txt\nserial = serial\nnew_certs_dir = .\n\
         default_md = sha256\npolicy = p\n[p]\ncommonName = supplied\n",
    );
    let key = issuer.private();
    openssl(&dir, &format!("req -new -key {key} -subj /CN=alice -out alice.csr"));
    openssl(
        &dir,
        &format!(
            "ca -batch -config ca.conf -selfsign -keyfile {key} -in alice.csr -out alice.pem -notext \
             -startdate {from} -enddate {until}"
        ),
    );
    std::fs::read_to_string(dir.file("alice.pem")).unwrap()
}

/// A site whose key is this certificate.
fn certified(from: &str, until: &str) -> Site {
    Site::with(
        |issuer| {
            service("alice", issuer, &["/path1"])
                .replace(&issuer.public_pem(), &certificate(issuer, from, until))
        },
        |sample| sample,
    )
}

#[test]
fn a_certificate_is_a_key_as_long_as_it_is_valid() {
    let site = certified("20200101000000Z", "20990101000000Z");
    assert_eq!(site.get("/path1", &site.alice()).status, 200);
}

#[test]
fn an_expired_certificate_does_not_stop_a_start_and_its_tokens_are_401() {
    for (from, until) in [("20200101000000Z", "20210101000000Z"), ("20980101000000Z", "20990101000000Z")] {
        let site = certified(from, until);
        assert_eq!(site.get("/path1", &site.alice()).status, 401);
        assert_eq!(site.deteco.decision(401).text("reason").as_deref(), Some("key_expired"));
        let events = site.deteco.process.events();
        assert!(events.iter().any(|event| event.level() == "warn"), "it is warned about");
        assert_eq!(site.application.targets().len(), 0);
    }
}

#[test]
fn an_expired_certificate_among_the_keys_does_not_stop_the_others() {
    let good = Issuer::es256("good");
    let site = Site::with(
        |issuer| {
            let old = certificate(issuer, "20200101000000Z", "20210101000000Z");
            service("alice", issuer, &["/path1"]).replace(&issuer.public_pem(), &old) + &key(&good)
        },
        |sample| sample,
    );
    assert_eq!(site.get("/path1", &good.bearer("alice")).status, 200);
    assert_eq!(site.get("/path1", &site.alice()).status, 401);
}

#[test]
fn not_after_ends_a_key_and_not_before_begins_it() {
    for (times, status) in [
        ("not_after = 2020-01-01T00:00:00Z", 401),
        ("not_before = 2098-01-01T00:00:00Z", 401),
        ("not_before = 2020-01-01T00:00:00Z\nnot_after = 2098-01-01T00:00:00Z", 200),
    ] {
        let conf = |issuer: &Issuer| {
            format!("[[services]]\nid = \"alice\"\npaths = [\"/path1\"]\n{}{times}\n", key(issuer))
        };
        let site = Site::with(conf, |sample| sample);
        assert_eq!(site.get("/path1", &site.alice()).status, status, "{times}");
        let reason = site.deteco.decision(status.into()).text("reason");
        assert_eq!(reason.as_deref() == Some("key_expired"), status == 401, "{times}: {reason:?}");
    }
}

/// A token for alice with a JOSE header of the test's own.
fn with_header(issuer: &Issuer, header: &Header) -> String {
    let dir = Scratch::new();
    openssl(&dir, &format!("pkcs8 -topk8 -nocrypt -outform DER -in {} -out key.der", issuer.private()));
    let key = EncodingKey::from_ec_der(&std::fs::read(dir.file("key.der")).unwrap());
    format!("Bearer {}", encode(header, &claims("alice", json!({})), &key).unwrap())
}

#[test]
fn a_token_that_names_a_key_of_its_own_causes_no_fetch_and_is_not_believed() {
    let mallory = Issuer::es256("a");
    let set = jwk_set(&[&mallory]);
    let web = WebServer::answering(move |_| answer("200 OK", "Content-Type: application/json\r\n", &set));
    let site = Site::new();
    let headers = [
        Header { jku: Some(web.url("/jku")), ..Header::new(Algorithm::ES256) },
        Header { x5u: Some(web.url("/x5u")), ..Header::new(Algorithm::ES256) },
        Header { jwk: Some(serde_json::from_value(mallory.jwk()).unwrap()), ..Header::new(Algorithm::ES256) },
        Header { kid: Some(web.url("/kid")), ..Header::new(Algorithm::ES256) },
    ];
    for header in &headers {
        assert_eq!(site.get("/path1", &with_header(&mallory, header)).status, 401, "{header:?}");
        assert_eq!(site.get("/path1", &with_header(&site.issuer, header)).status, 200, "{header:?}");
    }
    assert!(web.asked().is_empty(), "{:?}", web.asked());
}
