//! What gateways ask and answer each other.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use daemon::accept::Peer;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use tokio::net::UnixStream;
use tunnel::session_id::{Instance, SessionHash};

use super::line;
use crate::held::{NotFound, Owner};
use crate::identity::Caller;

/// The longest question, in bytes. Names, claims and addresses are much shorter; a head has 64 KiB.
pub(super) const LONGEST_ASK: usize = 256 << 10;
const LONGEST_ANSWER: usize = 4 << 10;

/// A client that comes back: to which session, how far it is, and who it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ask {
    hash: [u8; 32],
    /// The stream position up to which it has received.
    pub(crate) received: u64,
    /// Which of its attempts this is.
    pub(crate) attempt: u32,
    /// The name of where it wants to.
    pub(crate) destination: String,
    user: String,
    method: Method,
    key: String,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    issuer: Option<Value>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    subject: Option<Value>,
    #[serde(default)]
    email: Option<String>,
    /// None: a unix socket.
    #[serde(default)]
    peer: Option<SocketAddr>,
    /// What a trusted proxy says of where the caller is.
    #[serde(default)]
    pub(crate) forwarded_for: String,
}

/// What is asked besides who asks.
pub(crate) struct Wanted<'a> {
    pub(crate) hash: SessionHash,
    pub(crate) received: u64,
    pub(crate) attempt: u32,
    pub(crate) destination: &'a str,
}

impl Ask {
    /// Of a client that has been verified to be `owner`, by the credential that `caller` tells of.
    pub(crate) fn new(wanted: &Wanted<'_>, owner: &Owner, caller: &Caller, peer: Peer) -> Self {
        Self {
            hash: wanted.hash.0,
            received: wanted.received,
            attempt: wanted.attempt,
            destination: wanted.destination.to_owned(),
            user: owner.user.clone(),
            method: Method(owner.method),
            key: caller.key.clone(),
            issuer: owner.issuer.clone(),
            subject: owner.subject.clone(),
            email: owner.email.clone(),
            peer: match peer {
                Peer::Tcp(address) => Some(address),
                Peer::Unix => None,
            },
            forwarded_for: String::new(),
        }
    }

    /// The next question on a connection.
    ///
    /// # Errors
    /// If it is none.
    pub(crate) async fn read(from: &mut UnixStream) -> io::Result<Self> {
        line::read(from, LONGEST_ASK).await
    }

    pub(crate) fn hash(&self) -> SessionHash {
        SessionHash(self.hash)
    }

    pub(crate) fn owner(&self) -> Owner {
        Owner {
            user: self.user.clone(),
            method: self.method.0,
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            email: self.email.clone(),
        }
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller { user: self.user.clone(), method: self.method.0, key: self.key.clone() }
    }

    pub(crate) fn peer(&self) -> Peer {
        self.peer.map_or(Peer::Unix, Peer::from)
    }
}

/// Of the process that has the session, or had it, or does not know it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    instance: u32,
    /// The session waits for its next WebSocket; the position up to which it has received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    received: Option<u64>,
    /// It does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<NotFound>,
}

impl Answer {
    pub(crate) fn new(instance: Instance, taken_over: Result<u64, NotFound>) -> Self {
        Self { instance: instance.0, received: taken_over.ok(), refused: taken_over.err() }
    }

    /// # Errors
    /// If what comes is no answer.
    pub(super) async fn read(from: &mut UnixStream) -> io::Result<Self> {
        let answer: Self = line::read(from, LONGEST_ANSWER).await?;
        match answer.received.is_some() == answer.refused.is_some() {
            true => Err(io::Error::new(ErrorKind::InvalidData, "neither yes nor no")),
            false => Ok(answer),
        }
    }

    /// # Errors
    /// If nobody takes it any more.
    pub(crate) async fn write(&self, to: &mut UnixStream) -> io::Result<()> {
        line::write(to, &line::of(self)?).await
    }

    pub(super) fn is_unknown(&self) -> bool {
        self.refused == Some(NotFound::Unknown)
    }

    /// Who says so.
    pub(crate) fn instance(&self) -> Instance {
        Instance(self.instance)
    }

    /// What the 101 reports, or why there is none.
    pub(crate) fn taken_over(&self) -> Result<u64, NotFound> {
        self.received.ok_or_else(|| self.refused.unwrap_or(NotFound::Unknown))
    }
}

/// One of those that callers are verified by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Method(&'static str);

impl<'de> Deserialize<'de> for Method {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let known = Caller::METHODS.into_iter().find(|method| *method == text);
        known.map(Self).ok_or_else(|| D::Error::custom("a method that is not known"))
    }
}

/// A claim that is `null` is not one that is missing.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::held::End;
    use serde_json::json;

    fn ask(issuer: Option<Value>, peer: Peer) -> Ask {
        let wanted =
            Wanted { hash: SessionHash([7; 32]), received: u64::MAX, attempt: 3, destination: "d\nb" };
        let owner = Owner {
            user: "alice".into(),
            method: "jwt",
            issuer,
            subject: Some(json!({ "a": [1, null] })),
            email: None,
        };
        let caller = Caller { user: "alice".into(), method: "jwt", key: "k1".into() };
        Ask::new(&wanted, &owner, &caller, peer)
    }

    #[test]
    fn what_is_asked_is_what_is_heard() {
        let tcp = Peer::from("[2001:db8::1]:7".parse::<SocketAddr>().unwrap());
        for (issuer, peer) in
            [(None, tcp), (Some(Value::Null), Peer::Unix), (Some(json!("https://issuer")), tcp)]
        {
            let asked = ask(issuer.clone(), peer);
            let heard: Ask = line::parse(&line::of(&asked).unwrap()).unwrap();
            assert_eq!(heard, asked);
            assert_eq!((heard.hash(), heard.peer()), (SessionHash([7; 32]), peer));
            assert_eq!((heard.owner().issuer, heard.caller().key.as_str()), (issuer, "k1"));
        }
    }

    #[test]
    fn what_is_no_question_is_not_taken_for_one() {
        let good = serde_json::to_value(ask(None, Peer::Unix)).unwrap();
        for (field, value) in [
            ("hash", json!([1, 2])),
            ("hash", json!(vec![256; 32])),
            ("hash", Value::Null),
            ("received", json!(-1)),
            ("attempt", json!(1u64 << 32)),
            ("destination", json!(["db"])),
            ("method", json!("root")),
            ("peer", json!("nowhere")),
            ("v", json!(2)),
        ] {
            let mut bad = good.clone();
            bad["v"] = json!(1);
            assert!(line::parse::<Ask>(bad.to_string().as_bytes()).is_ok());
            bad[field] = value;
            assert!(line::parse::<Ask>(bad.to_string().as_bytes()).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn answers_are_yes_or_no() {
        for taken_over in [
            Ok(u64::MAX),
            Err(NotFound::Unknown),
            Err(NotFound::Over(End::Finished)),
            Err(NotFound::Foreign),
            Err(NotFound::TooOften),
            Err(NotFound::Stale),
        ] {
            let (mut from, mut to) = UnixStream::pair().unwrap();
            let answer = Answer::new(Instance(7), taken_over);
            answer.write(&mut from).await.unwrap();
            let heard = Answer::read(&mut to).await.unwrap();
            assert_eq!((heard.instance(), heard.taken_over()), (Instance(7), taken_over));
            assert_eq!(heard.is_unknown(), taken_over == Err(NotFound::Unknown));
        }
        for bad in [
            "{\"v\":1,\"instance\":7}",
            "{\"v\":1,\"instance\":7,\"received\":1,\"refused\":\"stale\"}",
            "{\"v\":1,\"instance\":7,\"refused\":\"other\"}",
            "{\"v\":1,\"received\":1}",
        ] {
            let (mut from, mut to) = UnixStream::pair().unwrap();
            line::write(&mut from, format!("{bad}\n").as_bytes()).await.unwrap();
            assert!(Answer::read(&mut to).await.is_err(), "{bad}");
        }
    }
}
