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
