use super::network::Endpoint;
use super::*;

/// A running container for tests, with nothing special about it.
pub(crate) fn container(id: &str, created: i64) -> Container {
    Container {
        id: id.to_owned(),
        name: format!("name-{id}"),
        created,
        phase: Phase::Running,
        health: Health::Unknown,
        stop_signal: signal::TERM,
        network: Network::Own(vec![endpoint("172.17.0.2", true)]),
        ports: [(8000, vec!["0.0.0.0:32768".parse().unwrap()])].into(),
        labels: HashMap::from([("app".to_owned(), "web".to_owned())]),
        wishes: Wishes::default(),
    }
}

pub(crate) fn endpoint(address: &str, ours: bool) -> Endpoint {
    Endpoint { address: address.parse().unwrap(), ours }
}

/// The bridge's end is on this host; nothing else is.
fn ours(gateway: IpAddr) -> bool {
    ["172.17.0.1", "fd00::1"].iter().any(|ours| gateway.to_string() == *ours)
}

fn read(json: &str) -> Container {
    let listed = serde_json::from_str(json).unwrap();
    Container::read(listed, &Inspected { created: 7, stop_signal: 15 }, &ours).unwrap()
}

/// An entry of the list as Docker 20.10 (API 1.41) gave it.
fn docker_20_10() -> Container {
    read(
        r#"{"Id":"59773311e3b5a8a0b786719d22b2fc582f869d71cd3f197b029fdc7329c9e824","Names":["/w2"],"Image":"app",
        "ImageID":"sha256:c854","Command":"/bin/sh /app.sh","Created":1795305665,
        "Ports":[{"IP":"0.0.0.0","PrivatePort":8000,"PublicPort":32768,"Type":"tcp"},
        {"IP":"::","PrivatePort":8000,"PublicPort":32769,"Type":"tcp"},
        {"PrivatePort":8001,"Type":"tcp"},{"PrivatePort":53,"Type":"udp"}],
        "Labels":{"app":"web","motarei.probe":"http:/up"},"State":"running","Status":"Up 3 seconds (healthy)",
        "HostConfig":{"NetworkMode":"default"},"NetworkSettings":{"Networks":{"bridge":{"IPAMConfig":null,"Links":null,
        "Aliases":null,"NetworkID":"c69f","EndpointID":"7966","Gateway":"172.17.0.1","IPAddress":"172.17.0.3",
        "IPPrefixLen":16,"IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,
        "MacAddress":"02:42:ac:11:00:03","DriverOpts":null}}},"Mounts":[]}"#,
    )
}

#[test]
fn reads_the_list_of_docker_20_10() {
    let container = docker_20_10();
    assert_eq!((container.short(), container.name.as_str(), container.created), ("59773311e3b5", "w2", 7));
    assert_eq!((container.phase, container.health), (Phase::Running, Health::Healthy));
    assert_eq!(container.network, Network::Own(vec![endpoint("172.17.0.3", true)]));
    let both = ["0.0.0.0:32768", "[::]:32769"].map(|address| address.parse().unwrap());
    assert_eq!(container.ports, [(8000, both.to_vec()), (8001, vec![])].into(), "each once, TCP only");
    assert_eq!(container.wishes.probe, Some(crate::probe::Check::Http("/up".to_owned())));
}

/// API 1.52: `Health` is in the list, `NetworkMode` is `bridge`, IPv6 has its own gateway.
#[test]
fn reads_the_list_of_docker_29() {
    let container = read(
        r#"{"Id":"aa","Names":["/web-1"],"Created":1795305665,
        "Ports":[{"IP":"127.0.0.1","PrivatePort":8000,"PublicPort":18000,"Type":"tcp"}],"Labels":{"app":"web"},
        "State":"running","Status":"Up 3 seconds","Health":{"Status":"unhealthy","FailingStreak":3},
        "HostConfig":{"NetworkMode":"bridge"},"NetworkSettings":{"Networks":{
        "web":{"MacAddress":"","DNSNames":null,"GwPriority":0,"Gateway":"10.5.0.1","IPAddress":"10.5.0.7","IPv6Gateway":"",
        "GlobalIPv6Address":""},
        "bridge":{"Gateway":"172.17.0.1","IPAddress":"172.17.0.2","IPv6Gateway":"fd00::1",
        "GlobalIPv6Address":"fd00::2","GlobalIPv6PrefixLen":64}}}}"#,
    );
    assert_eq!(container.health, Health::Unhealthy);
    let expected = [("172.17.0.2", true), ("fd00::2", true), ("10.5.0.7", false)];
    let expected = expected.map(|(address, ours)| endpoint(address, ours));
    assert_eq!(container.network, Network::Own(expected.to_vec()), "by name of network, IPv4 first");
}

#[test]
fn reads_every_way_to_be_on_the_network() {
    let of = |mode: &str, networks: &str| {
        let networks = format!(r#""NetworkSettings":{{"Networks":{{{networks}}}}}"#);
        read(&format!(r#"{{"Id":"aa","HostConfig":{{"NetworkMode":"{mode}"}},{networks}}}"#)).network
    };
    let empty = r#""x":{"Gateway":"","IPAddress":"","IPv6Gateway":"","GlobalIPv6Address":""}"#;
    let macvlan = r#""lan":{"Gateway":"10.0.0.1","IPAddress":"10.0.0.9"}"#;
    for (mode, networks, expected) in [
        ("host", empty, Network::Host),
        ("none", empty, Network::Own(vec![])),
        ("container:bb", "", Network::Of("bb".to_owned())),
        ("default", empty, Network::Own(vec![])),
        ("lan", macvlan, Network::Own(vec![endpoint("10.0.0.9", false)])),
    ] {
        assert_eq!(of(mode, networks), expected, "{mode}");
    }
}

#[test]
fn another_containers_network_is_that_containers() {
    let of = |mode: &str| {
        let json = format!(
            r#"{{"Id":"bb","HostConfig":{{"NetworkMode":"{mode}"}},"NetworkSettings":{{"Networks":{{"bridge":
            {{"Gateway":"172.17.0.1","IPAddress":"172.17.0.2"}}}}}}}}"#
        );
        Network::shared(serde_json::from_str(&json).unwrap(), &ours)
    };
    assert_eq!(of("bridge"), Network::Own(vec![endpoint("172.17.0.2", true)]));
    assert_eq!(of("host"), Network::Host);
    assert_eq!(Network::shared(None, &ours), Network::Own(vec![]), "it is gone");
}

#[test]
fn only_what_runs_can_answer() {
    for (state, expected) in [
        ("running", Phase::Running),
        ("paused", Phase::Paused),
        ("restarting", Phase::Down),
        ("created", Phase::Down),
        ("exited", Phase::Down),
        ("removing", Phase::Down),
        ("dead", Phase::Down),
    ] {
        assert_eq!(read(&format!(r#"{{"Id":"aa","State":"{state}"}}"#)).phase, expected, "{state}");
    }
    assert_eq!(read(r#"{"Id":"aa"}"#).phase, Phase::Down);
}

#[test]
fn reads_what_an_inspection_tells() {
    let read = |config: &str| {
        let json = format!(r#"{{"Id":"aa","Created":"2026-11-22T00:01:05.799876236Z","Config":{config}}}"#);
        Inspected::read(&serde_json::from_str(&json).unwrap()).unwrap()
    };
    for (config, stop_signal) in [
        ("{}", 15),
        (r#"{"StopSignal":""}"#, 15),
        (r#"{"StopSignal":"QUIT"}"#, 3),
        (r#"{"StopSignal":"SIGRTMIN+3"}"#, 37),
        (r#"{"StopSignal":"nonsense"}"#, 15),
        ("null", 15),
    ] {
        assert_eq!(read(config), Inspected { created: 1_795_305_665_799_876_236, stop_signal }, "{config}");
    }
    assert_eq!(Inspected::read(&ContainerInspectResponse::default()), None);
}

#[test]
fn a_deploy_that_began_first_is_the_older_one_whichever_container_was_created_first() {
    let minutes = |n: i64| n * 60 * 1_000_000_000;
    for (begun, expected) in [
        (None, minutes(20)),
        (Some(minutes(20) - 1), minutes(20) - 1),
        (Some(minutes(10)), minutes(10)),
        (Some(minutes(10) - 1), minutes(20)),
        (Some(minutes(20) + 1), minutes(20)),
        (Some(i64::MIN), minutes(20)),
    ] {
        assert_eq!(age(minutes(20), begun), expected, "{begun:?}");
    }
    let listed = |label: &str| read(&format!(r#"{{"Id":"aa","Labels":{{{label}}}}}"#)).created;
    assert_eq!((listed(""), listed(r#""motarei.begun":"5""#)), (7, 5));
}
