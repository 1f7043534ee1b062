//! Finding or starting the engine, and its end.

use std::process::{Command, Stdio};

use super::{Docker, PACKAGE, image};
use crate::eventually::{PATIENCE, within};
use crate::programs::{needed, output_of};
use crate::scratch::Scratch;

/// Where an engine of this host answers.
const DEFAULT: &str = "/var/run/docker.sock";

/// What waits for the end of this process and then cleans up; with a command line it is dockerd's.
///
/// Signals are ignored by the shell alone: what is ignored at its start, a container's shell could not trap.
const GUARD: &str = r#"
    trap "" INT TERM; PATH=$PATH:/usr/sbin:/sbin
    dir=$1 mark=$2 image=$3 bridge=$4 gateway=$5; shift 5
    if [ $# != 0 ]; then
        ip link add "$bridge" type bridge && ip addr add "$gateway" dev "$bridge" && ip link set "$bridge" up
        (trap - INT TERM; exec setsid "$@") </dev/null >"$dir/log" 2>&1 & server=$!
    fi
    read -r _
    docker ps --all --quiet --filter "label=$mark" | xargs -r docker rm --force
    docker network ls --quiet --filter "label=$mark" | xargs -r docker network rm
    if [ $# = 0 ]; then
        docker rmi --force "$image"
    else
        kill "$server"; wait "$server"; ip link del "$bridge"
        awk -v dir="$dir/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | xargs -r umount --lazy
    fi
    rm -rf "$dir"
"#;

pub(super) fn start() -> Docker {
    needed("docker", PACKAGE);
    let scratch = Scratch::new();
    let of_host = answers(DEFAULT, &scratch.file("config")).is_ok();
    let socket = if of_host { DEFAULT.to_owned() } else { scratch.file("docker.sock") };
    let process = std::process::id();
    let image = format!("wsgate-e2e:{process}");
    let mark = format!("wsgate.e2e={process}");
    let config = scratch.file("config");
    let server = if of_host { Vec::new() } else { dockerd(&scratch, &socket) };
    let mut guard = guard(&scratch, &mark, &image, &server);
    let mut guard = guard.env("DOCKER_HOST", format!("unix://{socket}")).spawn().expect("sh starts");
    within(PATIENCE, "dockerd answers", || {
        let answer = answers(&socket, &config);
        if guard.try_wait().expect("our own child can be waited for").is_some() {
            panic!("dockerd did not start: {answer:?}");
        }
        answer.ok()
    });
    let docker = Docker { socket, image, mark, config, _guard: guard };
    image::build(&docker);
    scratch.leave(); // the shell removes it
    docker
}

fn answers(socket: &str, config: &str) -> Result<(), String> {
    let mut version = Command::new(needed("docker", PACKAGE));
    version.args(["version", "--format", "{{.Server.Version}}"]);
    version.env("DOCKER_HOST", format!("unix://{socket}")).env("DOCKER_CONFIG", config);
    let output = version.output().expect("docker starts");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

fn guard(scratch: &Scratch, mark: &str, image: &str, server: &[String]) -> Command {
    let mut guard = Command::new("sh");
    let (bridge, gateway) = (format!("e2e{}", std::process::id()), free_gateway());
    guard.args(["-c", GUARD, "docker"]).arg(scratch.path()).args([mark, image, &bridge, &gateway]);
    guard.args(server).env("DOCKER_CONFIG", scratch.file("config"));
    guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    guard
}

/// An engine that leaves the host as it is: a bridge of its own, no rules in the firewall, ports on loopback.
fn dockerd(scratch: &Scratch, socket: &str) -> Vec<String> {
    assert!(
        rustix::process::geteuid().is_root(),
        "no Docker engine answers on {DEFAULT}, and only root can start one: run the tests as root"
    );
    needed("ip", "iproute2");
    let dockerd = needed("dockerd", PACKAGE).display().to_string();
    let bridge = format!("e2e{}", std::process::id());
    let (data, exec, pid) = (scratch.file("data"), scratch.file("exec"), scratch.file("pid"));
    let mut command = vec![dockerd];
    command.extend(["--data-root", &data, "--exec-root", &exec, "--pidfile", &pid].map(str::to_owned));
    command.extend([format!("--host=unix://{socket}"), format!("--bridge={bridge}")]);
    // The vfs driver copies the image for each container, two megabytes, and works on every file system.
    let rest = ["--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false"];
    command.extend(rest.map(str::to_owned));
    command.extend(["--ip=127.0.0.1", "--storage-driver=vfs"].map(str::to_owned));
    command
}

/// The first address of a private network that no interface of this host is in.
fn free_gateway() -> String {
    let taken = output_of(Command::new(needed("ip", "iproute2")).args(["-o", "-4", "addr"]));
    let first = std::process::id() as u8;
    (0..=u8::MAX)
        .map(|number| format!("10.213.{}.", first.wrapping_add(number)))
        .find(|network| !taken.contains(network.as_str()))
        .map(|network| format!("{network}1/24"))
        .expect("of 256 networks one is free")
}
