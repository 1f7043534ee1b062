//! The files that the openssl command writes, and what it says about ours.

use std::io::Write;
use std::process::{Command, Stdio};

use token::{KeyError, NewKey, PrivateKey, PublicKey};

/// Runs `openssl` with these words; gives its output.
fn openssl(words: &str, input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(words.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the openssl command is missing: apt-get install openssl");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn its_private_keys_are_read() {
    let rows = [
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", "RSA 2048"),
        ("genrsa -traditional 2048", "RSA 2048"),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", "P-256"),
        ("genpkey -algorithm ED25519", "Ed25519"),
        ("ecparam -name prime256v1 -genkey", "P-256"),
        ("ecparam -name secp384r1 -genkey -noout", "P-384"),
        ("ecparam -name secp521r1 -genkey", "P-521"),
    ];
    for (words, kind) in rows {
        let private = openssl(words, b"");
        let key = PrivateKey::from_pem(&private).unwrap();
        assert_eq!(key.public().kind().to_string(), kind, "{words}");
        let public = openssl("pkey -pubout", &private);
        assert_eq!(key.public_pem().as_bytes(), public, "{words}");
        let public = PublicKey::from_pem(&public).unwrap();
        let digest = openssl("dgst -sha256 -r", &openssl("pkey -pubout -outform DER", &private));
        assert_eq!(public.fingerprint().as_bytes(), &digest[..64], "{words}");
        assert_eq!(PublicKey::from_pem(&private).unwrap_err(), KeyError::Private, "{words}");
    }
}

#[test]
fn its_public_forms_are_read() {
    let rsa = openssl("genrsa 2048", b"");
    let pkcs1 = PublicKey::from_pem(&openssl("rsa -RSAPublicKey_out", &rsa)).unwrap();
    assert_eq!(pkcs1.fingerprint(), PrivateKey::from_pem(&rsa).unwrap().public().fingerprint());

    let ec = openssl("ecparam -name prime256v1 -genkey -noout", b"");
    let compressed = openssl("ec -pubout -conv_form compressed", &ec);
    assert_eq!(PublicKey::from_pem(&compressed).unwrap_err(), KeyError::CompressedPoint);
    // the fix that the error text gives
    let fixed = openssl("ec -pubin -pubout -conv_form uncompressed", &compressed);
    assert!(PublicKey::from_pem(&fixed).is_ok());
}

#[test]
fn its_certificates_are_read() {
    for words in ["genrsa 2048", "genpkey -algorithm ED25519", "ecparam -name secp384r1 -genkey -noout"] {
        let private = openssl(words, b"");
        let file = std::env::temp_dir().join(format!("token-test-{}-{}", std::process::id(), words.len()));
        std::fs::write(&file, &private).unwrap();
        let certificate =
            openssl(&format!("req -x509 -new -key {} -days 9 -subj /CN=test", file.display()), b"");
        std::fs::remove_file(&file).unwrap();
        for text in [openssl("x509 -text", &certificate), certificate] {
            let key = PublicKey::from_pem(&text).unwrap();
            assert_eq!(key.fingerprint(), PrivateKey::from_pem(&private).unwrap().public().fingerprint());
            let validity = key.not_after().unwrap().duration_since(key.not_before().unwrap()).unwrap();
            assert_eq!(validity.as_secs(), 9 * 24 * 3600, "{words}");
        }
    }
}

#[test]
fn its_weak_and_locked_keys_are_refused() {
    let rows = [
        ("genrsa 1024", KeyError::RsaBits(1024)),
        ("genrsa -3 2048", KeyError::RsaExponent),
        ("ecparam -name secp256k1 -genkey -noout", KeyError::Curve("1.3.132.0.10".into())),
        ("genpkey -algorithm ED448", KeyError::Kind("1.3.101.113".into())),
        ("genpkey -algorithm ED25519 -aes256 -pass pass:test", KeyError::Encrypted),
        ("genrsa -traditional -aes256 -passout pass:test 2048", KeyError::Encrypted),
    ];
    for (words, expected) in rows {
        assert_eq!(PrivateKey::from_pem(&openssl(words, b"")).unwrap_err(), expected, "{words}");
    }
}

#[test]
fn it_reads_our_keys() {
    for kind in [NewKey::Rsa2048, NewKey::P256, NewKey::P384, NewKey::P521, NewKey::Ed25519] {
        let key = PrivateKey::generate(kind).unwrap();
        let public = openssl("pkey -pubout", key.to_pem().unwrap().as_bytes());
        assert_eq!(public, key.public_pem().as_bytes(), "{kind:?}");
    }
}
