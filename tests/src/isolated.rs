//! A test in a network of its own: namespaces that nobody else's traffic, memory or addresses are in.

use std::process::{Command, Stdio};

use crate::programs::needed;

const MARK: &str = "WSGATE_E2E_ISOLATED";

/// `unshare --net` and a shell that brings loopback up, runs `setup` and becomes what is added as arguments.
pub fn namespace(setup: &str) -> Command {
    needed("ip", "iproute2");
    let script = format!("PATH=$PATH:/usr/sbin:/sbin; ip link set lo up; {setup}; exec \"$@\"");
    let mut command = Command::new(needed("unshare", "util-linux"));
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--net", "sh", "-e", "-c", &script, "namespace"]);
    command
}

/// Runs the body of the test of this name in a process and a network of its own, whose sockets have small
/// buffers: what a peer does not take has to wait in our programs, and not in gigabytes of the kernel's.
///
/// # Panics
/// When the test failed there, with what it wrote.
pub fn with_small_buffers(test: &str, body: impl FnOnce()) {
    if std::env::var_os(MARK).is_some() {
        return body();
    }
    let setup = "ip link set lo mtu 1500; cd /proc/sys/net/ipv4
        echo 4096 16384 65536 >tcp_wmem; echo 4096 65536 65536 >tcp_rmem; cd \"$OLDPWD\"";
    let mut command = namespace(setup);
    command.arg(std::env::current_exe().expect("a process knows its executable"));
    command.args(["--exact", test, "--nocapture"]).env(MARK, test).stdin(Stdio::null());
    let output = command.output().expect("unshare can be started");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stdout.contains("1 passed"), "in its own network: {stdout}\n{stderr}");
}
