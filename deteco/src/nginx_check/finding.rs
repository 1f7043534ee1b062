//! What can be wrong, why it matters, and what to write instead.

mod rule;

use std::fmt;

use super::read::Place;
pub use rule::Rule;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Somebody may get past deteco, or pass for somebody else.
    Error,
    /// It may be a hole, or it costs speed or answers.
    Warning,
    /// To be known.
    Notice,
}

/// Something wrong, somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where
    pub at: Place,
    /// What is wrong
    pub rule: Rule,
    /// What is wrong there, in words
    pub what: String,
}

impl Finding {
    pub(super) fn new(rule: Rule, at: &Place, what: impl Into<String>) -> Self {
        Self { at: at.clone(), rule, what: what.into() }
    }
}

/// Three lines: `file:line: error: …`, why, and the fix.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, rule, what } = self;
        writeln!(f, "{}:{}: {}: {what}", at.file, at.line, rule.severity())?;
        writeln!(f, "    why: {}", rule.why())?;
        writeln!(f, "    fix: {}", rule.fix())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
        })
    }
}
