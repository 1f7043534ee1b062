//! Every form in which a key may come, and what is said about the ones that may not.

use std::time::{Duration, UNIX_EPOCH};

use token::{Key, KeyError, KeyKind, PrivateKey, PublicKey};

use crate::forge::{ED, P256, P384, P521, RSA};
use crate::wrap::*;

#[test]
fn public_keys_by_content() {
    let rows = [
        ("RSA SPKI", "PUBLIC KEY", spki_of(&RSA), &RSA, KeyKind::Rsa(2048)),
        ("RSA PKCS#1", "RSA PUBLIC KEY", pkcs1_public_of(&RSA), &RSA, KeyKind::Rsa(2048)),
        ("P-256", "PUBLIC KEY", spki_of(&P256), &P256, KeyKind::P256),
        ("P-384", "PUBLIC KEY", spki_of(&P384), &P384, KeyKind::P384),
        ("P-521", "PUBLIC KEY", spki_of(&P521), &P521, KeyKind::P521),
        ("Ed25519", "PUBLIC KEY", spki_of(&ED), &ED, KeyKind::Ed25519),
        ("PKCS#1 with the label of SPKI", "PUBLIC KEY", pkcs1_public_of(&RSA), &RSA, KeyKind::Rsa(2048)),
        ("SPKI with the label of PKCS#1", "RSA PUBLIC KEY", spki_of(&RSA), &RSA, KeyKind::Rsa(2048)),
        ("SPKI as a private key", "PRIVATE KEY", spki_of(&P256), &P256, KeyKind::P256),
        ("any label", "MY KEY", spki_of(&ED), &ED, KeyKind::Ed25519),
    ];
    for (name, label, der, private, kind) in rows {
        let key = PublicKey::from_pem(pem(label, &der).as_bytes()).unwrap();
        assert_eq!(key.kind(), kind, "{name}");
        assert_eq!(key.fingerprint(), private.public().fingerprint(), "{name}");
        assert_eq!(key.to_pem(), private.public_pem(), "{name}");
        assert_eq!((key.not_before(), key.not_after()), (None, None), "{name}");
    }
}

#[test]
fn certificates_bring_their_validity() {
    let certificate =
        certificate(&spki_of(&P256), &utc_time("260101000000Z"), &generalized_time("20500101000000Z"));
    for label in ["CERTIFICATE", "TRUSTED CERTIFICATE", "PUBLIC KEY"] {
        let key = PublicKey::from_pem(pem(label, &certificate).as_bytes()).unwrap();
        assert_eq!(key.fingerprint(), P256.public().fingerprint());
        let (from, to) = (
            UNIX_EPOCH + Duration::from_secs(1_767_225_600),
            UNIX_EPOCH + Duration::from_secs(2_524_608_000),
        );
        assert_eq!((key.not_before(), key.not_after()), (Some(from), Some(to)));
        let key = Key::from(key);
        let second = Duration::from_secs(1);
        for (now, valid) in [(from - second, false), (from, true), (to, true), (to + second, false)] {
            assert_eq!(key.is_valid_at(now), valid, "{now:?}");
        }
    }
}

/// Version 1 is said by leaving the version out.
#[test]
fn certificates_of_version_1_are_read() {
    let [from, to] = [utc_time("260101000000Z"), utc_time("300101000000Z")];
    let key = PublicKey::from_pem(pem("CERTIFICATE", &certificate_v1(&spki_of(&ED), &from, &to)).as_bytes())
        .unwrap();
    assert_eq!(key.fingerprint(), ED.public().fingerprint());
}

#[test]
fn text_around_the_block_is_allowed() {
    let block = pem("PUBLIC KEY", &spki_of(&ED));
    let one_line = block.clone(); // tools wrap base64 at 64 letters; ours above do not
    let wrapped = ED.public_pem();
    for text in [
        format!("Bag Attributes\n  friendlyName: x\n{block}"),
        format!("{block}\n\n# the end\n"),
        block.replace('\n', "\r\n"),
        format!("\u{feff}{block}"),
        one_line,
        wrapped,
    ] {
        assert!(PublicKey::from_pem(text.as_bytes()).is_ok(), "{text:?}");
    }
}

/// 65537
const F4: &[u8] = &[1, 0, 1];

/// An RSA SPKI whose numbers were never made by anybody; weakness is judged before all else.
fn rsa(modulus_bytes: usize, first: u8, exponent: &[u8]) -> Vec<u8> {
    let mut modulus = vec![0xa5; modulus_bytes];
    modulus[0] = first;
    let numbers = seq(&[&uint(&modulus), &uint(exponent)]);
    spki(&[RSA_ID, NULL], &numbers)
}

fn ec_point(first: u8, length: usize) -> Vec<u8> {
    let mut point = vec![7; length];
    point[0] = first;
    point
}

#[test]
fn public_keys_that_are_refused() {
    use KeyError::*;
    let explicit = seq(&[&uint(&[1])]);
    let rows: Vec<(&str, Vec<u8>, KeyError)> = vec![
        ("PKCS#8", pkcs8_of(&P256), Private),
        ("PKCS#8 Ed25519", pkcs8_of(&ED), Private),
        ("PKCS#1 private", pkcs1_of(&RSA), Private),
        ("SEC1", sec1_of_p256(&P256, P256_ID), Private),
        ("encrypted", seq(&[&seq(&[RSA_ID]), &octets(b"secret")]), Private),
        ("OpenSSH private", b"openssh-key-v1\0none".to_vec(), OpenSshPrivate),
        ("RSA-PSS key", spki(&[RSA_PSS_ID], &spki_of(&RSA)[24..]), Kind("1.2.840.113549.1.1.10".into())),
        ("Ed448", spki(&[ED448_ID], &[7; 57]), Kind("1.3.101.113".into())),
        ("X25519", spki(&[X25519_ID], &[7; 32]), Kind("1.3.101.110".into())),
        ("Ed25519 of 31 bytes", spki(&[ED25519_ID], &[7; 31]), Damaged),
        ("Ed25519 of 33 bytes", spki(&[ED25519_ID], &[7; 33]), Damaged),
        ("secp256k1", spki(&[EC_ID, SECP256K1_ID], &ec_point(4, 65)), Curve("1.3.132.0.10".into())),
        (
            "curve by parameters",
            spki(&[EC_ID, &explicit], &ec_point(4, 65)),
            Curve("given by parameters".into()),
        ),
        ("no curve", spki(&[EC_ID], &ec_point(4, 65)), Curve("given by parameters".into())),
        ("compressed point", spki(&[EC_ID, P256_ID], &ec_point(2, 33)), CompressedPoint),
        ("hybrid point", spki(&[EC_ID, P256_ID], &ec_point(6, 65)), CompressedPoint),
        ("point at infinity", spki(&[EC_ID, P256_ID], &[0]), CompressedPoint),
        ("empty point", spki(&[EC_ID, P256_ID], &[]), CompressedPoint),
        ("point off the curve", spki(&[EC_ID, P256_ID], &ec_point(4, 65)), Damaged),
        ("short point", spki(&[EC_ID, P256_ID], &ec_point(4, 64)), Damaged),
        ("RSA inside is no RSA", spki(&[RSA_ID, NULL], &[1, 2, 3]), NotAKey),
        ("negative modulus", spki(&[RSA_ID, NULL], &seq(&[&tlv(2, &[&[0x80; 256]]), &uint(F4)])), NotAKey),
        ("something after", [spki_of(&ED), vec![0]].concat(), NotAKey),
        ("cut off", spki_of(&ED)[..40].to_vec(), NotAKey),
        ("empty", vec![], NotAKey),
        ("a number", uint(&[7]), NotAKey),
        ("an empty sequence", seq(&[]), NotAKey),
        (
            "certificate with bad time",
            certificate(&spki_of(&ED), &utc_time("bad"), &utc_time("300101000000Z")),
            NotAKey,
        ),
        (
            "certificate of a weak key",
            certificate(&rsa(128, 0x80, F4), &utc_time("260101000000Z"), &utc_time("300101000000Z")),
            RsaBits(1024),
        ),
    ];
    all_refused(rows);
}

#[test]
fn weak_rsa_keys_are_refused() {
    use KeyError::*;
    let rows: Vec<(&str, Vec<u8>, KeyError)> = vec![
        ("RSA 512", rsa(64, 0x80, F4), RsaBits(512)),
        ("RSA 1024", rsa(128, 0x80, F4), RsaBits(1024)),
        ("RSA 2047", rsa(256, 0x7f, F4), RsaBits(2047)),
        ("RSA 8193", rsa(1025, 0x01, F4), RsaBits(8193)),
        ("RSA 16384", rsa(2048, 0x80, F4), RsaBits(16384)),
        ("RSA of nothing", spki(&[RSA_ID, NULL], &seq(&[&uint(&[0]), &uint(&[3])])), RsaBits(0)),
        ("e = 1", rsa(256, 0x80, &[1]), RsaExponent),
        ("e = 3", rsa(256, 0x80, &[3]), RsaExponent),
        ("e = 65535", rsa(256, 0x80, &[0xff, 0xff]), RsaExponent),
        ("e = 65538", rsa(256, 0x80, &[1, 0, 2]), RsaExponent),
        ("e of 72 bits", rsa(256, 0x80, &[1, 0, 0, 0, 0, 0, 0, 0, 1]), RsaExponent),
    ];
    all_refused(rows);
}

fn all_refused(rows: Vec<(&str, Vec<u8>, KeyError)>) {
    for (name, der, expected) in rows {
        for label in ["PUBLIC KEY", "CERTIFICATE"] {
            let error = PublicKey::from_pem(pem(label, &der).as_bytes()).unwrap_err();
            assert_eq!(error, expected, "{name}");
        }
    }
}

#[test]
fn files_that_hold_no_single_block() {
    use KeyError::*;
    let block = pem("PUBLIC KEY", &spki_of(&ED));
    let encrypted = pem("RSA PRIVATE KEY", b"x").replacen(
        "-----\n",
        "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n",
        1,
    );
    let rows: Vec<(&str, Vec<u8>, KeyError)> = vec![
        ("empty", vec![], NoPem),
        ("text", b"hello".to_vec(), NoPem),
        ("a JWK", br#"{"kty":"OKP"}"#.to_vec(), NoPem),
        ("bytes", vec![0xff, 0, 0xfe], NoPem),
        ("base64 alone", block.lines().nth(1).unwrap().into(), NoPem),
        ("DER", spki_of(&ED), BareDer),
        ("OpenSSH", b"ssh-ed25519 AAAAC3Nza alice@host".to_vec(), OpenSshPublic),
        ("OpenSSH EC", b"ecdsa-sha2-nistp256 AAAA alice@host".to_vec(), OpenSshPublic),
        ("no END", block.split("-----END").next().unwrap().into(), DamagedPem),
        ("other END", block.replace("END PUBLIC", "END PRIVATE").into(), DamagedPem),
        ("bad base64", block.replacen('M', "!", 1).into(), DamagedPem),
        ("BEGIN only", b"-----BEGIN PUBLIC KEY-----".to_vec(), DamagedPem),
        ("two keys", format!("{block}{block}").into(), ManyBlocks(2)),
        ("three keys", format!("{block}{block}{block}").into(), ManyBlocks(3)),
        ("a good and a damaged one", format!("{block}-----BEGIN X-----\n").into(), DamagedPem),
        ("only EC parameters", pem("EC PARAMETERS", P256_ID).into(), NoPem),
        ("old encryption", encrypted.into(), Encrypted),
    ];
    for (name, text, expected) in rows {
        assert_eq!(PublicKey::from_pem(&text).unwrap_err(), expected, "{name}");
        assert_eq!(PrivateKey::from_pem(&text).unwrap_err(), expected, "{name}");
    }
}

#[test]
fn private_keys_by_content() {
    let parameters =
        format!("{}{}", pem("EC PARAMETERS", P256_ID), pem("EC PRIVATE KEY", &sec1_of_p256(&P256, P256_ID)));
    let rows = [
        ("RSA PKCS#8", pem("PRIVATE KEY", &pkcs8_of(&RSA)), &RSA),
        ("RSA PKCS#1", pem("RSA PRIVATE KEY", &pkcs1_of(&RSA)), &RSA),
        ("PKCS#1 with the label of PKCS#8", pem("PRIVATE KEY", &pkcs1_of(&RSA)), &RSA),
        ("P-256 PKCS#8", pem("PRIVATE KEY", &pkcs8_of(&P256)), &P256),
        ("P-256 SEC1", pem("EC PRIVATE KEY", &sec1_of_p256(&P256, P256_ID)), &P256),
        ("SEC1 after its parameters", parameters, &P256),
        ("P-384", pem("PRIVATE KEY", &pkcs8_of(&P384)), &P384),
        ("P-521", pem("EC PRIVATE KEY", &pkcs8_of(&P521)), &P521),
        ("Ed25519", pem("PUBLIC KEY", &pkcs8_of(&ED)), &ED),
    ];
    for (name, text, original) in rows {
        let key = PrivateKey::from_pem(text.as_bytes()).unwrap();
        assert_eq!(key.public().fingerprint(), original.public().fingerprint(), "{name}");
        assert_eq!(key.algorithm(), original.algorithm(), "{name}");
    }
}

#[test]
fn private_keys_that_are_refused() {
    use KeyError::*;
    let numbers = |modulus: &[u8]| {
        let one = uint(&[1]);
        seq(&[&uint(&[0]), &uint(modulus), &uint(&[1, 0, 1]), &one, &one, &one, &one, &one, &one])
    };
    let pkcs8 = |id: &[u8], key: &[u8]| seq(&[&uint(&[0]), &seq(&[id]), &octets(key)]);
    let no_curve = seq(&[&uint(&[1]), &octets(&[7; 32])]);
    let rows: Vec<(&str, Vec<u8>, KeyError)> = vec![
        ("SPKI", spki_of(&ED), Public),
        ("PKCS#1 public", pkcs1_public_of(&RSA), Public),
        (
            "certificate",
            certificate(&spki_of(&ED), &utc_time("260101000000Z"), &utc_time("300101000000Z")),
            Public,
        ),
        ("encrypted", seq(&[&seq(&[RSA_ID]), &octets(b"secret")]), Encrypted),
        ("OpenSSH", b"openssh-key-v1\0none".to_vec(), OpenSshPrivate),
        ("RSA 1024", numbers(&[0xa5; 128]), RsaBits(1024)),
        ("RSA 1024 in PKCS#8", pkcs8(RSA_ID, &numbers(&[0xa5; 128])), RsaBits(1024)),
        ("RSA of invented numbers", numbers(&[0xa5; 256]), Damaged),
        ("no RSA inside", pkcs8(RSA_ID, &[1, 2]), NotAKey),
        ("X25519", pkcs8(X25519_ID, &octets(&[7; 32])), Kind("1.3.101.110".into())),
        ("Ed25519 of 31 bytes", pkcs8(ED25519_ID, &octets(&[7; 31])), Damaged),
        ("secp256k1", sec1_of_p256(&P256, SECP256K1_ID), Curve("1.3.132.0.10".into())),
        ("SEC1 without a curve", no_curve, Curve("given by parameters".into())),
        ("EC number of zero", seq(&[&uint(&[1]), &octets(&[0; 32]), &tlv(0xa0, &[P256_ID])]), Damaged),
        (
            "EC number above the order",
            seq(&[&uint(&[1]), &octets(&[255; 32]), &tlv(0xa0, &[P256_ID])]),
            Damaged,
        ),
        ("garbage", vec![1, 2, 3], NotAKey),
    ];
    for (name, der, expected) in rows {
        let error = PrivateKey::from_pem(pem("PRIVATE KEY", &der).as_bytes()).unwrap_err();
        assert_eq!(error, expected, "{name}");
    }
}
