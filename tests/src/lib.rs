//! The harness of the end-to-end tests: what is needed to put the real programs between real peers.
//!
//! Reading order: [`eventually`] and [`scratch`], then ours ([`process`], [`programs`], [`deteco`], [`sabo`],
//! [`motarei`], [`supervised`]), the hand-made peers ([`http`], [`application`], [`frame`], [`websocket`],
//! [`original`], [`destination`], [`fake_gateway`]), who says who somebody is ([`issuer`], [`forge`],
//! [`web_server`], [`fake_iap`]) and what is in the way ([`forward_proxy`], [`cutter`]), the real servers ([`mariadb`],
//! [`sshd`], [`nginx`], [`balancer`], [`uri_echo`]), containers ([`docker`], [`deploy`], [`load`]), what a person
//! sits at ([`terminal`], [`browser`]), and what measures ([`audit`], [`pattern`], [`target`], [`memory`],
//! [`meter`]). [`conformance`] puts a table of rows to deteco.
//!
//! Everything here panics with a message that says what was expected: that is how a test fails.

pub mod application;
pub mod audit;
pub mod balancer;
pub mod browser;
pub mod certificate;
pub mod conformance;
pub mod cutter;
pub mod deploy;
pub mod destination;
pub mod deteco;
pub mod docker;
pub mod eventually;
pub mod fake_gateway;
pub mod fake_iap;
pub mod forge;
pub mod forward_proxy;
pub mod frame;
pub mod http;
pub mod isolated;
pub mod issuer;
pub mod load;
pub mod mariadb;
pub mod memory;
pub mod meter;
pub mod motarei;
pub mod nginx;
pub mod original;
pub mod pattern;
pub mod port;
pub mod process;
pub mod programs;
pub mod sabo;
pub mod scratch;
pub mod sshd;
pub mod status;
pub mod supervised;
pub mod target;
pub mod terminal;
pub mod uri_echo;
pub mod web_server;
pub mod websocket;
