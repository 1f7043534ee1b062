//! deteco behind the real nginx: whatever a client sends, who may not see a page does not see it.

mod caching;
mod check;
mod connections;
mod deny;
mod failing;
mod heads;
mod identity;
mod jwks;
mod jwks_outage;
mod keys;
mod listening;
mod log;
mod nginx_tools;
mod reload;
mod sample;
mod scope;
mod stopping;
mod traversal;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use e2e::application::Application;
use e2e::deteco::{Deteco, service};
use e2e::eventually::eventually;
use e2e::http::{Conversation, Request, Response};
use e2e::issuer::Issuer;
use e2e::nginx::{Nginx, Sample};

/// nginx as README.md shows it, deteco that it asks, and the application behind.
struct Site {
    nginx: Nginx,
    deteco: Deteco,
    application: Application,
    issuer: Issuer,
}

impl Site {
    /// alice may see /path1.
    fn new() -> Site {
        Site::with(|issuer| service("alice", issuer, &["/path1"]), |sample| sample)
    }

    /// With a configuration of deteco's and changes to nginx's.
    fn with(conf: impl FnOnce(&Issuer) -> String, change: impl FnOnce(Sample) -> Sample) -> Site {
        let issuer = Issuer::es256("a");
        let deteco = Deteco::start(&conf(&issuer), &[]);
        let application = Application::start();
        let nginx = change(Sample::new(deteco.address, application.address())).start();
        Site { nginx, deteco, application, issuer }
    }

    /// What a client gets.
    fn get(&self, path: &str, authorization: &str) -> Response {
        get(path, authorization).ask(self.nginx.address)
    }

    /// A good token of alice's.
    fn alice(&self) -> String {
        self.issuer.bearer("alice")
    }
}

/// A client's request; no Authorization for an empty one.
fn get(path: &str, authorization: &str) -> Request {
    let request = Request::plain("GET", path);
    if authorization.is_empty() { request } else { request.with("Authorization", authorization) }
}

/// A guarded location that declares a scope.
fn scoped(path: &str, scope: &str) -> String {
    format!("location {path} {{ set $deteco_scope {scope}; auth_request /_deteco; proxy_pass http://app; }}")
}

/// Asks again and again, on four connections, for as long as `meanwhile` takes and 50 requests longer;
/// returns what was answered with anything but 200.
fn under_load(address: SocketAddr, request: &Request, meanwhile: impl FnOnce()) -> Vec<String> {
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let callers: Vec<_> =
            (0..4).map(|_| scope.spawn(|| ask_until(&stop, &done, address, request))).collect();
        let more = || {
            let before = done.load(Ordering::SeqCst);
            eventually("requests go on", || (done.load(Ordering::SeqCst) > before + 50).then_some(()));
        };
        more();
        meanwhile();
        more();
        stop.store(true, Ordering::SeqCst);
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    })
}

fn ask_until(stop: &AtomicBool, done: &AtomicUsize, address: SocketAddr, request: &Request) -> Vec<String> {
    let (mut failures, mut conversation) = (Vec::new(), Conversation::with(address));
    while !stop.load(Ordering::SeqCst) {
        match conversation.try_ask(request) {
            Ok(answer) if answer.status == 200 => {}
            other => failures.push(format!("{other:?}")),
        }
        done.fetch_add(1, Ordering::SeqCst);
    }
    failures
}
