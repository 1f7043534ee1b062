//! Reaching the gateway: its name is resolved at each attempt, then TCP, then TLS.

use std::time::Duration;

use tokio::time::timeout;

use crate::attempt::AttemptError;
use crate::endpoint::Endpoint;
use crate::retry::Budget;
use crate::stream::Stream;
use crate::tls::Tls;

/// The longest that one attempt waits for TCP, name look-up included: a gateway that swallows packets
/// leaves time for a second attempt.
const DIAL: Duration = Duration::from_secs(10);
/// The longest that one attempt waits for TLS.
const TLS: Duration = Duration::from_secs(10);

/// A connection to `gateway`, on which nothing has been asked yet.
pub(crate) async fn connect(
    gateway: &Endpoint,
    tls: Option<&Tls>,
    budget: Budget,
) -> Result<Stream, AttemptError> {
    let socket =
        relay::dial(&gateway.address, Some(budget.at_most(DIAL))).await.map_err(AttemptError::Dial)?;
    let Some(name) = &gateway.tls else { return Ok(Stream::Plain(socket)) };
    let tls = tls.ok_or(AttemptError::NoTls)?;
    let limit = budget.at_most(TLS);
    let shaken = timeout(limit, tls.connect(name.clone(), socket)).await;
    let stream = shaken.map_err(|_| AttemptError::Silent { step: "TLS", limit })?;
    Ok(Stream::Tls(Box::new(stream.map_err(AttemptError::Tls)?)))
}
