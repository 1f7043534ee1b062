//! `deteco explain`: a decision, step by step, for who asks why.
//!
//! The steps are told by the code that the server decides with, see [`crate::decide`]; here is only their
//! wording.

mod hint;
mod story;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use clap::Args;
use daemon::GoDuration;
use token::MAX_TOKEN;

use crate::decide::decide_told;
use crate::rules::{self, RulesOptions};
use crate::{Lines, Question, Ruleset};
use story::Story;

/// The longest file that may hold a token, in bytes: with `Authorization: Bearer` and an end of line.
const MAX_FILE: u64 = MAX_TOKEN as u64 + 100;

/// Show how a decision is made: each step, and the rule that decided.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExplainArgs {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    pub conf: PathBuf,

    /// File with the token, or with the line that jwtgen prints; -: stdin. A token is a password: it is never
    /// taken from the command line
    #[arg(long, value_name = "FILE|-")]
    pub token_file: PathBuf,

    /// What the caller asks nginx for: path and query, as in the request line
    #[arg(long, value_name = "URI")]
    pub uri: Option<String>,

    /// The method of the request
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    pub method: String,

    /// The scope that the location declares, if it does
    #[arg(long, value_name = "SCOPE")]
    pub scope: Option<String>,

    /// How old a token's iat may be
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub jwt_freshness: GoDuration,

    /// Where fetched JWK sets are kept; nothing is fetched here
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  deteco explain --conf deteco.toml --token-file token.txt --uri /api/reports/7
  jwtgen --private-key batch.pem --private-key-user batch | deteco explain --conf deteco.toml --token-file - --uri /api

Exit status: 0 if the request may go on, 1 if not, 2 for a wrong flag or file.";

/// What was decided, in words.
#[derive(Debug)]
pub struct Explained {
    /// For stdout
    pub text: String,
    /// Whether the answer is 200
    pub allowed: bool,
}

/// Decides as the server would, on the files as they are now.
///
/// # Errors
/// A file that cannot be read, or is wrong.
pub fn explain(args: &ExplainArgs) -> Result<Explained> {
    let options = RulesOptions {
        conf: args.conf.clone(),
        freshness: Some(args.jwt_freshness.0).filter(|time| !time.is_zero()),
        cache_size: 0,
        state_dir: args.state_dir.clone(),
    };
    let ruleset = rules::load(&options)?.ruleset;
    let authorization = authorization(&read(&args.token_file)?)?;
    Ok(tell(&ruleset, &authorization, args, SystemTime::now()))
}

fn tell(rules: &Ruleset, authorization: &str, args: &ExplainArgs, now: SystemTime) -> Explained {
    let question = Question {
        authorization: Lines::One(authorization.as_bytes()),
        uri: line(args.uri.as_deref()),
        method: line(Some(&args.method)),
        scope: line(args.scope.as_deref()),
    };
    let mut story = Story::at(now);
    let decision = decide_told(&question, rules, now, &mut story);
    Explained { allowed: decision.outcome.is_ok(), text: story.end(&decision) }
}

fn line(text: Option<&str>) -> Lines<'_> {
    text.map_or(Lines::None, |text| Lines::One(text.as_bytes()))
}

fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(MAX_FILE + 1).read_to_string(&mut text)
    } else {
        fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text))
    };
    read.with_context(|| format!("--token-file {}", path.display()))?;
    if text.len() as u64 > MAX_FILE {
        bail!("--token-file {}: it is longer than {MAX_FILE} bytes: no token is", path.display());
    }
    Ok(text)
}

/// The value of the header, whether the file holds the line, the value or the token alone.
fn authorization(text: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() {
        bail!("--token-file: there is no token in it");
    }
    let value = match text.split_once(':') {
        Some((name, value)) if name.eq_ignore_ascii_case("authorization") => value.trim(),
        _ => text,
    };
    let has_scheme = value.contains([' ', '\t']);
    Ok(if has_scheme { value.to_owned() } else { format!("Bearer {value}") })
}

#[cfg(test)]
mod tests;
