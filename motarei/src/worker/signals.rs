//! The signals that the worker hears.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind};

use super::lifecycle::Told;

/// What each of them asks for.
const HEARD: [(Signal, Told); 6] = [
    (Signal::USR1, Told::Retire),
    (Signal::TERM, Told::Stop(Signal::TERM)),
    (Signal::INT, Told::Stop(Signal::INT)),
    (Signal::HUP, Told::Pass(Signal::HUP)),
    (Signal::QUIT, Told::Pass(Signal::QUIT)),
    (Signal::WINCH, Told::Pass(Signal::WINCH)),
];

#[derive(Debug)]
pub(crate) struct Signals(Vec<(unix::Signal, Told)>);

impl Signals {
    /// From now on none of them ends the process.
    ///
    /// # Errors
    /// If a handler cannot be installed.
    pub(crate) fn hear() -> io::Result<Self> {
        let heard =
            |(signal, told): (Signal, Told)| Ok((unix::signal(SignalKind::from_raw(signal.as_raw()))?, told));
        HEARD.into_iter().map(heard).collect::<io::Result<_>>().map(Self)
    }

    /// What the next one asks for. Dropping the future loses none.
    pub(crate) async fn next(&mut self) -> Told {
        poll_fn(|cx| {
            let mut ready = self
                .0
                .iter_mut()
                .filter_map(|(signal, told)| signal.poll_recv(cx).is_ready().then_some(*told));
            ready.next().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}
