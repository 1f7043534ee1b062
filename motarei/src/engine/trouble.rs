//! What an error of the engine's client means to an operator: its own texts say the same several times, and name no
//! fix.

use std::io;

use anyhow::{Error, anyhow};

const FIX: &str = "is the engine running, and is DOCKER_HOST (or --docker-host) right?";

/// The same error, once, with what to do about it.
pub(super) fn told(error: Error) -> Error {
    match error.downcast_ref::<bollard::errors::Error>() {
        Some(bollard::errors::Error::SocketNotFoundError(_)) => anyhow!("there is no such socket: {FIX}"),
        Some(bollard::errors::Error::HyperLegacyError { err }) => match innermost(err) {
            (_, Some(io::ErrorKind::PermissionDenied)) => {
                anyhow!(
                    "permission denied: this user may not use the engine's socket (the group docker may, often)"
                )
            }
            (text, Some(_)) => anyhow!("{text}: {FIX}"),
            (text, None) => anyhow!(text),
        },
        _ => error,
    }
}

/// The text of the first cause, and its kind if it came from the operating system.
fn innermost(error: &dyn std::error::Error) -> (String, Option<io::ErrorKind>) {
    let (mut text, mut kind) = (error.to_string(), None);
    let mut next = error.source();
    while let Some(cause) = next {
        text = cause.to_string();
        kind = cause.downcast_ref::<io::Error>().map(io::Error::kind).or(kind);
        next = cause.source();
    }
    (text, kind)
}

#[cfg(test)]
mod tests {
    use crate::engine::{Engine, EngineAddress};

    #[tokio::test]
    async fn what_cannot_be_reached_is_said_once_with_the_fix() {
        let directory = tempfile::tempdir().unwrap();
        let refusing = directory.path().join("s");
        drop(std::os::unix::net::UnixListener::bind(&refusing).unwrap());
        for (host, said) in [
            (
                format!("unix://{}/none", directory.path().display()),
                "there is no such socket: is the engine running",
            ),
            (
                format!("unix://{}", refusing.display()),
                "Connection refused (os error 111): is the engine running",
            ),
        ] {
            let address = EngineAddress::find(Some(&host), |_| None).unwrap();
            let error = format!("{:#}", Engine::connect(&address).await.unwrap_err());
            assert!(error.starts_with(&format!("{host}: {said}")), "{error}");
        }
    }
}
