//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use daemon::GoDuration;
use token::NewKey;

/// Make a token that deteco takes: prints "Authorization: Bearer TOKEN", signed with a private key.
#[derive(Clone, Debug, Parser)]
#[command(name = "jwtgen", version, disable_version_flag = true, after_help = EXAMPLES)]
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What the token says.
    #[command(flatten)]
    pub issue: IssueArgs,

    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,

    /// Something else than making a token.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What a new token says.
#[derive(Clone, Debug, clap::Args)]
pub struct IssueArgs {
    /// Private key (PEM) that signs: RSA (RS256), EC (ES256, ES384, ES512) or Ed25519 (EdDSA)
    #[arg(long, value_name = "FILE", required = true)]
    pub private_key: Option<PathBuf>,

    /// Who the token is for (sub): the id of a service in deteco's configuration
    #[arg(long, value_name = "NAME", default_value = "private-key-user")]
    pub private_key_user: String,

    /// How long the token is valid. deteco takes none that is older than its --jwt-freshness, 1h
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub max_age: GoDuration,

    /// Which of the service's keys it is (kid), so that no other is tried
    #[arg(long, value_name = "ID")]
    pub kid: Option<String>,

    /// Whom the token is meant for (aud); may be given several times
    #[arg(long, value_name = "AUD")]
    pub aud: Vec<String>,

    /// A name for this one token (jti), by which a deny list can revoke it; auto: a random one
    #[arg(long, value_name = "ID|auto")]
    pub jti: Option<String>,

    /// How long from now the token begins to be valid (nbf); --max-age still counts from now
    #[arg(long, value_name = "TIME")]
    pub nbf: Option<GoDuration>,
}

/// The subcommands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Make a key pair: the private key into a file of mode 0600, the public one into a file or to stdout
    #[command(disable_version_flag = true)]
    Keygen(KeygenArgs),
    /// Show header, claims and times of a token, and with --public-key whether it verifies
    #[command(disable_version_flag = true, after_help = INSPECTED)]
    Inspect(InspectArgs),
}

/// What to make, and where to.
#[derive(Clone, Debug, clap::Args)]
pub struct KeygenArgs {
    /// What kind of key
    #[arg(long = "type", value_name = "TYPE", default_value = "p256")]
    pub kind: KeyType,

    /// File for the private key (PEM, PKCS#8)
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,

    /// File for the public key (PEM), for deteco; without it: stdout
    #[arg(long, value_name = "FILE")]
    pub public_out: Option<PathBuf>,

    /// Name of the key (kid) in the lines for deteco's configuration that a terminal is shown
    #[arg(long, value_name = "ID")]
    pub kid: Option<String>,

    /// Replace files that exist
    #[arg(long)]
    pub force: bool,
}

/// Which token, and which key.
#[derive(Clone, Debug, clap::Args)]
pub struct InspectArgs {
    /// File with the token, with or without "Authorization: Bearer " before it; -: stdin. A command line
    /// would show the token to every user of this host, so there is no flag for the token itself
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    pub token_file: PathBuf,

    /// Public key or certificate (PEM) to verify with
    #[arg(long, value_name = "FILE")]
    pub public_key: Option<PathBuf>,
}

/// `--type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeyType {
    /// RSA, 2048 bits: RS256
    Rsa2048,
    /// RSA, 3072 bits: RS256
    Rsa3072,
    /// RSA, 4096 bits: RS256
    Rsa4096,
    /// NIST P-256: ES256
    P256,
    /// NIST P-384: ES384
    P384,
    /// NIST P-521: ES512
    P521,
    /// Ed25519: EdDSA
    Ed25519,
}

impl From<KeyType> for NewKey {
    fn from(kind: KeyType) -> Self {
        match kind {
            KeyType::Rsa2048 => NewKey::Rsa2048,
            KeyType::Rsa3072 => NewKey::Rsa3072,
            KeyType::Rsa4096 => NewKey::Rsa4096,
            KeyType::P256 => NewKey::P256,
            KeyType::P384 => NewKey::P384,
            KeyType::P521 => NewKey::P521,
            KeyType::Ed25519 => NewKey::Ed25519,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  jwtgen keygen --out report.pem --public-out report.pub.pem
      a key pair; the public half belongs into deteco's configuration
  jwtgen --private-key report.pem --private-key-user report_batch --max-age 10m
      a token for ten minutes
  curl -H \"$(jwtgen --private-key report.pem --private-key-user report_batch)\" https://api.example.com/
      and its use
  jwtgen --private-key report.pem | jwtgen inspect --public-key report.pub.pem
      what is in it, and whether it verifies

Flags may be written with one dash and with underscores. Times are 300ms, 10s, 1h30m.
The token's iss is deteco-jwtgen, its iat the time now, its exp that and --max-age.
Exit status: 0; 1 if inspect finds a token that is not good; 2 for a wrong flag or file.";

const INSPECTED: &str = "\
The signature is never printed. Verified are form, times (30 s of leeway) and signature, by deteco's own code; which
paths the token opens, deteco explain says.
Exit status: 0 if the token is well-formed and, with --public-key, good; 1 if not; 2 for a wrong flag or file.";

#[cfg(test)]
mod tests {
    use super::*;
    use daemon::argv::{self, Dash};
    use std::ffi::OsString;

    fn read(line: &str) -> Result<Args, clap::Error> {
        let words = line.split(' ').filter(|word| !word.is_empty()).map(OsString::from);
        argv::parse([OsString::from("jwtgen")].into_iter().chain(words), Dash::Single)
    }

    #[test]
    fn the_originals_command_lines_are_read() {
        for line in [
            "-private-key k -private-key-user u -max-age 5m",
            "--private-key=k --private-key-user=u --max-age=5m",
            "--private_key k --private_key_user u --max_age 300s",
        ] {
            let args = read(line).unwrap().issue;
            assert_eq!((args.private_key, args.private_key_user.as_str()), (Some("k".into()), "u"), "{line}");
            assert_eq!(args.max_age.0.as_secs(), 300);
        }
        let args = read("-private-key k").unwrap().issue;
        assert_eq!((args.private_key_user.as_str(), args.max_age.0.as_secs()), ("private-key-user", 3600));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, named) in [
            ("", "--private-key"),
            ("keygen", "--out"),
            ("keygen --out k --type rsa1024", "rsa2048"),
            ("inspect aaa.bbb.ccc", "unexpected"),
            ("--private-key k inspect", "inspect"),
        ] {
            let text = read(line).unwrap_err().to_string();
            assert!(text.contains(named), "{line}: {text}");
        }
        for flag in ["-v", "--version", "-version"] {
            assert!(read(flag).unwrap_err().to_string().starts_with("jwtgen "), "{flag}");
        }
    }
}
