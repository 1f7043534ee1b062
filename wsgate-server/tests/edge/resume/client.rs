//! A client: the other end of the protocol, by the same crate.

use std::net::SocketAddr;
use std::time::Duration;

use http::HeaderMap;
use relay::{Meter, Socket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tunnel::dialect2::{Budget, Carrier, Session, Terms, Turn, WebSocket};
use tunnel::header::{Header, Request, TUNNEL};
use tunnel::{Limits, Role, Settings, Wire};

use super::world::{NEW, World};
use crate::gateway::{soon, upgrade};

pub(super) struct Client {
    pub(super) carrier: Carrier<Socket>,
    pub(super) websocket: Option<WebSocket<Socket>>,
    /// The application's end of the local connection.
    pub(super) app: TcpStream,
    /// What was agreed on.
    pub(super) agreed: Header,
    pub(super) attempt: u32,
    /// Where it dials.
    pub(super) gateway: SocketAddr,
    headers: String,
}

/// What an answer says of the tunnel.
pub(super) fn said(head: &str) -> Option<Header> {
    let mut headers = HeaderMap::new();
    for line in head.lines() {
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("wsgate-tunnel")
        {
            headers.append(TUNNEL, value.parse().unwrap());
        }
    }
    Header::of(&headers).unwrap()
}

/// The header line of a resume.
pub(super) fn resuming(agreed: &Header, received: u64, attempt: u32) -> String {
    let session = agreed.session.unwrap();
    let header = Request::Resume { session, received, attempt }.header();
    format!("Wsgate-Tunnel: {}\r\n", header.to_value().to_str().unwrap())
}

fn wire(stream: TcpStream) -> Wire<Socket> {
    Wire { stream: Socket::from(stream), early: Vec::new(), role: Role::Client }
}

impl Client {
    pub(super) async fn open(world: &World, user: &str) -> Self {
        let (gateway, headers) = (world.gateway.address.unwrap(), world.token(user));
        let mut stream = TcpStream::connect(gateway).await.unwrap();
        let head = upgrade(&mut stream, "db", &format!("{headers}{NEW}")).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let agreed = said(&head).unwrap();
        let terms = Terms {
            role: Role::Client,
            window: agreed.window.unwrap(),
            resume: agreed.resume.unwrap_or(true),
        };
        let (session, link) = Session::new(terms, &Budget::new(64 << 20), Instant::now());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let app = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let local = Socket::from(listener.accept().await.unwrap().0);
        let settings = Settings {
            control_timeout: Duration::from_secs(10),
            limits: Limits::default(),
            stop: CancellationToken::new(),
            meter: Meter::default(),
            tap: None,
            round_trip: None,
        };
        let carrier = Carrier::new(local, session, settings);
        let websocket = Some(WebSocket::new(link, wire(stream)));
        Self { carrier, websocket, app, agreed, attempt: 0, gateway, headers }
    }

    /// Carries until `what` is done, which gets the application's end.
    pub(super) async fn during<T>(&mut self, what: impl AsyncFnOnce(&mut TcpStream) -> T) -> T {
        let websocket = self.websocket.as_mut().unwrap();
        let both = async {
            tokio::select! {
                turn = self.carrier.over(websocket) => panic!("{turn:?}"),
                done = what(&mut self.app) => done,
            }
        };
        soon(both).await
    }

    /// `text` from the application to the destination, and back.
    pub(super) async fn exchange(&mut self, far: &mut TcpStream, text: &[u8]) {
        self.during(async |app| {
            app.write_all(text).await.unwrap();
            assert_eq!(read(far, text.len()).await, text);
            far.write_all(text).await.unwrap();
            assert_eq!(read(app, text.len()).await, text);
        })
        .await;
    }

    /// Carries until there is something to decide.
    pub(super) async fn turn(&mut self) -> Turn {
        let turn = soon(self.carrier.over(self.websocket.as_mut().unwrap())).await;
        self.websocket = None;
        turn
    }

    /// The network fails.
    pub(super) fn cut(&mut self) {
        self.websocket = None;
        assert!(self.carrier.session().detach(Instant::now()));
    }

    /// Comes back; the head of a refusal.
    pub(super) async fn resume(&mut self) -> Result<(), String> {
        self.attempt += 1;
        let received = self.carrier.session().begin_upgrade();
        let mut stream = TcpStream::connect(self.gateway).await.unwrap();
        let headers = format!("{}{}", self.headers, resuming(&self.agreed, received, self.attempt));
        let head = upgrade(&mut stream, "db", &headers).await;
        if !head.starts_with("HTTP/1.1 101 ") {
            return Err(head);
        }
        let answered = said(&head).unwrap();
        assert_eq!((answered.session, answered.window), (None, None), "only `received` is said");
        let link = self.carrier.session().resumed(answered.received.unwrap(), Instant::now()).unwrap();
        self.websocket = Some(WebSocket::new(link, wire(stream)));
        Ok(())
    }
}

pub(super) async fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    soon(stream.read_exact(&mut bytes)).await.unwrap();
    bytes
}
