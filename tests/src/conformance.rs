//! The conformance table of deteco: rows of data, the program that they are put to, and what it answers.

pub mod row;
pub mod template;

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use crate::conformance::row::Row;
use crate::conformance::template::expand;
use crate::forge::Keys;
use crate::http::Response;
use crate::process::Process;
use crate::programs::{connect, first_address, program, workspace};
use crate::scratch::Scratch;

/// Where the rows and the configurations are.
pub fn data() -> PathBuf {
    workspace().join("tests/conformance")
}

/// A running deteco.
#[derive(Debug)]
pub struct Deteco {
    /// The process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
    _scratch: Scratch,
}

impl Deteco {
    /// Starts it with `servers/NAME.toml`, in which `{pem KEY}` stands for a public key, `{file KEY}` for a file
    /// with it, `{jwks KID=KEY …}` for a file with a JWK set, and `{data FILE}` for a file beside the rows.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(name: &str, keys: &Keys) -> Deteco {
        let scratch = Scratch::new();
        let path = data().join("servers").join(name).with_extension("toml");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let config = expand(&text, |word| configured(word, keys, &scratch));
        let config = scratch.write("deteco.toml", config);
        let mut command = Command::new(program("deteco"));
        command.args(["--listen", "127.0.0.1:0", "--log-format", "json", "--conf", &config]);
        let mut process = Process::spawn("deteco", &mut command);
        let address = first_address(&mut process);
        Deteco { process, address, _scratch: scratch }
    }

    /// Asks twice, as nginx would, on one connection that stays open. The second time a token that verified may
    /// come from a cache.
    ///
    /// # Errors
    /// When there is no answer, or no HTTP.
    pub fn ask_twice(&self, row: &Row, keys: &Keys) -> io::Result<[Response; 2]> {
        let stream = connect(self.address);
        let request = row.request(keys);
        let ask = || {
            (&stream).write_all(&request)?;
            Response::read(&mut io::BufReader::new(&stream))
        };
        Ok([ask()?, ask()?])
    }
}

fn configured(word: &str, keys: &Keys, scratch: &Scratch) -> Option<Vec<u8>> {
    let (kind, rest) = word.split_once(' ')?;
    let text = match kind {
        "pem" => keys.get(rest).public_pem(),
        "file" => scratch.write(&format!("{rest}.pem"), keys.get(rest).public_pem()),
        "jwks" => scratch.write("jwks.json", jwk_set(rest, keys)),
        "data" => data().join(rest).display().to_string(),
        _ => return None,
    };
    Some(text.into())
}

fn jwk_set(pairs: &str, keys: &Keys) -> String {
    let jwk = |pair: &str| {
        let (kid, key) = pair.split_once('=').expect("KID=KEY");
        keys.get(key).jwk(Some(kid))
    };
    let jwks: Vec<String> = pairs.split(' ').map(jwk).collect();
    format!(r#"{{"keys":[{}]}}"#, jwks.join(","))
}
