//! How a session ended, for the log.

use std::io::ErrorKind;

use relay::{Ended, Leg, Side, Why};

use super::Carrier;
use crate::dialect2::reset::ResetCode;
use crate::dialect2::session::Over;
use crate::frame::Role;

impl<L: Leg> Carrier<L> {
    /// How it went; closes the local socket if that has not been done. A session that is not over counts as
    /// stopped here: [reset](crate::dialect2::Session::reset) it first, or the log does not know why.
    pub fn ended(self) -> Ended {
        let role = self.session.role;
        let (read, written) = (self.local.read.own(), self.local.written.own());
        let (up, down) = match role {
            Role::Client => (read, written),
            Role::Server => (written, read),
        };
        let (by, why) = match self.session.over() {
            Some(Over::Finished) => (self.local.first_end.unwrap_or(Side::Here), Why::Eof),
            Some(Over::Reset(ResetCode::LOCAL, _)) => {
                (role.local(), self.local.failed().unwrap_or(Why::Failed(ErrorKind::ConnectionReset)))
            }
            Some(over) => verdict(&over, role),
            None => (Side::Here, Why::Stopped),
        };
        Ended { up, down, by, why, lasted: self.begun.elapsed() }
    }
}

/// Who ended it and why, of all ends that are not those of the local socket.
fn verdict(over: &Over, role: Role) -> (Side, Why) {
    let peer = role.peer();
    match over {
        Over::Finished => (peer, Why::Eof),
        Over::Reset(code, _) => (Side::Here, of_code(*code)),
        Over::ResetByPeer(code, _) => (peer, of_code(*code)),
        Over::Closed(code) => (peer, Why::Code(*code)),
        Over::Violated(what) => (peer, Why::Protocol(what)),
        Over::Cut => (peer, Why::Truncated),
        Over::Refused => (peer, Why::Ended("resume refused")),
    }
}

fn of_code(code: ResetCode) -> Why {
    match code {
        ResetCode::LOCAL => Why::Failed(ErrorKind::ConnectionReset),
        ResetCode::IDLE => Why::Idle,
        ResetCode::LIFETIME => Why::Lifetime,
        ResetCode::STOPPING => Why::Stopped,
        code => Why::Ended(code.name()),
    }
}
