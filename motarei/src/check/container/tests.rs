use super::*;
use serde_json::{Value, json};

const SH: &str = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000004\nSigCgt:\t0000000000014002\n";
const BUSYBOX: &str = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000010000\nSigCgt:\t0000000000000001\n";

/// As Docker 20.10 tells it of `docker run -P`, without what is not read.
fn recorded() -> Value {
    json!({
        "Id": "d5f3e2c72f9e933fc7123624ead67f882612f32d03f54a8f238936180e5a0826",
        "Created": "2026-11-22T00:28:37.647517103Z",
        "Path": "/bin/busybox",
        "Args": ["httpd", "-f", "-p", "8000"],
        "State": { "Status": "running", "Running": true, "Paused": false, "Pid": 24222, "ExitCode": 0 },
        "Name": "/web-1",
        "HostConfig": { "NetworkMode": "default", "Init": null },
        "Config": {
            "ExposedPorts": { "8000/tcp": {} },
            "Cmd": ["/bin/busybox", "httpd", "-f", "-p", "8000"],
            "Labels": { "app": "web" }
        },
        "NetworkSettings": { "Ports": { "8000/tcp": [{ "HostIp": "0.0.0.0", "HostPort": "32768" }], "53/udp": null } }
    })
}

/// The warnings about a container that differs from the recorded one in one value.
fn texts(at: &str, value: Value, status: Option<&str>, delay: u64, api: &str) -> Vec<String> {
    let mut recorded = recorded();
    let (parent, name) = at.rsplit_once('/').unwrap();
    recorded.pointer_mut(parent).unwrap()[name] = value;
    let facts = Facts {
        inspected: serde_json::from_value(recorded).unwrap(),
        container: None,
        status: status.map(str::to_owned),
        sockets: None,
        kill_old_delay: Duration::from_secs(delay),
        api: api.parse().ok(),
    };
    warnings(&facts).iter().map(ToString::to_string).collect()
}

#[test]
fn a_first_process_that_does_not_hear_its_stop_signal() {
    let init = "/HostConfig/Init";
    let stop = "/Config/StopSignal";
    for (at, value, status, expected) in [
        (init, json!(null), Some(SH), None),
        (init, json!(null), Some(BUSYBOX), Some("has no handler for TERM")),
        (init, json!(false), Some(BUSYBOX), Some("web-1: its PID 1 (/bin/busybox)")),
        (init, json!(true), Some(BUSYBOX), None),
        (init, json!(null), None, None),
        ("/Path", json!("/sbin/tini"), Some(BUSYBOX), None),
        (stop, json!("SIGQUIT"), Some(SH), Some("has no handler for SIGQUIT")),
        (stop, json!("15"), Some(SH), None),
    ] {
        let texts = texts(at, value.clone(), status, 0, "1.41");
        assert_eq!(texts.len(), usize::from(expected.is_some()), "{at} {value} {texts:?}");
        assert!(texts.iter().all(|text| text.contains(expected.unwrap_or_default())), "{texts:?}");
    }
}

#[test]
fn a_healthcheck_that_comes_too_late() {
    const SECOND: u64 = 1_000_000_000;
    let check = |more: Value| {
        let mut check = json!({ "Test": ["CMD-SHELL", "true"] });
        check.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        check
    };
    for (check, delay, api, expected) in [
        (json!(null), 0, "1.41", None),
        (json!({ "Test": ["NONE"] }), 0, "1.41", None),
        (json!({ "Test": [] }), 0, "1.41", None),
        (
            check(json!({})),
            5,
            "1.41",
            Some("comes after 30s, and start_server stops the old container 5s after"),
        ),
        (check(json!({ "Interval": 7 * SECOND })), 5, "1.41", Some("comes after 7s")),
        (check(json!({ "Interval": 4 * SECOND })), 5, "1.41", None),
        (check(json!({ "Interval": 0, "StartPeriod": 60 * SECOND })), 6, "1.41", Some("comes after 30s")),
        (check(json!({ "Interval": 0, "StartPeriod": 60 * SECOND })), 6, "1.44", None),
        (
            check(json!({ "StartPeriod": SECOND, "StartInterval": 9 * SECOND })),
            6,
            "1.44",
            Some("comes after 9s"),
        ),
        (check(json!({ "StartInterval": SECOND })), 6, "1.44", Some("comes after 30s")),
    ] {
        let texts = texts("/Config/Healthcheck", check.clone(), Some(SH), delay, api);
        assert_eq!(texts.len(), usize::from(expected.is_some()), "{check} {texts:?}");
        assert!(texts.iter().all(|text| text.contains(expected.unwrap_or_default())), "{texts:?}");
    }
}

#[test]
fn a_port_that_has_two_numbers() {
    let at = |ip: &str, port: &str| json!({ "HostIp": ip, "HostPort": port });
    for (bindings, expected) in [
        (json!(null), false),
        (json!([at("0.0.0.0", "32768")]), false),
        (json!([at("0.0.0.0", "32768"), at("::", "32768")]), false),
        (json!([at("0.0.0.0", "32768"), at("::", "32769")]), true),
        (json!([at("", "32768"), at("::", "32769")]), false),
        (json!([at("127.0.0.1", "1"), at("127.0.0.2", "2")]), false),
    ] {
        let texts = texts("/NetworkSettings/Ports/8000~1tcp", json!(null), Some(SH), 0, "1.41");
        assert!(texts.is_empty());
        let texts = texts_of_ports(bindings.clone());
        assert_eq!(texts.len() == 1, expected, "{bindings} {texts:?}");
    }
}

fn texts_of_ports(bindings: Value) -> Vec<String> {
    texts("/NetworkSettings/Ports", json!({ "8000/tcp": bindings }), Some(SH), 0, "1.41")
}

#[test]
fn a_port_that_nobody_outside_reaches_and_a_label_that_is_wrong() {
    let container = crate::container::tests::container("a", 1);
    let wishes = crate::container::Wishes {
        wrong: vec!["motarei.port: a port is a number".into()],
        ..Default::default()
    };
    let facts = Facts {
        inspected: serde_json::from_value(recorded()).unwrap(),
        container: Some(Container { wishes, ..container }),
        status: None,
        sockets: Some(Sockets { hidden: [8000, 9000].into(), ..Sockets::default() }),
        kill_old_delay: Duration::ZERO,
        api: None,
    };
    let texts: Vec<_> = warnings(&facts).iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 2);
    assert!(
        texts[0].contains("port 8000 of its own loopback") && texts[1].contains("the label motarei.port:"),
        "{texts:?}"
    );
}
