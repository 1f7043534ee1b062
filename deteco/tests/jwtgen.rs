//! The program `jwtgen`: what it prints, and how it ends.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in #[test] functions, not in what they call")]

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs it in `directory`, with `input` on stdin.
fn jwtgen(directory: &Path, line: &str, input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jwtgen"));
    command.args(line.split_whitespace()).current_dir(directory);
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    // A program that ends early reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_key_signs_and_the_token_verifies() {
    let files = tempfile::tempdir().unwrap();
    let run = |line: &str, input: &[u8]| jwtgen(files.path(), line, input);
    let made = run("keygen -out key.pem -public_out key.pub.pem", b"");
    assert_eq!((made.status.code(), text(&made.stdout), text(&made.stderr)), (Some(0), "".into(), "".into()));
    let token = run("-private-key key.pem -private_key_user bob -max-age 5m", b"");
    let line = text(&token.stdout);
    assert!(
        line.starts_with("Authorization: Bearer ey") && line.ends_with('\n') && line.lines().count() == 1
    );
    let seen = run("inspect --public-key key.pub.pem", line.as_bytes());
    assert_eq!(seen.status.code(), Some(0), "{}", text(&seen.stdout));
    assert!(text(&seen.stdout).contains("\"sub\": \"bob\""));
    run("keygen --out other.pem --public-out other.pub.pem --type ed25519", b"");
    let seen = run("inspect --public-key other.pub.pem", line.as_bytes());
    assert_eq!(seen.status.code(), Some(1));
    assert!(text(&seen.stdout).contains("NOT GOOD"));
}

#[test]
fn an_open_key_file_is_warned_about_beside_the_token() {
    let files = tempfile::tempdir().unwrap();
    jwtgen(files.path(), "keygen --out key.pem", b"");
    fs::set_permissions(files.path().join("key.pem"), Permissions::from_mode(0o644)).unwrap();
    let token = jwtgen(files.path(), "--private-key key.pem", b"");
    assert_eq!((token.status.code(), text(&token.stdout).lines().count()), (Some(0), 1));
    assert!(text(&token.stderr).contains("chmod 600 key.pem"), "{}", text(&token.stderr));
}

#[test]
fn what_the_user_can_mend_ends_with_2() {
    let files = tempfile::tempdir().unwrap();
    fs::write(files.path().join("bad.pem"), "no key").unwrap();
    for (line, says) in [
        ("--private-key none.pem", "none.pem: No such file"),
        ("--private-key bad.pem", "bad.pem: there is no PEM block"),
        ("--private-key bad.pem --max-age 5", "missing unit"),
        ("keygen --out bad.pem", "bad.pem exists"),
        ("inspect --token-file none", "none: No such file"),
        ("inspect --public-key bad.pem", "bad.pem: there is no PEM block"),
        ("--no-such-flag", "--no-such-flag"),
    ] {
        let ended = jwtgen(files.path(), line, b"");
        let said = text(&ended.stderr);
        assert_eq!((ended.status.code(), ended.stdout.len()), (Some(2), 0), "{line}: {said}");
        assert!(said.contains(says), "{line}: {said}");
    }
}

/// However it is spelt.
#[test]
fn the_public_key_does_not_replace_the_private_one() {
    let files = tempfile::tempdir().unwrap();
    fs::create_dir(files.path().join("d")).unwrap();
    for public in ["key.pem", "./key.pem", "d/../key.pem"] {
        let made = jwtgen(files.path(), &format!("keygen --force --out key.pem --public-out {public}"), b"");
        assert_eq!(made.status.code(), Some(2), "{public}");
        assert!(text(&made.stderr).contains("are the same file"), "{public}: {}", text(&made.stderr));
        assert!(!files.path().join("key.pem").exists(), "{public}");
    }
}
