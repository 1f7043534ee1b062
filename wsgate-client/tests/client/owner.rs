//! A gateway that has one session of dialect 2: the server's half of the tunnel, between the client and a
//! destination, with a test that says what goes wrong.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use relay::{Leg, Meter, Socket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tunnel::dialect2::{Budget, Carrier, Over, Session, Terms, Turn, WebSocket};
use tunnel::header::{Header, MIN_WINDOW, Request, TUNNEL};
use tunnel::session_id::{Instance, SessionId};
use tunnel::{Limits, Role, Settings, Wire};

use crate::gateway::{Asked, Gateway};

pub(crate) const OURS: Instance = Instance(0x00c0_ffee);

/// What becomes of a resume; without another word it is granted.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Grant,
    /// The session is resumed, and the client never hears of it.
    Lost,
    /// Nothing is said.
    Silence,
    /// This text is.
    Text(String),
}

/// What a test wants of the gateway's end.
#[derive(Debug)]
pub(crate) enum Order {
    /// The connection is reset.
    Cut,
    /// The connection stays, and nothing goes through it any more.
    Hole,
    Close(u16),
    GoAway(u32),
}

/// A refusal of the gateway's own.
pub(crate) fn refusal(status: &str, word: &str, more: &str) -> Answer {
    Answer::Text(format!("HTTP/1.1 {status}\r\nWsgate-Refusal: {word}\r\n{more}Content-Length: 0\r\n\r\n"))
}

/// An answer of something in between.
pub(crate) fn foreign(status: &str) -> Answer {
    Answer::Text(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"))
}

pub(crate) struct Owner {
    pub(crate) address: SocketAddr,
    /// The destination's end of the connection that the gateway has made.
    pub(crate) destination: TcpStream,
    /// The head of each upgrade, in order, and when it came.
    pub(crate) upgrades: mpsc::UnboundedReceiver<(Instant, String)>,
    orders: mpsc::UnboundedSender<Order>,
    running: JoinHandle<Option<Over>>,
}

/// How the gateway is.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    /// What is answered to a new session, beside window, session and instance.
    pub(crate) grace: Duration,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) cookies: &'static str,
    /// After how many bytes each WebSocket breaks.
    pub(crate) breaks: Arc<Mutex<VecDeque<usize>>>,
    /// What is said to the resumes.
    pub(crate) answers: Arc<Mutex<VecDeque<Answer>>>,
}

impl Default for Manner {
    fn default() -> Self {
        let grace = Duration::from_secs(120);
        Self { grace, lifetime: None, cookies: "", breaks: Arc::default(), answers: Arc::default() }
    }
}

impl Manner {
    pub(crate) fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() }
    }
}

impl Owner {
    pub(crate) async fn start(manner: Manner) -> Self {
        let gateway = Gateway::new().await;
        let address = gateway.address();
        let (near, destination) = pair().await;
        let (seen, upgrades) = mpsc::unbounded_channel();
        let (orders, ordered) = mpsc::unbounded_channel();
        let serving = Serving { manner, seen, ordered, hole: Arc::default() };
        let running = tokio::spawn(serving.run(gateway, near));
        Self { address, destination, upgrades, orders, running }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/proxy/mysql", self.address)
    }

    pub(crate) fn order(&self, order: Order) {
        self.orders.send(order).unwrap();
    }

    /// The next upgrade: when it came, and its header.
    pub(crate) async fn upgrade(&mut self) -> (Instant, String) {
        let next = tokio::time::timeout(Duration::from_secs(3600), self.upgrades.recv()).await;
        next.expect("an upgrade").unwrap()
    }

    /// The next upgrade, which is a resume.
    pub(crate) async fn resume(&mut self) -> (u64, u32) {
        let (_, head) = self.upgrade().await;
        match request(&head) {
            Some(Request::Resume { received, attempt, .. }) => (received, attempt),
            other => panic!("{other:?}"),
        }
    }

    /// How the session ended, once it has.
    pub(crate) async fn over(self) -> Option<Over> {
        self.running.await.unwrap()
    }
}

/// What the header of an upgrade asks for.
pub(crate) fn request(head: &str) -> Option<Request> {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("wsgate-tunnel: "))?;
    let mut headers = http::HeaderMap::new();
    headers.insert(TUNNEL, line.split_once(": ")?.1.parse().unwrap());
    Header::of(&headers).unwrap()?.request().ok()
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connecting = TcpStream::connect(listener.local_addr().unwrap());
    let (near, far) = tokio::join!(connecting, listener.accept());
    (near.unwrap(), far.unwrap().0)
}

struct Serving {
    manner: Manner,
    seen: mpsc::UnboundedSender<(Instant, String)>,
    ordered: mpsc::UnboundedReceiver<Order>,
    /// Of the latest connection.
    hole: Arc<AtomicBool>,
}

impl Serving {
    async fn run(mut self, gateway: Gateway, near: TcpStream) -> Option<Over> {
        let mut asked = accepting(gateway);
        let first = asked.recv().await?;
        self.note(&first);
        let Some(Request::New { window, resume }) = request(&first.head) else { panic!("{}", first.head) };
        let terms = Terms { role: Role::Server, window: window.min(4 * MIN_WINDOW), resume };
        let (session, link) = Session::new(terms, &Budget::new(1 << 30), Instant::now());
        let mut carrier = Carrier::new(Socket::from(near), session, settings());
        let header = Header {
            window: Some(terms.window),
            session: Some(SessionId::random()),
            instance: Some(OURS),
            grace: Some(self.manner.grace),
            lifetime: self.manner.lifetime,
            ..Header::default()
        };
        let stream = granted(first, &header, self.manner.cookies).await;
        let mut websocket = Some(WebSocket::new(link, self.wire(stream)));
        loop {
            tokio::select! {
                biased;
                turn = over(&mut carrier, websocket.as_mut()) => match turn {
                    Turn::Over(over) => return Some(over),
                    _ => websocket = None,
                },
                order = self.ordered.recv() => {
                    obey(order?, &mut websocket, &self.hole);
                }
                Some(next) = asked.recv() => {
                    self.note(&next);
                    if let Some(next) = self.resumed(next, &mut carrier).await
                        && let Some(old) = websocket.replace(next)
                    {
                        tokio::spawn(old.dismiss(tunnel::close::TAKEN_OVER));
                    }
                }
            }
        }
    }

    fn note(&self, asked: &Asked<TcpStream>) {
        let _ = self.seen.send((Instant::now(), asked.head.clone())); // a test may not look
    }

    async fn resumed(
        &mut self,
        mut asked: Asked<TcpStream>,
        carrier: &mut Carrier<Socket>,
    ) -> Option<WebSocket<Fickle>> {
        let answer = self.manner.answers.lock().unwrap().pop_front().unwrap_or(Answer::Grant);
        let (received, attempt) = match request(&asked.head) {
            Some(Request::Resume { received, attempt, .. }) => (received, attempt),
            other => panic!("{other:?}"),
        };
        match answer {
            Answer::Text(text) => {
                asked.answer(&text).await;
                return None;
            }
            Answer::Silence => {
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(3600)).await;
                    drop(asked);
                });
                return None;
            }
            Answer::Grant | Answer::Lost => {}
        }
        let reported = carrier.session().received();
        let link = carrier.session().resume(received, attempt, Instant::now()).unwrap();
        if matches!(answer, Answer::Lost) {
            let (_nobody, lost) = pair().await;
            return Some(WebSocket::new(link, self.wire(lost)));
        }
        let header = Header { received: Some(reported), ..Header::default() };
        let stream = granted(asked, &header, "").await;
        Some(WebSocket::new(link, self.wire(stream)))
    }

    fn wire(&mut self, stream: TcpStream) -> Wire<Fickle> {
        let left = self.manner.breaks.lock().unwrap().pop_front();
        self.hole = Arc::default();
        let stream = Fickle { stream: stream.into(), left, hole: self.hole.clone() };
        Wire { stream, early: Vec::new(), role: Role::Server }
    }
}

/// Heads are read here, so that nobody loses one half read.
fn accepting(gateway: Gateway) -> mpsc::UnboundedReceiver<Asked<TcpStream>> {
    let (to, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let connection = gateway.accept().await;
            if to.send(Asked::read(connection).await).is_err() {
                return;
            }
        }
    });
    asked
}

async fn granted(mut asked: Asked<TcpStream>, header: &Header, cookies: &str) -> TcpStream {
    let (head, end) = (asked.granted(), "\r\n\r\n");
    let head = head.strip_suffix(end).unwrap();
    let value = header.to_value();
    let value = value.to_str().unwrap();
    asked.answer(&format!("{head}\r\nWsgate-Tunnel: {value}\r\n{cookies}\r\n")).await;
    asked.stream
}

async fn over(carrier: &mut Carrier<Socket>, websocket: Option<&mut WebSocket<Fickle>>) -> Turn {
    match websocket {
        Some(websocket) => carrier.over(websocket).await,
        None => match carrier.detached().await {
            Over::Reset(..) => std::future::pending().await,
            over => Turn::Over(over),
        },
    }
}

fn obey(order: Order, websocket: &mut Option<WebSocket<Fickle>>, hole: &AtomicBool) {
    let Some(open) = websocket else { panic!("{order:?} without a WebSocket") };
    match order {
        Order::Cut => {
            open.link().failed();
        }
        Order::Hole => hole.store(true, Ordering::Relaxed),
        Order::Close(code) => open.link().close(code),
        Order::GoAway(seconds) => open.link().go_away(seconds),
    }
}

fn settings() -> Settings {
    Settings {
        control_timeout: Duration::from_secs(10),
        limits: Limits::default(),
        stop: CancellationToken::new(),
        meter: Meter::default(),
        tap: None,
        round_trip: None,
    }
}

/// A connection that breaks after so many bytes, or becomes a hole.
pub(crate) struct Fickle {
    stream: Socket,
    left: Option<usize>,
    hole: Arc<AtomicBool>,
}

impl Fickle {
    /// How much of `wanted` may still pass.
    fn passes(&mut self, wanted: usize) -> io::Result<usize> {
        match self.left {
            Some(0) => {
                self.stream.reset_on_drop();
                Err(io::ErrorKind::ConnectionReset.into())
            }
            Some(left) => Ok(left.min(wanted)),
            None => Ok(wanted),
        }
    }

    fn passed(&mut self, n: usize) {
        self.left = self.left.map(|left| left - n);
    }
}

impl Leg for Fickle {
    fn reset_on_drop(&mut self) {
        self.stream.reset_on_drop();
    }
}

impl AsyncRead for Fickle {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.hole.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        let most = this.passes(into.remaining())?;
        let mut part = into.take(most);
        std::task::ready!(Pin::new(&mut this.stream).poll_read(cx, &mut part))?;
        let n = part.filled().len();
        into.advance(n);
        this.passed(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Fickle {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, piece: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.hole.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        let most = this.passes(piece.len())?;
        let n = std::task::ready!(Pin::new(&mut this.stream).poll_write(cx, &piece[..most]))?;
        this.passed(n);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
