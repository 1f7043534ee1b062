//! The container tool, as the user calls it.

use std::ffi::OsString;
use std::time::Duration;

/// docker or podman, with the options before its command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tool(Vec<OsString>);

impl Tool {
    pub(super) fn new(words: &[OsString]) -> Self {
        Self(words.to_owned())
    }

    /// What is used for a script's container: docker, where `--docker-host` says.
    pub(super) fn default_at(docker_host: Option<&str>) -> Self {
        let host = docker_host.map(|host| [OsString::from("-H"), host.into()]);
        Self([OsString::from("docker")].into_iter().chain(host.into_iter().flatten()).collect())
    }

    /// Asks the container to end, and kills it after `patience`, rounded up to seconds.
    pub(crate) fn stop(&self, id: &str, patience: Duration) -> Vec<OsString> {
        let seconds = patience.as_millis().div_ceil(1000).to_string();
        self.with(&["stop", "-t", &seconds, id])
    }

    /// Ends it at once.
    pub(crate) fn kill(&self, id: &str) -> Vec<OsString> {
        self.with(&["kill", id])
    }

    fn with(&self, words: &[&str]) -> Vec<OsString> {
        self.0.iter().cloned().chain(words.iter().map(OsString::from)).collect()
    }
}
