//! A MariaDB of the test's own, with small buffers, started once for a whole test binary.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::eventually::eventually;
use crate::port;
use crate::programs::{needed, output_of};
use crate::scratch::Scratch;

const PACKAGES: &str = "mariadb-server mariadb-client";
const PASSWORD: &str = "correct horse";
/// Rows of the table `big`, each a mebibyte that differs from every other.
pub const BIG_ROWS: usize = 50;

/// The server. It lives until the process ends, and not longer: its shell waits for our end of a pipe.
#[derive(Debug)]
pub struct MariaDb {
    /// Its TCP address.
    pub address: SocketAddr,
    socket: String,
    _shell: Child,
}

/// The one server of this process, with the database `e2e` and the tables `big` and `account`.
///
/// # Panics
/// When it does not start.
pub fn shared() -> &'static MariaDb {
    static SHARED: OnceLock<MariaDb> = OnceLock::new();
    SHARED.get_or_init(start)
}

impl MariaDb {
    /// The command-line client, directly at the server.
    pub fn direct(&self, sql: &str) -> Command {
        let mut command = client();
        command.args(["--user=root", "--socket", &self.socket, "--database=e2e", "--execute", sql]);
        command
    }
}

impl MariaDb {
    /// `mariadb-dump` of a database, or of its tables that are added; the same text for the same rows.
    pub fn dump(&self, database: &str) -> Command {
        let mut command = Command::new(needed("mariadb-dump", PACKAGES));
        command.args([
            "--no-defaults",
            "--user=root",
            "--skip-dump-date",
            "--socket",
            &self.socket,
            database,
        ]);
        command
    }

    /// The command-line client, directly at the server, that reads its statements from stdin.
    pub fn restore(&self, database: &str) -> Command {
        let mut command = client();
        command.args(["--user=root", "--socket", &self.socket, "--database", database]);
        command
    }
}

/// The command-line client through a tunnel that begins at `address`, with a statement.
pub fn through(address: SocketAddr, sql: &str) -> Command {
    let mut command = session(address);
    command.args(["--execute", sql]);
    command
}

/// The command-line client through a tunnel, with a password, that reads its statements from stdin.
pub fn session(address: SocketAddr) -> Command {
    let mut command = client();
    let port = address.port().to_string();
    command.args(["--protocol=TCP", "--host=127.0.0.1", "--port", &port, "--user=e2e", "--database=e2e"]);
    command.env("MYSQL_PWD", PASSWORD);
    command
}

fn client() -> Command {
    let mut command = Command::new(needed("mariadb", PACKAGES));
    command.args(["--no-defaults", "--batch", "--skip-column-names", "--quick"]);
    command.args(["--max-allowed-packet=64M", "--skip-ssl"]);
    command
}

fn start() -> MariaDb {
    let scratch = Scratch::new();
    let dir = scratch.path();
    install(dir);
    let (socket, log, port) = (scratch.file("socket"), scratch.file("log"), port::free());
    let shell = serve(dir, &log, &socket, port);
    let server = MariaDb { address: SocketAddr::from(([127, 0, 0, 1], port)), socket, _shell: shell };
    eventually("mariadbd answers (its log is in the scratch directory)", || {
        let ping = server.direct("SELECT 1").arg("--database=mysql").output().ok()?;
        ping.status.success().then_some(())
    });
    output_of(server.direct(&tables()).args(["--database=mysql"]));
    scratch.leave(); // the shell removes it
    server
}

fn install(dir: &Path) {
    let mut install = Command::new(needed("mariadb-install-db", PACKAGES));
    install.args(["--no-defaults", "--skip-test-db", "--skip-name-resolve", "--skip-log-bin"]);
    install.args(["--auth-root-authentication-method=normal", "--innodb-buffer-pool-size=8M"]);
    install.arg(format!("--datadir={}", dir.join("data").display()));
    if let Some(user) = server_user(dir) {
        install.arg(user);
    }
    output_of(&mut install);
}

/// Root may not run mariadbd as itself unasked: the package's user gets the directory.
fn server_user(dir: &Path) -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    output_of(Command::new("chown").args(["-R", "mysql"]).arg(dir));
    Some("--user=mysql")
}

fn serve(dir: &Path, log: &str, socket: &str, port: u16) -> Child {
    // The shell reads until this process is gone, however it went, then ends the server and cleans up.
    let script = r#"
        trap "" INT TERM; dir=$1; log=$2; shift 2
        "$@" </dev/null >"$log" 2>&1 & server=$!
        read -r _
        kill -KILL "$server"; wait "$server"; rm -rf "$dir"
    "#;
    let mut command = Command::new("sh");
    command.args(["-c", script, "mariadb"]).arg(dir).arg(log).arg(needed("mariadbd", PACKAGES));
    command.arg("--no-defaults");
    command.arg(format!("--datadir={}", dir.join("data").display()));
    command.args([&format!("--socket={socket}"), &format!("--port={port}"), "--bind-address=127.0.0.1"]);
    command.args(["--skip-name-resolve", "--skip-log-bin", "--performance-schema=OFF", "--skip-slave-start"]);
    command.args(["--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M", "--key-buffer-size=1M"]);
    command.args([
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=OFF",
        "--thread-cache-size=32",
    ]);
    command.args(["--max-allowed-packet=64M", "--net-write-timeout=120", "--max-connections=200"]);
    if let Some(user) = server_user(dir) {
        command.arg(user);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("sh starts")
}

fn tables() -> String {
    let rows: Vec<String> = (1..=BIG_ROWS).map(|row| format!("({row})")).collect();
    format!(
        "CREATE DATABASE e2e; USE e2e;
         CREATE USER 'e2e'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON e2e.* TO 'e2e'@'127.0.0.1';
         CREATE TABLE account (id INT PRIMARY KEY, amount INT) ENGINE=InnoDB;
         CREATE TABLE big (id INT PRIMARY KEY, body LONGTEXT CHARACTER SET ascii) ENGINE=MyISAM;
         INSERT INTO big (id) VALUES {};
         UPDATE big SET body = REPEAT(SHA2(id, 512), 8192);",
        rows.join(",")
    )
}
