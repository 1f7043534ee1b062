use super::*;
use crate::app::App;
use crate::engine::{EngineAddress, Transport};
use crate::fleet::tests::app;
use crate::status::StatusAddress;

fn config(rules: &[&[&str]]) -> Config {
    let app =
        |rules: &&[&str]| App { rules: rules.iter().map(|rule| rule.parse().unwrap()).collect(), ..app() };
    Config {
        apps: rules.iter().map(app).collect(),
        engine: EngineAddress { transport: Transport::Unix("/none".into()), api: None },
        status: StatusAddress::or_default(None),
        max_connections: 1,
        max_held: 1,
    }
}

/// A socket on a port of the kernel's choice, which is that port in `rules` (`PORT`), is inherited.
async fn assigned(rules: &[&[&str]], name: &str) -> (Result<Sockets>, u16) {
    let listener = listen::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap().remove(0);
    let port = listener.tcp_addr().unwrap().unwrap().port();
    let texts: Vec<Vec<_>> = rules
        .iter()
        .map(|list| list.iter().map(|rule| rule.replace("PORT", &port.to_string())).collect())
        .collect();
    let texts: Vec<Vec<&str>> = texts.iter().map(|list| list.iter().map(String::as_str).collect()).collect();
    let texts: Vec<&[&str]> = texts.iter().map(Vec::as_slice).collect();
    let mut sockets = Sockets::default();
    let inherited = Inherited { listener, name: Some(name.to_owned()) };
    (sockets.assign(&config(&texts), inherited).map(|()| sockets), port)
}

#[tokio::test]
async fn an_inherited_socket_is_that_of_the_rule_with_its_port() {
    type Given<'a> = &'a [&'a [&'a str]];
    let table: [(Given<'_>, Option<(usize, &str)>); 7] = [
        (&[&["127.0.0.1:PORT=80"]], Some((0, "127.0.0.1:PORT=80"))),
        (&[&[":PORT=80", ":1=1"]], Some((0, ":PORT=80"))),
        (&[&["10.0.0.1:PORT=80", "127.0.0.1:PORT=81"]], Some((0, "127.0.0.1:PORT=81"))),
        (&[&[":1=PORT"], &[":PORT=80"]], Some((1, ":PORT=80"))),
        (&[&[]], Some((0, "0.0.0.0:PORT=PORT"))),
        (&[&[":1=1"], &[]], Some((1, "0.0.0.0:PORT=PORT"))),
        (&[&[], &[]], None),
    ];
    for (rules, expected) in table {
        let (sockets, port) = assigned(rules, "web").await;
        let sockets = sockets.unwrap();
        let bound: Vec<_> = sockets.bound.iter().map(|bound| (bound.app, bound.rule.to_string())).collect();
        let expected = expected.map(|(app, rule)| (app, rule.replace("PORT", &port.to_string())));
        assert_eq!(bound, Vec::from_iter(expected.clone()), "{rules:?}");
        assert_eq!(sockets.spare.len(), usize::from(expected.is_none()), "{rules:?}");
        assert!(sockets.bound.iter().all(|bound| bound.inherited));
    }
}

#[tokio::test]
async fn one_that_is_called_status_is_for_that() {
    let (sockets, _) = assigned(&[&[":PORT=80"]], "status").await;
    let sockets = sockets.unwrap();
    assert_eq!((sockets.status.len(), sockets.bound.len()), (1, 0));
}

#[tokio::test]
async fn one_that_nobody_needs_is_an_error() {
    let (sockets, port) = assigned(&[&[":1=80"]], "web").await;
    let error = sockets.unwrap_err().to_string();
    assert_eq!(error, format!("127.0.0.1:{port} (web) was inherited, and no --listen has its port"));
}

#[tokio::test]
async fn one_listener_that_is_bound_is_enough() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bad = format!("{}=80", taken.local_addr().unwrap());
    let sockets = Sockets::open(&config(&[&[&bad, "127.0.0.1:0=80"]])).await.unwrap();
    assert_eq!((sockets.bound.len(), sockets.failed.len()), (1, 1));
    let error = Sockets::open(&config(&[&[&bad]])).await.unwrap_err().to_string();
    assert!(error.starts_with("no listener could be bound: cannot listen on 127.0.0.1:"), "{error}");
}
