use std::fs;
use std::process::Command;

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: NginxConfArgs,
}

pub(crate) fn conf(line: &str) -> Result<String> {
    nginx_conf(&Line::try_parse_from(["x"].into_iter().chain(line.split_whitespace()))?.args)
}

/// Every form of it.
pub(crate) const LINES: [&str; 7] = [
    "",
    "--listen unix:/run/deteco.sock --app http://unix:/run/app.sock",
    "--listen :9000 --auth-endpoint /a/b --location /api/",
    "--listen [::1]:9000 --app https://app.example.com",
    "--scope reports:read",
    "--cache 30s",
    "--cache 1m --scope reports --location /x/y",
];

/// Needs nginx, as the end-to-end tests do: apt-get install nginx-light.
#[test]
fn nginx_takes_every_form() {
    for line in LINES {
        let files = tempfile::tempdir().unwrap();
        let here = files.path().display();
        let conf = conf(line).unwrap().replace("listen 80;", &format!("listen unix:{here}/socket;"));
        let conf =
            conf.replace("/var/cache/nginx", &here.to_string()).replace("app.example.com", "127.0.0.1");
        let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {here}/{name};\n"))
            .concat();
        let main = format!(
            "pid {here}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{conf}}}\n"
        );
        let path = files.path().join("nginx.conf");
        fs::write(&path, main).unwrap();
        let nginx = Command::new("nginx").arg("-t").arg("-c").arg(&path).output();
        let nginx = nginx.expect("nginx cannot be run; install it: apt-get install nginx-light");
        let said = String::from_utf8_lossy(&nginx.stderr);
        assert!(nginx.status.success() && !said.contains("[warn]"), "{line}: {said}");
    }
}

#[test]
fn the_flags_stand_where_they_belong() {
    for (line, lines) in [
        ("", ["server 127.0.0.1:8080;", "proxy_pass http://deteco_backend/auth;", "location / {"]),
        (
            LINES[1],
            ["server unix:/run/deteco.sock;", "proxy_pass http://unix:/run/app.sock;", "proxy_cache off;"],
        ),
        (LINES[2], ["server 127.0.0.1:9000;", "proxy_pass http://deteco_backend/a/b;", "location /api/ {"]),
        (LINES[4], ["set $deteco_scope \"reports:read\";", "listen 80;", "internal;"]),
        (LINES[6], ["proxy_buffer_size 24k;", "proxy_cache deteco_answers;", "location /x/y {"]),
    ] {
        let conf = conf(line).unwrap();
        for part in lines {
            assert!(conf.contains(part), "{line}: {part} is not in {conf}");
        }
    }
}

#[test]
fn what_does_not_go_into_a_configuration_is_refused() {
    for (line, says) in [
        ("--listen 127.0.0.1:0", "needs to know the port"),
        ("--listen unix:/run/a;b", "only letters"),
        ("--cache 100ms", "in seconds"),
        ("--location {", "begins with /"),
        ("--location /x%20y", "would guard nothing"),
        ("--location /x//y/", "would guard nothing"),
        ("--location /x/../y", "would guard nothing"),
        ("--app http://a/b", "without a path"),
    ] {
        let error = format!("{:#}", conf(line).unwrap_err());
        assert!(error.contains(says), "{error}");
    }
}
