//! `--weight` and `--name`.

use std::str::FromStr;

use crate::bucket::{HEAVIEST, LIGHTEST};
use crate::group::layout::NAME_LENGTH;

/// A share against the shares of others, from 0.1 to 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight(u32);

/// The text is no [`Weight`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a number from 0.1 to 10")]
pub struct InvalidWeight;

impl Weight {
    /// In thousandths.
    pub fn milli(self) -> u32 {
        self.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self(1000)
    }
}

impl FromStr for Weight {
    type Err = InvalidWeight;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let milli = text.parse::<f64>().map_err(|_| InvalidWeight)? * 1000.0;
        let range = f64::from(LIGHTEST)..=f64::from(HEAVIEST);
        if !range.contains(&milli) {
            return Err(InvalidWeight);
        }
        // In the range, so not negative and not too large.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Ok(Self(milli.round() as u32))
    }
}

/// What a process is called in `sabo top`: at most 48 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label(String);

/// The text is no [`Label`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at most 48 bytes, and no zero")]
pub struct InvalidLabel;

impl Label {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = InvalidLabel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > NAME_LENGTH || text.contains('\0') {
            return Err(InvalidLabel);
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_weights_and_names() {
        let table = [
            ("1", Ok(1000)),
            ("0.1", Ok(100)),
            ("10", Ok(10_000)),
            ("2.5", Ok(2500)),
            ("0.09", Err(InvalidWeight)),
            ("10.1", Err(InvalidWeight)),
            ("-1", Err(InvalidWeight)),
            ("NaN", Err(InvalidWeight)),
            ("inf", Err(InvalidWeight)),
            ("", Err(InvalidWeight)),
        ];
        for (text, milli) in table {
            assert_eq!(text.parse::<Weight>().map(Weight::milli), milli, "{text}");
        }
        assert_eq!("é".repeat(24).parse::<Label>().unwrap().as_str().len(), 48);
        assert_eq!("x".repeat(49).parse::<Label>(), Err(InvalidLabel));
    }
}
