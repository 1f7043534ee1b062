//! A new key pair.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;
use token::PrivateKey;

use super::files::{Existing, New};
use super::{KeygenArgs, Outcome, Reader};

/// Writes the private key, and the public one if a file is given for it; each file whole or not at all.
pub(super) fn keygen(args: &KeygenArgs, reader: Reader) -> Result<Outcome> {
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    for path in [Some(&args.out), args.public_out.as_ref()].into_iter().flatten() {
        existing.check(path)?;
    }
    if args.public_out.as_deref().is_some_and(|public| place(public) == place(&args.out)) {
        anyhow::bail!("--out and --public-out are the same file; give two");
    }
    let key = PrivateKey::generate(args.kind.into())?;
    let public =
        args.public_out.as_deref().map(|path| New::write(path, 0o644, &key.public_pem())).transpose()?;
    New::write(&args.out, 0o600, &key.to_pem()?)?.put(existing)?;
    if let Some(public) = public {
        public.put(existing)?;
    }
    let text = match reader {
        Reader::Person => hint(args, &key),
        Reader::Program if args.public_out.is_some() => String::new(),
        Reader::Program => key.public_pem(),
    };
    Ok(Outcome { text, warnings: Vec::new(), good: true })
}

/// Where a file is that may not be there yet, however its path is spelt: the public key must not replace the
/// private one.
fn place(path: &Path) -> PathBuf {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let directory = directory.canonicalize().unwrap_or(directory.to_owned());
    path.file_name().map_or(path.to_owned(), |name| directory.join(name))
}

/// The lines for deteco's configuration.
fn hint(args: &KeygenArgs, key: &PrivateKey) -> String {
    let out = quoted(&args.out.display().to_string());
    let mut text = format!("# The private key is in {out}. For deteco's --conf:\n\n");
    text += "[[services]]\nid = \"private-key-user\" # what jwtgen --private-key-user says\npaths = [\"/api\"] # what it may see\n";
    match (&args.public_out, &args.kid) {
        (None, None) => text += &format!("public_keys = ['''\n{}''']\n", key.public_pem()),
        (None, Some(kid)) => {
            text += &format!(
                "[[services.keys]]\nkid = {}\nfile = \"PUBLIC.pem\" # save these lines there:\n",
                quoted(kid)
            );
            text.extend(key.public_pem().lines().map(|line| format!("# {line}\n")));
        }
        (Some(path), kid) => {
            text += "[[services.keys]]\n";
            text.extend(kid.as_deref().map(|kid| format!("kid = {}\n", quoted(kid))));
            text += &format!("file = {}\n", quoted(&absolute(path)));
        }
    }
    text
}

/// A path in the file is relative to that file, which is not here.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or(path.to_owned()).display().to_string()
}

/// A JSON string is a TOML basic string too, but for DEL, which TOML wants escaped.
fn quoted(text: &str) -> String {
    json!(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use clap::ValueEnum;
    use token::{KeyKind, PublicKey};

    use crate::jwtgen::KeyType;

    fn args(directory: &Path) -> KeygenArgs {
        let (out, public_out) = (directory.join("key.pem"), Some(directory.join("key.pub.pem")));
        KeygenArgs { kind: KeyType::Ed25519, out, public_out, kid: None, force: false }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn both_halves_of_every_kind_are_written() {
        let kinds = [
            KeyKind::Rsa(2048),
            KeyKind::Rsa(3072),
            KeyKind::Rsa(4096),
            KeyKind::P256,
            KeyKind::P384,
            KeyKind::P521,
            KeyKind::Ed25519,
        ];
        for (kind, expected) in KeyType::value_variants().iter().zip(kinds) {
            let files = tempfile::tempdir().unwrap();
            let args = KeygenArgs { kind: *kind, ..args(files.path()) };
            assert_eq!(keygen(&args, Reader::Program).unwrap().text, "");
            let private = PrivateKey::from_pem(&fs::read(&args.out).unwrap()).unwrap();
            let public_out = args.public_out.unwrap();
            let public = PublicKey::from_pem(&fs::read(&public_out).unwrap()).unwrap();
            assert_eq!((public.kind(), public.fingerprint()), (expected, private.public().fingerprint()));
            assert_eq!((mode(&args.out), mode(&public_out) & 0o700), (0o600, 0o600));
        }
    }

    #[test]
    fn no_file_is_overwritten_without_being_told() {
        for taken in ["key.pem", "key.pub.pem"] {
            let files = tempfile::tempdir().unwrap();
            let args = args(files.path());
            fs::write(files.path().join(taken), "mine").unwrap();
            let error = keygen(&args, Reader::Program).unwrap_err().to_string();
            assert!(error.contains(taken) && error.contains("--force"), "{error}");
            assert_eq!(fs::read_to_string(files.path().join(taken)).unwrap(), "mine");
            assert_eq!(fs::read_dir(files.path()).unwrap().count(), 1, "nothing else is left");
            keygen(&KeygenArgs { force: true, ..args }, Reader::Program).unwrap();
            assert_ne!(fs::read_to_string(files.path().join(taken)).unwrap(), "mine");
            assert_eq!(mode(&files.path().join("key.pem")), 0o600);
        }
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing() {
        let files = tempfile::tempdir().unwrap();
        let public_out = Some(files.path().join("none/key.pub.pem"));
        let error = keygen(&KeygenArgs { public_out, ..args(files.path()) }, Reader::Program).unwrap_err();
        assert!(error.to_string().contains("key.pub.pem cannot be written"), "{error}");
        assert_eq!(fs::read_dir(files.path()).unwrap().count(), 0);
        let same = KeygenArgs { public_out: Some(files.path().join("key.pem")), ..args(files.path()) };
        assert!(keygen(&same, Reader::Program).unwrap_err().to_string().contains("same file"));
    }

    /// `services[0]` of what a terminal is shown.
    fn service(args: &KeygenArgs) -> toml::Value {
        let text = keygen(args, Reader::Person).unwrap().text;
        let all: toml::Table = text.parse().unwrap();
        all["services"][0].clone()
    }

    #[test]
    fn a_terminal_is_shown_lines_for_the_configuration() {
        let files = tempfile::tempdir().unwrap();
        let own = KeygenArgs { kid: Some("a\"\u{7f}".into()), force: true, ..args(files.path()) };
        let shown = service(&own);
        assert_eq!(shown["keys"][0]["kid"].as_str(), Some("a\"\u{7f}"));
        assert_eq!(shown["keys"][0]["file"].as_str(), own.public_out.as_ref().unwrap().to_str());
        let inline = service(&KeygenArgs { public_out: None, kid: None, ..own.clone() });
        assert!(PublicKey::from_pem(inline["public_keys"][0].as_str().unwrap().as_bytes()).is_ok());
        assert_eq!(
            service(&KeygenArgs { public_out: None, ..own })["keys"][0]["file"].as_str(),
            Some("PUBLIC.pem")
        );
    }

    #[test]
    fn a_pipe_gets_the_public_key() {
        let files = tempfile::tempdir().unwrap();
        let text =
            keygen(&KeygenArgs { public_out: None, ..args(files.path()) }, Reader::Program).unwrap().text;
        assert!(PublicKey::from_pem(text.as_bytes()).is_ok());
    }
}
