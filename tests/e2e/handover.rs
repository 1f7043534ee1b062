//! An upgrade of the gateway in the middle of a MySQL transaction, and then the network fails: the session has
//! stayed in the old process, and its client comes to the new one.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use e2e::eventually::eventually;
use e2e::mariadb::{session, shared};
use e2e::programs::{Client, Gateway, output_of, program};
use e2e::scratch::Scratch;
use e2e::supervised::Supervised;

/// The network between client and gateway.
struct Network {
    address: SocketAddr,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Network {
    fn to(gateway: SocketAddr) -> Network {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let network = Network { address: listener.local_addr().unwrap(), open: Arc::default() };
        let open = network.open.clone();
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let far = TcpStream::connect(gateway).unwrap();
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Write);
                    });
                }
                open.lock().unwrap().extend([near, far]);
            }
        });
        network
    }

    /// Ends what is open; what comes later passes.
    fn fail(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// The command-line client of MariaDB, statement by statement.
struct Sql {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Sql {
    fn start(address: SocketAddr) -> Sql {
        let mut command = session(address);
        let mut child =
            command.arg("--unbuffered").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Sql { child, stdout }
    }

    /// Sends statements, of which the last one answers a line.
    fn ask(&mut self, statements: &str) -> String {
        writeln!(self.child.stdin.as_mut().unwrap(), "{statements};").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn a_transaction_goes_on_through_the_next_generation_and_is_committed() {
    let (database, scratch) = (shared(), Scratch::new());
    let config = format!(
        "handover_dir = '{}'\n[[destination]]\nname = 'db'\nupstream = '{}'\n",
        scratch.file("handover"),
        database.address
    );
    let mut gateway = Supervised::start("wsgate-server", "--config", &config);
    let network = Network::to(gateway.address);
    let client = Client::start(&format!("ws://{}/proxy/db", network.address), &[]);
    let mut sql = Sql::start(client.address);
    assert_eq!(sql.ask("START TRANSACTION; INSERT INTO account VALUES (701, 1); SELECT 'begun'"), "begun");

    let old = gateway.generations()[0];
    gateway.hup();
    network.fail();
    assert_eq!(sql.ask("INSERT INTO account VALUES (702, 2); SELECT 'goes on'"), "goes on");
    let handed_over = eventually("the new generation says so", || {
        let said = gateway.supervisor.events_of("tunnel handed over to the process that has it");
        (!said.is_empty()).then_some(said)
    });
    let resumed = gateway.supervisor.events_of("tunnel resumed");
    assert_eq!(resumed[0].text("session"), handed_over[0].text("session"));
    assert_eq!(resumed[0].text("peer"), handed_over[0].text("peer"), "as the new process saw it");
    assert!(gateway.generations().contains(&old), "it has the session");

    let seen = "SELECT SUM(amount) FROM account WHERE id IN (701, 702)";
    assert_eq!(output_of(&mut database.direct(seen)), "NULL\n", "nothing is committed");
    assert_eq!(sql.ask("COMMIT; SELECT 'committed'"), "committed");
    assert_eq!(output_of(&mut database.direct(seen)), "3\n");
    sql.end();
    eventually("the old generation ends with its last session", || {
        let living = gateway.generations();
        (living.len() == 1 && !living.contains(&old)).then_some(())
    });
    let left: Vec<_> = fs::read_dir(scratch.file("handover")).unwrap().collect();
    assert_eq!(left.len(), 1, "the new generation's: {left:?}");
}

#[test]
fn handover_dir_that_others_may_enter_is_refused_with_the_fix() {
    let scratch = Scratch::new();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = scratch.path().to_str().unwrap();
    let refused = Command::new(program("wsgate-server")).args(["--handover-dir", path]).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("--handover-dir") && said.contains(&format!("chmod 700 {path}")), "{said}");

    let mut command = Command::new(program("wsgate-server"));
    command.env("RUNTIME_DIRECTORY", format!("{path}:/nonexistent")).args(["--listen", "127.0.0.1:0"]);
    let gateway = Gateway::from_command(command, "", &[]);
    assert!(gateway.process.warned("$RUNTIME_DIRECTORY will not do"), "{}", gateway.process.stderr());
}
