//! Two machines and what lies between them: pipes that are cut, sockets that block, upgrades that are lost.

mod cases;
mod document;
mod peer;
mod rig;
mod schedules;
