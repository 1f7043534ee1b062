//! nginx, the real one, with a configuration of the test's own or with the one that README.md shows.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use crate::eventually::eventually;
use crate::port;
use crate::process::Process;
use crate::programs::{needed, workspace};
use crate::scratch::Scratch;

/// Stands for `127.0.0.1:PORT`, where the server listens.
pub const LISTEN: &str = "{listen}";

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    /// Where it takes plain HTTP.
    pub address: SocketAddr,
    /// The process; its error log is its stderr.
    pub process: Process,
    pub(crate) scratch: Scratch,
}

impl Nginx {
    /// Starts it with this content of its `http` block, in which [`LISTEN`] stands for the address.
    pub fn start(http: &str) -> Nginx {
        let scratch = Scratch::new();
        let address = SocketAddr::from(([127, 0, 0, 1], port::free()));
        let dir = scratch.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("    {kind}_temp_path {dir}/{kind};\n"))
            .concat();
        let http = http.replace(LISTEN, &address.to_string());
        let config = format!(
            "daemon off; master_process off; pid {dir}/pid; error_log stderr;
events {{ worker_connections 512; }}
http {{
    access_log off;
{temporary}
{http}
}}
"
        );
        let file = scratch.write("nginx.conf", config);
        let mut command = Command::new(needed("nginx", "nginx-light"));
        command.args(["-e", "stderr", "-p"]).arg(scratch.path()).args(["-c", &file]);
        let mut process = Process::spawn("nginx", &mut command);
        accepts(&mut process, address);
        Nginx { address, process, scratch }
    }

    /// A directory that lives as long as it does; relative paths of the configuration lie in it.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }
}

/// Waits until a server that cannot tell its address takes connections there.
pub(crate) fn accepts(process: &mut Process, address: SocketAddr) {
    eventually("the server listens", || {
        if let Some(status) = process.exited() {
            panic!("the server ended at start with {status}:\n{}", process.stderr());
        }
        TcpStream::connect(address).ok()
    });
}

/// The sample configuration of README.md, with the addresses of a test, and then with its changes.
#[derive(Debug, Clone)]
pub struct Sample(String);

impl Sample {
    /// The block of README.md with nothing but its three addresses replaced.
    pub fn new(deteco: impl Display, application: SocketAddr) -> Sample {
        Sample(readme_block("nginx", "upstream deteco"))
            .replacing("server 127.0.0.1:8080;", &format!("server {deteco};"))
            .replacing("server 127.0.0.1:3000;", &format!("server {application};"))
            .replacing("listen 80;", &format!("listen {LISTEN};"))
    }

    /// With one piece of text, which is there exactly once, replaced.
    ///
    /// # Panics
    /// When it is not there once: the sample was changed, and the test does not test what it says.
    pub fn replacing(self, from: &str, to: &str) -> Sample {
        assert_eq!(self.0.matches(from).count(), 1, "{from:?} is once in the sample:\n{}", self.0);
        Sample(self.0.replace(from, to))
    }

    /// With more directives in the location that asks deteco.
    pub fn asking_with(self, directives: &str) -> Sample {
        self.replacing("internal;", &format!("internal;\n{directives}"))
    }

    /// With another `proxy_pass`, or something else in its place, in the guarded location.
    pub fn passing_to(self, directives: &str) -> Sample {
        self.replacing("proxy_pass http://app;", directives)
    }

    /// With more directives of the server: locations, limits.
    pub fn serving(self, directives: &str) -> Sample {
        let end = self.0.rfind('}').expect("the server block is the last one");
        Sample(format!("{}\n{directives}\n}}\n", &self.0[..end]))
    }

    /// With more directives outside of the server.
    pub fn before(self, directives: &str) -> Sample {
        Sample(format!("{directives}\n{}", self.0))
    }

    /// Starts nginx with it.
    pub fn start(&self) -> Nginx {
        Nginx::start(&self.0)
    }
}

impl Display for Sample {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The fenced block of README.md in this language that contains this text.
///
/// # Panics
/// When there is not exactly one.
pub fn readme_block(language: &str, text: &str) -> String {
    let readme = fs::read_to_string(workspace().join("README.md")).expect("there is a README.md");
    let fence = format!("\n```{language}\n");
    let blocks = readme.split(&fence).skip(1).filter_map(|rest| rest.split("\n```").next());
    let found: Vec<&str> = blocks.filter(|block| block.contains(text)).collect();
    let [block] = found[..] else { panic!("README.md has one {language} block with {text:?}") };
    format!("{block}\n")
}
