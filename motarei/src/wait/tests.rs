use super::*;
use crate::discovery::tests::FakeEngine;

fn document(routed: &str, containers: &[(&str, i64)]) -> Document {
    let state = |id: &str| if id == routed { "ready" } else { "probing" };
    let container = |(id, created): &(&str, i64)| serde_json::json!({ "id": id, "name": format!("n-{id}"), "created": created, "state": state(id), "reason": "boots" });
    let containers: Vec<_> = containers.iter().map(container).collect();
    let app = serde_json::json!({ "labels": ["app=web"], "routed": routed, "containers": containers });
    serde_json::from_value(serde_json::json!({ "apps": [app] })).unwrap()
}

fn old(text: &str) -> Old {
    let reference = (!text.is_empty()).then(|| text.parse().unwrap());
    Old { reference, known: None }
}

fn why(not_yet: NotYet) -> String {
    match not_yet {
        NotYet::Because(why) => why,
        NotYet::Unknown(old) => format!("unknown: {old}"),
    }
}

fn labels() -> Vec<Label> {
    vec!["app=web".parse().unwrap()]
}

#[test]
fn a_deploy_serves_when_a_newer_one_is_routed() {
    let both = [("b1", 2), ("a1", 1)];
    for (name, routed, containers, newer_than, expected) in [
        ("newer", "b1", &both[..], "a1", Ok("b1")),
        ("by a part of the id", "b1", &both, "a", Ok("b1")),
        ("by name", "b1", &both, "n-a1", Ok("b1")),
        ("it boots", "a1", &both, "a1", Err("n-b1 is probing: boots")),
        ("itself", "b1", &both, "b1", Err("there is no container newer than n-b1")),
        ("an older one", "a1", &both, "b1", Err("there is no container newer than n-b1")),
        ("any", "b1", &both[..1], "", Ok("b1")),
        ("none routed", "", &both, "", Err("n-b1 is probing: boots")),
        ("none at all", "", &[], "", Err("there is no container")),
        ("one that was never there", "b1", &both[..1], "a1", Err("unknown: a1")),
        ("one that has gone, but when it came is known", "b1", &both[..1], "a1@1", Ok("b1")),
        ("a deploy that failed has gone", "b1", &both, "c1@3", Err("there is no container newer than c1@3")),
        ("there was none", "b1", &both[..1], "none@0", Ok("b1")),
        ("there was none, and is none", "", &[], "none@0", Err("there is no container")),
    ] {
        let ids = serving(&document(routed, containers), &labels(), &mut old(newer_than));
        let expected = expected.map(|id: &str| vec![id.to_owned()]).map_err(str::to_owned);
        assert_eq!(ids.map_err(why), expected, "{name}");
    }
}

#[test]
fn one_that_has_vanished_is_remembered() {
    let mut old = old("b1");
    assert!(serving(&document("b1", &[("b1", 2), ("a1", 1)]), &labels(), &mut old).is_err());
    assert!(
        serving(&document("a1", &[("a1", 1)]), &labels(), &mut old).is_err(),
        "it fell back to an older one"
    );
    assert!(serving(&document("c1", &[("c1", 3), ("a1", 1)]), &labels(), &mut old).is_ok());
}

#[test]
fn one_that_is_routed_for_want_of_a_better_does_not_serve() {
    let mut document = document("b1", &[("b1", 2), ("a1", 1)]);
    document.apps[0].containers[0].state = "unhealthy".to_owned();
    assert!(
        serving(&document, &labels(), &mut old("a1")).map_err(why).unwrap_err().contains("n-b1 is unhealthy")
    );
}

#[test]
fn an_app_that_is_not_there_is_named() {
    let error = serving(&document("b1", &[("b1", 1)]), &["app=api".parse().unwrap()], &mut old(""))
        .map_err(why)
        .unwrap_err();
    assert!(error.contains("app=api"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn waits_for_a_proxy_that_is_not_there_yet_but_not_for_ever() {
    let temp = tempfile::tempdir().unwrap();
    let status: ListenAddr = format!("unix:{}", temp.path().join("s").display()).parse().unwrap();
    let timeout = GoDuration(Duration::from_secs(60));
    let start = Instant::now();
    let args = WaitArgs { label: labels(), newer_than: None, timeout, status, docker_host: None };
    let error = format!("{:#}", wait(args).await.unwrap_err());
    assert!(error.starts_with("it does not serve after 1m: asking the proxy at unix:"), "{error}");
    assert!(start.elapsed() > Duration::from_secs(59) && start.elapsed() <= Duration::from_secs(60));
}

/// A proxy that routes to b1 and knows nothing else.
fn proxy(directory: &std::path::Path) -> ListenAddr {
    let path = directory.join("proxy");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let body = serde_json::to_string(&document("b1", &[("b1", 1_795_305_665_600_000_000)])).unwrap();
            let answer = format!("HTTP/1.0 200 OK\r\n\r\n{body}");
            tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await.unwrap();
            tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 64]).await.unwrap();
        }
    });
    format!("unix:{}", path.display()).parse().unwrap()
}

#[tokio::test]
async fn what_the_proxy_does_not_know_is_judged_by_when_the_engine_made_it() {
    // It was created after b1: a deploy that failed.
    let engine = FakeEngine::start(&["c1"]);
    let status = proxy(engine.directory.path());
    let host = |name: &str| Some(format!("unix://{}/{name}", engine.directory.path().display()));
    for (newer_than, docker_host, said) in [
        ("c1", host("s"), "it does not serve after 300ms: there is no container newer than c1@"),
        ("ghost", host("s"), "neither the proxy nor the engine knows ghost"),
        ("c1", host("nobody"), "it does not serve after 300ms: the proxy does not know c1: unix://"),
    ] {
        let timeout = GoDuration(Duration::from_millis(300));
        let newer_than = Some(newer_than.parse().unwrap());
        let args = WaitArgs { label: labels(), newer_than, timeout, status: status.clone(), docker_host };
        let error = format!("{:#}", wait(args).await.unwrap_err());
        assert!(error.starts_with(said), "{error}");
    }
}
