//! An HTTP proxy that an office has: CONNECT, with a password or without.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use crate::destination::Destination;
use crate::fake_gateway::{header_of, read_head};
use crate::fake_iap::carry;
use crate::web_server::answer;

/// A proxy that leads to one address, whatever name it is asked for.
#[derive(Debug)]
pub struct ForwardProxy {
    listener: Destination,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ForwardProxy {
    /// `authorization` is the value of Proxy-Authorization that it wants.
    pub fn to(target: SocketAddr, authorization: Option<&'static str>) -> ForwardProxy {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let ours = Arc::clone(&asked);
        let listener = Destination::serving(move |mut client| {
            let Some(head) = read_head(&client) else { return };
            ours.lock().unwrap_or_else(PoisonError::into_inner).push(head[0].clone());
            if authorization.is_some() && header_of(&head, "Proxy-Authorization") != authorization {
                let realm = "Proxy-Authenticate: Basic realm=\"office\"\r\n";
                let refusal = answer("407 Proxy Authentication Required", realm, "who are you?");
                let _ = client.write_all(refusal.as_bytes());
            } else if let Ok(upstream) = TcpStream::connect(target) {
                let _ = client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
                carry(&client, &upstream);
            }
        });
        ForwardProxy { listener, asked }
    }

    /// Host and port.
    pub fn address(&self) -> SocketAddr {
        self.listener.address
    }

    /// The request lines so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
