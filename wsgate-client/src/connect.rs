//! Reaching an endpoint: its name is resolved at each attempt, then TCP, then TLS.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use relay::DialError;
use tokio::time::timeout;

use crate::endpoint::Endpoint;
use crate::retry::Budget;
use crate::stream::Stream;
use crate::tls::{self, Tls};

/// The longest that one attempt waits for TCP, name look-up included: a gateway that swallows packets
/// leaves time for a second attempt.
const DIAL: Duration = Duration::from_secs(10);
/// The longest that one attempt waits for TLS.
const TLS: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("cannot connect")]
    Dial(#[source] DialError),
    #[error("TLS failed{}", tls::hint(.0))]
    Tls(#[source] io::Error),
    #[error("TLS failed: no answer within {0:?}")]
    Silent(Duration),
    /// There is no TLS for an https URL; `Config::from_args` makes no configuration like that.
    #[error("TLS is not set up")]
    NoTls,
}

/// A connection to `endpoint`, on which nothing has been asked yet.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    tls: Option<&Tls>,
    budget: Budget,
) -> Result<Stream, ConnectError> {
    let socket = relay::dial(&endpoint.address, Some(budget.at_most(DIAL))).await;
    let socket = socket.map_err(ConnectError::Dial)?;
    let Some(name) = &endpoint.tls else { return Ok(Stream::Plain(socket)) };
    let tls = tls.ok_or(ConnectError::NoTls)?;
    let limit = budget.at_most(TLS);
    let shaken = timeout(limit, tls.connect(name.clone(), socket)).await;
    let stream = shaken.map_err(|_| ConnectError::Silent(limit))?.map_err(ConnectError::Tls)?;
    Ok(Stream::Tls(Box::new(stream)))
}

/// The result of `exchange`, while hyper's `connection` moves its bytes. No task of its own: what is
/// dropped half way leaves nothing behind.
pub(crate) async fn alongside<T>(exchange: impl Future<Output = T>, connection: impl Future) -> T {
    let mut exchange = pin!(exchange);
    tokio::select! {
        biased;
        result = &mut exchange => return result,
        _ = connection => {} // its error reaches the exchange too
    }
    exchange.await
}
