//! The program itself: exit codes and signals.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_wsgate-client");

#[test]
fn what_is_configured_wrong_ends_with_2_and_the_fix() {
    let files = tempfile::tempdir().unwrap();
    let at = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("good"), "127.0.0.1:0,http://gw/\n").unwrap();
    std::fs::write(at("bad"), "\n127.0.0.1:0\n").unwrap();
    std::fs::write(at("empty"), "").unwrap();
    let (good, bad, empty) = (at("good"), at("bad"), at("empty"));
    for (line, says) in [
        ("".to_owned(), "--map"),
        (format!("--map {bad}"), "bad:2: no comma"),
        (format!("--map {good} --private-key {empty}"), "empty: there is no PEM block"),
        (format!("--map {good} --private-key {good}.key"), "No such file"),
        (format!("--map {good} --ca {empty}"), "no certificate in it"),
        (format!("--map {good} -H Upgrade:x"), "-H upgrade: the program sets it"),
        (format!("--map {good} --connect-timeout 5"), "missing unit"),
        (format!("--map {good} --client-cert {empty}"), "--client-key"),
        (format!("--map {good} --client-cert {empty} --client-key {empty}"), "no certificate in it"),
        (format!("--map {good} --tls-server-name a..b"), "neither a host name nor an address"),
        (format!("--map {good} --proxy socks5://p"), "--proxy: only proxies with http://"),
        (format!("--map {good} --stdio http://gw/"), "--stdio"),
        (format!("--map {good} -map {good}"), "-m"),
    ] {
        let output = Command::new(PROGRAM).args(line.split_whitespace()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {text}");
        assert!(text.contains(says), "{line}: {text}");
    }
}

#[test]
fn a_signal_ends_it_with_0() {
    let files = tempfile::tempdir().unwrap();
    let map = files.path().join("map");
    std::fs::write(&map, "127.0.0.1:0,http://gw/proxy/x?sesame\n").unwrap();
    let mut child = Command::new(PROGRAM)
        .args(["--log-format", "json", "--map"])
        .arg(&map)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains(r#""message":"listening""#)).unwrap();
    assert!(line.contains(r#""address":"127.0.0.1:"#), "{line}");
    assert!(line.contains(r#""url":"http://gw/proxy/x""#), "{line}");
    let kill = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(kill.success());
    let rest: String = lines.collect();
    assert!(rest.contains("0 tunnels open; once more ends them") && rest.contains("stopped"), "{rest}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_hangup_reloads_the_map() {
    let files = tempfile::tempdir().unwrap();
    let (map, socket) = (files.path().join("map"), files.path().join("s"));
    std::fs::write(&map, "127.0.0.1:0,http://gw/proxy/x\n").unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["--log-format", "json", "--map"]).arg(&map).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut wait = |part: &str| lines.find(|line| line.contains(part)).unwrap_or_else(|| panic!("no {part}"));
    wait("listening");
    let hangup = || Command::new("kill").args(["-s", "HUP", &child.id().to_string()]).status().unwrap();
    std::fs::write(&map, "nonsense\n").unwrap();
    assert!(hangup().success());
    assert!(wait("not reloaded").contains("map:1: no comma"));
    std::fs::write(&map, format!("unix:{},http://gw/proxy/x\n", socket.display())).unwrap();
    assert!(hangup().success());
    wait("not in the map any more");
    wait("listening");
    assert!(socket.exists());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn no_identity_token_ends_it_with_1() {
    let files = tempfile::tempdir().unwrap();
    let at = |name: &str| files.path().join(name);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let key = token::PrivateKey::generate(token::NewKey::Rsa2048).unwrap().to_pem().unwrap();
    let account = serde_json::json!({
        "type": "service_account", "client_email": "a@b", "private_key": key, "private_key_id": "k",
        "token_uri": format!("http://{closed}/token"),
    });
    std::fs::write(at("account"), account.to_string()).unwrap();
    std::fs::write(at("map"), "127.0.0.1:0,http://gw/\n").unwrap();
    let output = Command::new(PROGRAM)
        .arg("--map")
        .arg(at("map"))
        .arg("--iap-credential")
        .arg(at("account"))
        .args(["--iap-client-id", "x"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&format!("no identity token from {closed}: no connection")), "{text}");
    assert!(!text.contains("listening"), "{text}");
}
