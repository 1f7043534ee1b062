//! The image: busybox, and a script that is an application with a boot time.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use super::Docker;
use crate::programs::needed;
use crate::scratch::Scratch;

/// The port that the image exposes, and on which the application listens unless PORT says otherwise.
pub const IMAGE_PORT: u16 = 8000;

/// Flags of `docker run` with which a container sees the programs of the host: nginx, as Debian has it.
pub(super) fn installed_on_host() -> impl Iterator<Item = String> {
    let there = ["/usr", "/lib", "/lib64"].into_iter().filter(|path| Path::new(path).exists());
    there.map(|path| format!("--volume={path}:{path}:ro"))
}

/// What runs in a container. It takes from the environment:
///
/// ```text
/// BOOT        seconds until it listens
/// SERVE       http: nginx with the generation, and /up after UP_AFTER seconds; echo: what it gets; nothing
/// PORT        where it listens
/// LIFE        seconds after which it dies by itself with status 3; none: it lives on
/// GRACE       seconds that it still lives after SIGTERM; deaf: it does not hear it
/// GENERATION  what it answers
/// ```
const APPLICATION: &str = r#"#!/bin/sh
ended() { [ "$GRACE" = deaf ] && return; sleep "${GRACE:-0}"; exit 0; }
trap ended TERM INT
pause() { sleep "$1" & wait $!; }
pause "${BOOT:-0}"
mkdir -p /www && echo "${GENERATION:-1}" >/www/index.html
echo "listen ${PORT:-8000};" >/etc/listen.conf
case ${SERVE:-http} in
    http) nginx -e stderr -p /tmp -c /etc/nginx.conf & ;;
    echo) nc -ll -p "${PORT:-8000}" -e /bin/cat & ;;
esac
pause "${UP_AFTER:-0}"
echo up >/www/up
[ -z "$LIFE" ] || { pause "$LIFE"; exit 3; }
while :; do pause 3600; done
"#;

const APPLETS: [&str; 7] = ["sh", "cat", "echo", "mkdir", "nc", "sleep", "test"];

/// A server with a queue as long as a real one's: who was held comes all at once.
const NGINX: &str = "daemon off; master_process off; user root root; pid /tmp/pid;
events { worker_connections 2048; }
http {
    access_log off;
    client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
    server { include /etc/listen.conf; root /www; }
}
";

/// Imports it as one layer: no build, and no network.
pub(super) fn build(docker: &Docker) {
    let scratch = Scratch::new();
    fill(&scratch);
    let mut tar = Command::new(needed("tar", "tar"));
    tar.arg("--create").arg("--directory").arg(scratch.path()).arg(".").stdout(Stdio::piped());
    let mut tar = tar.spawn().expect("tar starts");
    let mut import = docker.command();
    import.args(["import", "--change", &format!("EXPOSE {IMAGE_PORT}")]);
    import.args(["--change", "ENV PATH=/bin:/usr/sbin", "--change", r#"ENTRYPOINT ["/bin/application"]"#]);
    import.args(["-", &docker.image]).stdin(tar.stdout.take().expect("stdout is a pipe"));
    let import = import.output().expect("docker starts");
    assert!(tar.wait().expect("tar can be waited for").success(), "tar packs the image");
    assert!(import.status.success(), "docker import: {}", String::from_utf8_lossy(&import.stderr));
}

fn fill(root: &Scratch) {
    for directory in ["bin", "etc", "tmp"] {
        fs::create_dir(root.file(directory)).expect("the temporary directory can be written to");
    }
    // A server of Debian's wants to know who root and nobody are.
    root.write("etc/passwd", "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n");
    root.write("etc/group", "root:x:0:\nnogroup:x:65534:\n");
    needed("nginx", "nginx-light");
    root.write("etc/nginx.conf", NGINX);
    let busybox = needed("busybox", "busybox-static");
    let program = fs::read(&busybox).expect("busybox can be read");
    // A dynamic program begins with its headers and the name of its loader.
    assert!(
        !program[..program.len().min(4096)].windows(9).any(|bytes| bytes == b"/ld-linux"),
        "{} is not static: apt-get install busybox-static",
        busybox.display()
    );
    for (name, content) in [("bin/busybox", program.as_slice()), ("bin/application", APPLICATION.as_bytes())]
    {
        let file = root.write(name, content);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    for applet in APPLETS {
        symlink("busybox", root.file(&format!("bin/{applet}"))).expect("the directory is ours");
    }
}
