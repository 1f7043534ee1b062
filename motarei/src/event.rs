//! What the engine's event stream tells, as far as it matters here.

use bollard::models::{EventMessage, EventMessageTypeEnum};

use crate::container::{Health, signal_number};

/// Something happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The container's id.
    pub(crate) id: String,
    pub(crate) what: What,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// It got this signal.
    Killed(i32),
    /// It runs, from now on or again.
    Started,
    /// It ended: its address is nobody's, or soon another's.
    Ended,
    /// It has left a network, and lost an address.
    Disconnected,
    Paused,
    Unpaused,
    Health(Health),
    /// It is worth a look at the list.
    Changed,
}

/// The kinds of events that are asked for. `exec_*` would come with every HEALTHCHECK.
pub(crate) const ACTIONS: [&str; 12] = [
    "start",
    "restart",
    "die",
    "destroy",
    "kill",
    "pause",
    "unpause",
    "health_status",
    "rename",
    "update",
    "connect",
    "disconnect",
];

impl Event {
    /// Nothing if the message is not about a container.
    pub(crate) fn read(message: EventMessage) -> Option<Self> {
        let actor = message.actor?;
        let attributes = actor.attributes.unwrap_or_default();
        let action = message.action?;
        match message.typ? {
            EventMessageTypeEnum::CONTAINER => {
                let signal = attributes.get("signal").and_then(|signal| signal_number(signal));
                Some(Self { id: actor.id?, what: of_container(&action, signal) })
            }
            EventMessageTypeEnum::NETWORK => {
                let what = if action == "disconnect" { What::Disconnected } else { What::Changed };
                Some(Self { id: attributes.get("container")?.clone(), what })
            }
            _ => None,
        }
    }
}

fn of_container(action: &str, signal: Option<i32>) -> What {
    match action {
        "kill" => signal.map_or(What::Changed, What::Killed),
        "start" => What::Started,
        "die" | "destroy" => What::Ended,
        "pause" => What::Paused,
        "unpause" => What::Unpaused,
        "health_status: healthy" => What::Health(Health::Healthy),
        "health_status: unhealthy" => What::Health(Health::Unhealthy),
        _ => What::Changed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as Docker 20.10 wrote them, shortened where nothing is read.
    #[test]
    fn reads_what_docker_wrote() {
        let container = |action: &str, more: &str| {
            format!(
                r#"{{"status":"{action}","id":"5977","from":"app","Type":"container","Action":"{action}","Actor":{{"ID":"5977","Attributes":{{"app":"web","image":"app","name":"w2"{more}}}}},"scope":"local","time":1795305670,"timeNano":1795305670795089878}}"#
            )
        };
        let network = r#"{"Type":"network","Action":"disconnect","Actor":{"ID":"c69f","Attributes":{"container":"5977","name":"bridge","type":"bridge"}},"scope":"local","time":1795305670,"timeNano":1795305670748326991}"#;
        for (line, expected) in [
            (container("kill", r#","signal":"15""#), Some(What::Killed(15))),
            (container("kill", r#","signal":"SIGQUIT""#), Some(What::Killed(3))),
            (container("kill", ""), Some(What::Changed)),
            (container("die", r#","exitCode":"137""#), Some(What::Ended)),
            (container("destroy", ""), Some(What::Ended)),
            (container("pause", ""), Some(What::Paused)),
            (container("unpause", ""), Some(What::Unpaused)),
            (container("health_status: healthy", ""), Some(What::Health(Health::Healthy))),
            (container("health_status: unhealthy", ""), Some(What::Health(Health::Unhealthy))),
            (container("start", ""), Some(What::Started)),
            (container("rename", ""), Some(What::Changed)),
            (network.to_owned(), Some(What::Disconnected)),
            (network.replace("disconnect", "connect"), Some(What::Changed)),
            (network.replace("container\":\"5977", "other\":\"5977"), None),
            (r#"{"Type":"volume","Action":"mount","Actor":{"ID":"5977","Attributes":{}}}"#.to_owned(), None),
            ("{}".to_owned(), None),
        ] {
            let event = Event::read(serde_json::from_str(&line).unwrap());
            assert_eq!(event, expected.map(|what| Event { id: "5977".into(), what }), "{line}");
        }
    }
}
