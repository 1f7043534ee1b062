//! Why a session was ended abruptly.

use std::fmt;

use crate::close;

/// The code of a RESET. Codes that we do not know are taken like those that we do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetCode(pub u16);

impl ResetCode {
    /// The local connection was reset, or failed.
    pub const LOCAL: Self = Self(1);
    /// Nothing was carried for as long as that is allowed.
    pub const IDLE: Self = Self(2);
    /// It was as old as it may become.
    pub const LIFETIME: Self = Self(3);
    /// An operator ended it.
    pub const OPERATOR: Self = Self(4);
    /// The process is stopping.
    pub const STOPPING: Self = Self(5);
    /// The peer broke the protocol.
    pub const PROTOCOL: Self = Self(6);
    /// There is no memory left to keep it.
    pub const BUDGET: Self = Self(7);
    /// The client did not come back in time.
    pub const GRACE: Self = Self(8);

    /// What it means, in words; "unknown reset code" for one that we do not know.
    pub fn name(self) -> &'static str {
        match self {
            Self::LOCAL => "local reset",
            Self::IDLE => "idle",
            Self::LIFETIME => "maximum lifetime",
            Self::OPERATOR => "ended by an operator",
            Self::STOPPING => "stopping",
            Self::PROTOCOL => "protocol error",
            Self::BUDGET => "out of memory budget",
            Self::GRACE => "grace over",
            _ => "unknown reset code",
        }
    }

    /// The code of the Close frame that follows the RESET.
    pub(super) fn close_code(self) -> u16 {
        match self {
            Self::LOCAL => close::LOCAL_RESET,
            Self::OPERATOR => close::NOT_ALLOWED,
            Self::PROTOCOL => close::PROTOCOL,
            _ => close::GOING_AWAY,
        }
    }
}

impl fmt::Display for ResetCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if matches!(self.0, 1..=8) { Ok(()) } else { write!(f, " {}", self.0) }
    }
}
