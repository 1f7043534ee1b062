//! Rates by the time of day: `08:00,20M 23:00,100M`.

use std::str::FromStr;

use crate::Bandwidth;

/// What the limit is from which minute of the day on, in local wall-clock time; the last entry of a day
/// holds over midnight until the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(Vec<(Minute, Bandwidth)>);

/// Minutes since midnight, below 1440.
pub(crate) type Minute = u16;

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{entry:?}: {why}, write '08:00,20M 23:00,100M'")]
pub struct InvalidSchedule {
    entry: String,
    why: String,
}

impl Schedule {
    pub(crate) fn at(&self, minute: Minute) -> Bandwidth {
        let begun = self.0.iter().rev().find(|(from, _)| *from <= minute);
        begun.unwrap_or(&self.0[self.0.len() - 1]).1
    }

    pub(crate) fn largest(&self) -> Bandwidth {
        self.0.iter().fold(self.0[0].1, |largest, (_, rate)| largest.max(*rate))
    }
}

impl FromStr for Schedule {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut entries = text.split_whitespace().map(entry).collect::<Result<Vec<_>, _>>()?;
        entries.sort();
        if entries.is_empty() {
            return Err(InvalidSchedule { entry: text.to_owned(), why: "no entry".to_owned() });
        }
        match entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            None => Ok(Self(entries)),
            Some(pair) => {
                let time = format!("{:02}:{:02}", pair[0].0 / 60, pair[0].0 % 60);
                Err(InvalidSchedule { entry: time, why: "two rates for one time".to_owned() })
            }
        }
    }
}

fn entry(entry: &str) -> Result<(Minute, Bandwidth), InvalidSchedule> {
    let wrong = |why: &str| InvalidSchedule { entry: entry.to_owned(), why: why.to_owned() };
    let (time, rate) = entry.split_once(',').ok_or(wrong("no comma"))?;
    let minute = minute(time).ok_or(wrong("no time of day"))?;
    Ok((minute, rate.parse().map_err(|error: crate::bandwidth::InvalidAmount| wrong(&error.to_string()))?))
}

fn minute(time: &str) -> Option<Minute> {
    let (hour, minute) = time.split_once(':')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && (1..=2).contains(&text.len());
    let (hour, minute): (Minute, Minute) = match digits(hour) && digits(minute) {
        true => (hour.parse().ok()?, minute.parse().ok()?),
        false => return None,
    };
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entry_holds_over_midnight() {
        let schedule: Schedule = "23:00,100M 08:00,20M 12:30,30M".parse().unwrap();
        let table = [
            ((0, 0), "100M"),
            ((7, 59), "100M"),
            ((8, 0), "20M"),
            ((12, 29), "20M"),
            ((12, 30), "30M"),
            ((22, 59), "30M"),
            ((23, 0), "100M"),
            ((23, 59), "100M"),
        ];
        for ((hour, minute), rate) in table {
            assert_eq!(schedule.at(hour * 60 + minute).to_string(), rate, "{hour}:{minute}");
        }
        assert_eq!(schedule.largest().to_string(), "100M");
        assert_eq!("9:5,1k".parse::<Schedule>().unwrap().at(0).to_string(), "1k");
    }

    #[test]
    fn refuses_with_the_entry() {
        let table = [
            ("", "no entry"),
            ("08:00", "no comma"),
            ("24:00,1M", "no time of day"),
            ("08:60,1M", "no time of day"),
            ("+8:00,1M", "no time of day"),
            ("8,1M", "no time of day"),
            ("08:00,0", "at least 1"),
            ("08:00,1M 8:00,2M", "two rates for one time"),
        ];
        for (text, why) in table {
            let error = text.parse::<Schedule>().unwrap_err().to_string();
            assert!(error.contains(why), "{text:?}: {error}");
        }
    }
}
