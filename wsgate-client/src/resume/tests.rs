use super::*;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use relay::{Meter, Socket};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tunnel::Limits;

use crate::config::{Config, Work};
use crate::metrics::Metrics;
use crate::wakes::SleepWatch;

/// What the task of a tunnel may take while it is idle, without the sockets, in bytes.
const IDLE: usize = 6 * 1024;

/// An application's end that panics when it is read.
struct Bomb;

impl Leg for Bomb {
    fn reset_on_drop(&mut self) {}
}

impl AsyncRead for Bomb {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        panic!("a bomb");
    }
}

impl AsyncWrite for Bomb {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn config() -> (Config, Work) {
    let line = ["wsgate-client", "--stdio", "http://127.0.0.1:1/proxy/db"].into_iter().map(Into::into);
    let args = daemon::argv::parse(line, daemon::argv::Dash::Double).unwrap();
    Config::in_environment(args, &|_| None).unwrap()
}

fn begin<'w>(config: &'w Config, work: &'w Work, socket: TcpStream) -> Begin<'w> {
    let Work::Stdio(gateway) = work else { unreachable!("it is asked for") };
    let header = Header {
        session: Some("AAECAwQFBgcICQoLDA0ODw".parse().unwrap()),
        grace: Some(Duration::from_secs(120)),
        ..Header::default()
    };
    let wire = Wire { stream: Stream::Plain(socket.into()), early: Vec::new(), role: Role::Client };
    let settings = Settings {
        control_timeout: Duration::from_secs(10),
        limits: Limits::default(),
        stop: CancellationToken::new(),
        meter: Meter::default(),
        tap: None,
        round_trip: None,
    };
    Begin {
        way: Way { config, gateway },
        wire,
        agreed: Agreed::on(&config.offer, &header, &[]),
        budget: &config.offer.budget,
        settings,
        wakes: SleepWatch::start().wakes(),
        life: Life::new(Metrics::declare().0.lives),
    }
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connecting = TcpStream::connect(listener.local_addr().unwrap());
    let (near, far) = tokio::join!(connecting, listener.accept());
    (near.unwrap(), far.unwrap().0)
}

#[tokio::test]
async fn a_panic_is_told_to_the_gateway() {
    let (config, work) = config();
    let (near, mut far) = pair().await;
    let carrying = pin!(Resuming::new(Bomb, begin(&config, &work, near)).carry());
    let carrying = panics::caught(carrying);
    let mut got = Vec::new();
    let hearing = async {
        let mut frames = [0; 256];
        while let Ok(n @ 1..) = far.read(&mut frames).await {
            got.extend_from_slice(&frames[..n]);
            if got.len() >= 28 {
                return;
            }
        }
    };
    let both = async { tokio::join!(carrying, hearing) };
    let (ended, ()) = timeout(Duration::from_secs(5), both).await.unwrap();
    assert_eq!(ended.err().unwrap().downcast_ref(), Some(&"a bomb"));
    // An ACK comes first; in one write with it, or after it, the RESET with its text, which is masked.
    let (mask, reset) = (&got[21..25], &got[25..28]);
    let plain: Vec<u8> = reset.iter().zip(mask).map(|(byte, key)| byte ^ key).collect();
    assert_eq!(plain, [4, 0, 5], "RESET 5 after an ACK: {got:02x?}");
}

/// Sleeps for a minute, as far as the client can tell, and does or does not answer the ping that follows. Tells
/// after how long the WebSocket was given up.
async fn after_a_sleep(answers: bool) -> Option<Duration> {
    let (config, work) = config();
    let ((near, mut far), (local, _application)) = (pair().await, pair().await);
    let slept = Arc::new(AtomicU64::new(0));
    let clock = slept.clone();
    let watch = SleepWatch::of(move || Duration::from_secs(clock.load(Ordering::Relaxed)));
    let begin = Begin { wakes: watch.wakes(), ..begin(&config, &work, near) };
    let carrying = Resuming::new(Socket::from(local), begin).carry();
    let gateway = async {
        far.write_all(b"\x82\x0d\x02\0\0\0\0\0\0\0\0\0\x01\0\0").await.unwrap();
        far.read_exact(&mut [0; 19]).await.unwrap(); // its ACK
        slept.store(60, Ordering::Relaxed);
        let mut ping = [0; 6];
        far.read_exact(&mut ping).await.unwrap();
        assert_eq!(ping[..2], [0x89, 0x80]);
        let begun = Instant::now();
        if answers {
            far.write_all(b"\x8a\0").await.unwrap();
        }
        let ended = timeout(Duration::from_secs(8), far.read(&mut [0; 64])).await.ok()?;
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
        Some(begun.elapsed())
    };
    tokio::select! {
        _ = carrying => unreachable!("it is kept for the grace"),
        given_up = gateway => given_up,
    }
}

#[tokio::test]
async fn after_a_sleep_a_gateway_has_five_seconds_to_answer() {
    let (answered, silent) = tokio::join!(after_a_sleep(true), after_a_sleep(false));
    assert_eq!(answered, None);
    assert!(silent.is_some_and(|after| after >= Duration::from_millis(4900)), "{silent:?}");
}

#[tokio::test]
async fn an_idle_tunnel_is_small() {
    let (config, work) = config();
    let ((near, _far), (local, _application)) = (pair().await, pair().await);
    let carrying = Resuming::new(Socket::from(local), begin(&config, &work, near)).carry();
    let size = size_of_val(&carrying);
    assert!(size <= IDLE, "{size} bytes");
    drop(carrying);
}
