//! Files that cannot be used: each error names the file and what to do.

use https::{ClientFiles, ClientTls, IdentityFiles, Roots, ServerFiles, ServerTls};

use crate::authority::{Authority, Files, GOOD, pem, shown};
use crate::stand::chain;

#[test]
fn a_certificate_and_a_key_that_cannot_be_used() {
    let (ca, files) = (Authority::new("test CA"), Files::new());
    let [certificate, key] = ca.issue("gw.test", GOOD);
    let [_, other] = ca.issue("gw.test", GOOD);
    let cut = &key[..key.len() - 20];
    let locked = pem("ENCRYPTED PRIVATE KEY", b"x");
    let openssh = pem("OPENSSH PRIVATE KEY", b"x");
    let nonsense = pem("PRIVATE KEY", b"nonsense");
    let junk = pem("CERTIFICATE", b"nonsense");
    let rows: [(&str, &str, &str); 10] = [
        (
            &certificate,
            &other,
            "the private key in {key} does not belong to the first certificate in {certificate}",
        ),
        (&certificate, "", "{key}: there is no private key in it"),
        (&certificate, &certificate, "{key}: there is no private key in it"),
        (&certificate, cut, "{key}: damaged PEM"),
        (&certificate, &locked, "{key}: the key has a passphrase; store it without: openssl pkey -in {key}"),
        (&certificate, &openssh, "{key}: this is an OpenSSH key"),
        (&certificate, &nonsense, "{key}: use an RSA, EC or Ed25519 key"),
        (&key, &key, "{certificate}: there is no certificate in it"),
        (&certificate[..90], &key, "{certificate}: damaged PEM"),
        (&junk, &key, "{certificate}: the first certificate"),
    ];
    for (certificate, key, expected) in rows {
        let identity = files.identity("bad", [certificate.to_owned(), key.to_owned()]);
        let expected = expected
            .replace("{key}", &shown(&identity.key))
            .replace("{certificate}", &shown(&identity.certificate));
        let server = ServerTls::load(ServerFiles { identity: identity.clone(), client_ca: None });
        let server = chain(server.unwrap_err());
        assert!(server.starts_with(&expected), "{server}");
        let ca = Some(files.write("ca.pem", ca.pem()));
        let client = chain(ClientTls::load(ClientFiles { ca, identity: Some(identity) }).unwrap_err());
        assert_eq!(client, server);
    }
}

#[test]
fn authorities_that_cannot_be_used() {
    let (ca, files) = (Authority::new("test CA"), Files::new());
    let junk = [ca.pem(), pem("CERTIFICATE", b"nonsense")].concat();
    for (text, expected) in [
        ("", "there is no certificate in it"),
        ("-----BEGIN CERTIFICATE-----\nAAAA", "damaged PEM"),
        (&junk, "certificate 2 is damaged"),
    ] {
        let file = files.write("ca.pem", text);
        let error = chain(Roots::load(Some(&file)).unwrap_err());
        assert!(error.starts_with(&format!("{}: {expected}", shown(&file))), "{error}");
    }
    let missing = files.path("missing.pem");
    let error = chain(Roots::load(Some(&missing)).unwrap_err());
    assert!(error.starts_with(&format!("{}: No such file", shown(&missing))), "{error}");
    let identity = files.identity("server", ca.issue("gw.test", GOOD));
    let error = ServerTls::load(ServerFiles { identity, client_ca: Some(missing.clone()) }).unwrap_err();
    assert!(chain(error).starts_with(&shown(&missing)));
}

#[test]
fn certificate_and_key_may_be_one_file() {
    let (ca, files) = (Authority::new("test CA"), Files::new());
    let both = files.write("both.pem", ca.issue("gw.test", GOOD).concat());
    let identity = IdentityFiles { certificate: both.clone(), key: both };
    assert!(ServerTls::load(ServerFiles { identity, client_ca: None }).is_ok());
}

#[test]
fn debug_shows_no_key() {
    let (ca, files) = (Authority::new("test CA"), Files::new());
    let server = files.server(&ca, None);
    let key = std::fs::read_to_string(files.path("server.key")).unwrap();
    let line = key.lines().nth(1).unwrap();
    assert!(!format!("{server:?}").contains(&line[..40]));
}
