use super::*;
use crate::container::MOST_PORTS;

fn places(wanted: &Wanted) -> (Vec<String>, Vec<String>) {
    (wanted.open.values().map(ToString::to_string).collect(), wanted.keep.iter().cloned().collect())
}

#[test]
fn listens_on_the_ports_of_the_newest_ready_one_and_of_all_older() {
    let ports = |ports: &[u16]| ports.iter().map(|port| (*port, vec![])).collect();
    let mut stand = web(&["old", "mid", "new"]);
    stand.change("old", |container| container.ports = ports(&[80]));
    stand.change("mid", |container| container.ports = ports(&[80, 81]));
    stand.change("new", |container| container.ports = ports(&[82]));
    let keep: Vec<_> = [":80", ":81", ":82"].map(str::to_owned).into();
    let open = |ports: &[u16]| ports.iter().map(|port| format!("0.0.0.0:{port}={port}")).collect::<Vec<_>>();
    for (ready, expected) in
        [(&[][..], open(&[])), (&["mid"], open(&[80, 81])), (&["new"], open(&[80, 81, 82]))]
    {
        stand.later(200);
        stand.ready(ready);
        assert_eq!(places(&stand.fleet.wanted()), (expected, keep.clone()), "{ready:?}");
    }
    stand.list(&[]);
    assert_eq!(places(&stand.fleet.wanted()), (vec![], vec![]));
}

#[test]
fn flags_win_over_labels_and_labels_over_ports() {
    let rules = |text: &str| vec![text.parse::<Rule>().unwrap()];
    let listen = || Wishes { listen: Some(rules(":90=9000")), ports: Some(vec![9001]), ..Wishes::default() };
    let port = || Wishes { ports: Some(vec![9001]), ..Wishes::default() };
    for (flags, wishes, expected) in [
        (vec![], Wishes::default(), "0.0.0.0:8000=8000"),
        (vec![], port(), "0.0.0.0:9001=9001"),
        (vec![], listen(), ":90=9000"),
        (rules(":80=8000"), listen(), ":80=8000"),
    ] {
        let mut stand = Stand::new(App { rules: flags, ..app() });
        stand.list(&["a"]);
        stand.change("a", |container| container.wishes = wishes.clone());
        stand.ready(&["a"]);
        assert_eq!(places(&stand.fleet.wanted()).0, [expected], "{wishes:?}");
    }
}

#[test]
fn labels_say_how_to_ask_and_how_long_to_drain() {
    let mut stand = web(&["a"]);
    let probe = Check::Http("/up".to_owned());
    let wishes =
        Wishes { probe: Some(probe.clone()), drain: Some(Duration::from_secs(5)), ..Wishes::default() };
    stand.change("a", |container| container.wishes = wishes);
    assert_eq!(stand.fleet.due(stand.now)[0].how.check, probe);
    let answers = [("172.17.0.2:8000".parse().unwrap(), Outcome::Ready)];
    let key = Key { id: "a".to_owned(), port: 8000, epoch: stand.fleet.members["a"].backends[&8000].epoch };
    stand.fleet.probed(&key, &answers, stand.now);
    assert_eq!(stand.fleet.routes().at(PLACE)[0].drain, Duration::from_secs(5));
}

#[test]
fn an_old_and_a_new_container_share_a_port_however_they_write_it() {
    let mut stand = web(&["old", "new"]);
    let listen = Some(vec!["127.0.0.1:8000=9000".parse().unwrap()]);
    stand.change("new", |container| container.wishes.listen = listen);
    stand.ready(&["old", "new"]);
    let addresses: Vec<_> = stand.fleet.routes().at(PLACE).iter().map(|to| to.address.port()).collect();
    assert_eq!(addresses, [9000, 8000]);
    assert_eq!(places(&stand.fleet.wanted()).0, ["127.0.0.1:8000=9000"], "the newest one says where");
}

#[test]
fn a_range_of_ports_is_cut() {
    let mut stand = web(&["a"]);
    stand.change("a", |container| container.ports = (1..=10_000).map(|port| (port, vec![])).collect());
    assert_eq!(stand.fleet.due(stand.now).len(), MOST_PORTS);
    stand.change("a", |container| container.wishes.ports = Some((1..=100).collect()));
    assert_eq!(stand.fleet.members["a"].backends.len(), 100, "if it is meant");
}
