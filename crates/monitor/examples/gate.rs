//! A gateway that carries nothing, to look at its status page: `cargo run -p monitor --example gate`, then open
//! http://127.0.0.1:9900/.

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use daemon::listen::ListenAddr;
use daemon::stop::Stop;
use monitor::{
    Busy, Counter, Declare, Gauge, Histogram, Line, Program, Question, Registry, Reload, Report, Status,
    StatusListener, Unit, histogram,
};
use serde_json::{Map, Value, json};

/// Its flags.
#[derive(Parser)]
struct Args {
    /// Where the status is
    #[arg(long, default_value = "127.0.0.1:9900")]
    status_listen: ListenAddr,
}

/// What it says of itself.
struct Told;

impl Report for Told {
    fn reload(&self) -> Option<Reload> {
        Some(Reload { succeeded: 3, failed: 1, stale: true })
    }

    fn limits(&self) -> Map<String, Value> {
        let limits = [("max_connections", 10_000), ("max_sessions_a_user", 100)];
        limits.into_iter().map(|(name, limit)| (name.to_owned(), json!(limit))).collect()
    }

    fn warnings(&self) -> Vec<String> {
        vec!["the key 2024-a expires in less than 14 days".to_owned()]
    }

    fn metadata(&self) -> Map<String, Value> {
        [("configuration".to_owned(), json!("sha256:6b51d431df5d7f14"))].into_iter().collect()
    }

    fn status(&self, question: Question) -> Value {
        let listed: Vec<_> = (0..20)
            .map(|id| json!({ "id": id, "destination": "db-main", "user": "<img src=x onerror=alert(1)>", "age_seconds": id * 977 }))
            .collect();
        let mut own = json!({
            "sessions": 20,
            "engine": { "address": "unix:///var/run/docker.sock", "version": "27.1", "error": null },
            "apps": [
                { "name": "web", "labels": ["app=web", "stage"], "containers": [
                    { "name": "web-2", "state": "ready", "ports": [{ "port": 8000, "state": "ready" }] },
                    { "name": "web-1", "state": "terminating", "reason": "a newer one is ready", "ports": [] },
                ] },
                { "name": "admin", "labels": [], "containers": [] },
            ],
            "destinations": [
                { "name": "db-main", "address": "10.20.0.4:3306", "sessions": 14, "received_bytes": 48_211_345_u64, "last_seen_seconds": 3 },
                { "name": "db-replica-with-a-long-name", "address": "10.20.0.5:3306", "sessions": 6, "received_bytes": 9_120, "last_seen_seconds": 4210 },
                { "name": "ssh", "address": "bastion.internal:22", "sessions": 0, "received_bytes": 0, "last_seen_seconds": null },
            ],
        });
        if question.sessions {
            own["session_list"] = json!(listed);
        }
        own
    }
}

/// What it counts.
struct Metrics {
    sessions: Gauge,
    opened: Counter,
    refused: Counter,
    up: Counter,
    down: Counter,
    setup: Histogram,
}

impl Metrics {
    fn declare() -> (Self, Registry) {
        let mut declare = Declare::new(Program { name: "example-gate", version: env!("CARGO_PKG_VERSION") });
        let metrics = Self {
            sessions: declare.gauge("sessions", "Sessions that are open"),
            opened: declare.counter("sessions_opened", "Sessions that were opened"),
            refused: declare.counter("sessions_refused", "Requests that were refused"),
            up: declare.counter("received_bytes", "Payload from clients"),
            down: declare.counter("sent_bytes", "Payload to clients"),
            setup: declare.histogram("setup_seconds", "From accept to the first byte", histogram::SECONDS),
        };
        metrics.draw(&mut declare);
        (metrics, declare.done())
    }

    fn draw(&self, declare: &mut Declare) {
        let open = Line::now("open", "open now", &self.sessions).by_default();
        declare.graph("sessions", "Sessions", Unit::Integer, [open]);
        let opened = Line::rate("opened", "opened", &self.opened).by_default();
        let refused = Line::rate("refused", "refused", &self.refused).by_default();
        declare.graph("rate", "Sessions a second", Unit::Float, [opened, refused]);
        let up = Line::rate("up", "from clients", &self.up).by_default();
        let down = Line::rate("down", "to clients", &self.down).by_default();
        declare.graph("bytes", "Throughput", Unit::BytesPerSecond, [up, down]);
        let p99 = Line::percentile("p99", "99 %", &self.setup, 0.99).times(1000.0).by_default();
        declare.graph("setup", "Set-up", Unit::Milliseconds, [p99]);
    }

    /// Pretends, for a tenth of a second.
    fn carry(&self, step: u32) {
        let wave = f64::from(step % 300) / 300.0 * std::f64::consts::TAU;
        self.sessions.set((40.0 + 20.0 * wave.sin()) as i64);
        self.opened.add(rand::random_range(0..4));
        self.refused.add(u64::from(rand::random_range(0..20) == 0));
        self.up.add(rand::random_range(0..40_000));
        self.down.add((2e6 * (1.2 + (3.0 * wave).cos())) as u64);
        self.setup.observe(Duration::from_micros(rand::random_range(400..20_000)));
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    daemon::log::init(daemon::log::Format::Text, daemon::log::Level::Info);
    let (metrics, registry) = Metrics::declare();
    let stop = Stop::on_signals(Duration::from_secs(5), "sessions")?;
    let status = Status::new(Arc::new(registry), Told, stop.draining.clone());
    let listener = StatusListener::open(Some(args.status_listen), Vec::new(), Busy::Fails).await?;
    if let Some(listener) = listener {
        tokio::spawn(listener.serve(Arc::new(status), stop.draining.clone()));
    }
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let carrying = async {
        for step in 0_u32.. {
            ticks.tick().await;
            metrics.carry(step);
        }
    };
    tokio::select! {
        () = stop.draining.cancelled() => Ok(()),
        () = carrying => Ok(()),
    }
}
