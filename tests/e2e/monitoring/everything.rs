//! All five programs of a host, with their status where packaging/ expects it.

use std::process::Command;

use e2e::destination::Destination;
use e2e::deteco::{Deteco, service};
use e2e::eventually::eventually;
use e2e::issuer::Issuer;
use e2e::process::Process;
use e2e::programs::{Client, Gateway, needed, output_of, program};
use e2e::sabo::WorkDir;
use e2e::scratch::Scratch;
use e2e::status::StatusSocket;

/// They end with it. Nothing goes through the proxies; one dump went through sabo.
pub(crate) struct Host {
    _gateway: Gateway,
    run: Scratch,
    dump: WorkDir,
    _client: Client,
    _deteco: Deteco,
    _motarei: Process,
    _destination: Destination,
}

/// Those with a socket of their own.
pub(crate) const DAEMONS: [&str; 4] = ["wsgate-server", "wsgate-client", "motarei", "deteco"];

impl Host {
    pub(crate) fn start() -> Host {
        let run = Scratch::new();
        let socket = |name: &str| format!("unix:{}", run.file(&format!("{name}.sock")));
        let flags = |name: &str| ["--status-listen".to_owned(), socket(name)];
        let destination = Destination::echo();
        let of_gateway = flags("wsgate-server");
        let map = format!("db,{}\n", destination.address);
        let gateway = Gateway::start(&map, &of_gateway.each_ref().map(String::as_str));
        let of_client = flags("wsgate-client");
        let client = Client::start(&gateway.url("db"), &of_client.each_ref().map(String::as_str));
        let conf = service("alice", &Issuer::es256("a"), &["/path1"]);
        let deteco = Deteco::start(&conf, &flags("deteco").each_ref().map(String::as_str));
        let mut motarei = Command::new(program("motarei"));
        motarei.args(["--label", "app=web", "--listen", "127.0.0.1:0=80"]).args(flags("motarei"));
        motarei.args(["--docker-host", &format!("unix://{}", run.file("no-engine.sock"))]);
        let motarei = Process::spawn("motarei", &mut motarei);
        let dump = WorkDir::new();
        let sabo =
            format!("echo dumped | {} --max-bandwidth 10MB --work-dir \"$0\"", program("sabo").display());
        output_of(Command::new("sh").args(["-c", &sabo]).arg(dump.path()));
        for name in DAEMONS {
            eventually(name, || StatusSocket::at(socket(name)).try_get("/live"));
        }
        Host {
            _gateway: gateway,
            run,
            dump,
            _client: client,
            _deteco: deteco,
            _motarei: motarei,
            _destination: destination,
        }
    }

    pub(crate) fn status(&self, name: &str) -> StatusSocket {
        StatusSocket::at(format!("unix:{}", self.run.file(&format!("{name}.sock"))))
    }

    /// A command that finds our programs by their names, the sockets in /run/wsgate and the dumps in
    /// /var/tmp/dump.
    pub(crate) fn installed(&self, words: &[&str]) -> Command {
        let bins = program("sabo");
        let script = "mount -t tmpfs none /run; mkdir /run/wsgate; mount --bind \"$1\" /run/wsgate
            mount -t tmpfs none /var/tmp; mkdir /var/tmp/dump; mount --bind \"$2\" /var/tmp/dump
            shift 2; exec \"$@\"";
        let mut command = Command::new(needed("unshare", "util-linux"));
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--mount", "sh", "-e", "-c", script, "installed"]).arg(self.run.path());
        command.arg(self.dump.path()).args(words);
        let path = bins.parent().expect("a program lies in a directory");
        command.env_clear().env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", path.display()));
        command
    }
}
