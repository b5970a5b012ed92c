//! Durations as users write them, times as users and scripts read them.

use std::{fmt, str::FromStr, time::Duration};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

/// Longest lifetime of anything, seconds (10 years).
const MAX_LIFETIME_SECONDS: u64 = 3_650 * 86_400;

/// A duration on the command line: `30m`, `12h`, `7d`, `2w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime(u64);

impl Lifetime {
    /// Of so many days.
    pub const fn days(days: u64) -> Self {
        Self(days * 86_400)
    }

    /// As a duration.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }

    /// Unix seconds when it ends, if it begins now.
    pub fn ends_at(self) -> u64 {
        now() + self.0
    }
}

/// The text is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a number and a unit, such as 30m, 12h, 7d or 2w; at most 3650d")]
pub struct LifetimeError;

impl FromStr for Lifetime {
    type Err = LifetimeError;

    fn from_str(text: &str) -> Result<Self, LifetimeError> {
        let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            _ => return Err(LifetimeError),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(LifetimeError);
        }
        let number: u64 = digits.parse().map_err(|_| LifetimeError)?;
        let seconds = number.checked_mul(unit).ok_or(LifetimeError)?;
        if (1..=MAX_LIFETIME_SECONDS).contains(&seconds) { Ok(Self(seconds)) } else { Err(LifetimeError) }
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(7 * 86_400, "w"), (86_400, "d"), (3_600, "h"), (60, "m")];
        match units.iter().find(|(unit, _)| self.0.is_multiple_of(*unit)) {
            Some((unit, name)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}s", self.0),
        }
    }
}

/// An end in a list: after a duration, or with a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// So long from now.
    After(Lifetime),
    /// Unix seconds: the end of the last day.
    At(u64),
}

impl Expiry {
    /// Unix seconds when it ends, if it begins now.
    pub fn ends_at(self) -> u64 {
        match self {
            Self::After(lifetime) => lifetime.ends_at(),
            Self::At(seconds) => seconds,
        }
    }
}

/// The text is no end that lies ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExpiryError {
    /// Neither a duration nor a day.
    #[error("write a duration (12h, 30d, 2w; at most 3650d) or the last day (2026-12-31)")]
    Form,
    /// The day is over.
    #[error("that day is over")]
    Past,
    /// The day is too far away.
    #[error("that day is more than ten years away")]
    TooFar,
}

impl FromStr for Expiry {
    type Err = ExpiryError;

    fn from_str(text: &str) -> Result<Self, ExpiryError> {
        if let Ok(lifetime) = text.parse() {
            return Ok(Self::After(lifetime));
        }
        // jiff takes more forms than this one; a list has one.
        if text.len() != "2026-12-31".len() {
            return Err(ExpiryError::Form);
        }
        let day: Date = text.parse().map_err(|_| ExpiryError::Form)?;
        let end = day.checked_add(1.day()).and_then(|next| next.to_zoned(TimeZone::UTC));
        let end = end.map_err(|_| ExpiryError::TooFar)?.timestamp().as_second();
        match u64::try_from(end) {
            Ok(end) if end > now() + MAX_LIFETIME_SECONDS => Err(ExpiryError::TooFar),
            Ok(end) if end > now() => Ok(Self::At(end)),
            _ => Err(ExpiryError::Past),
        }
    }
}

/// Now, Unix seconds.
pub fn now() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or(0)
}

/// Unix seconds as RFC 3339 in UTC, for scripts. Values beyond the calendar show as the last second of it.
pub fn rfc3339(seconds: u64) -> String {
    timestamp(seconds).to_string()
}

fn timestamp(seconds: u64) -> Timestamp {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        let seconds = |text: &str| text.parse::<Lifetime>().map(|lifetime| lifetime.duration().as_secs());
        assert_eq!(seconds("30s"), Ok(30));
        assert_eq!(seconds("45m"), Ok(2_700));
        assert_eq!(seconds("12h"), Ok(43_200));
        assert_eq!(seconds("7d"), Ok(604_800));
        assert_eq!(seconds("2w"), Ok(1_209_600));
        assert_eq!(seconds("3650d"), Ok(MAX_LIFETIME_SECONDS));
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            "",
            "7",
            "d",
            "0d",
            "-1d",
            "+1d",
            "1.5h",
            "7D",
            "7 d",
            "3651d",
            "99999999999999999999d",
            "1dd",
            "٣d",
        ] {
            assert_eq!(wrong.parse::<Lifetime>(), Err(LifetimeError), "{wrong:?}");
        }
    }

    #[test]
    fn a_list_may_name_the_last_day() {
        let day = |seconds: u64| rfc3339(seconds)[..10].to_owned();
        let tomorrow = day(now() + 86_400);
        let Expiry::At(end) = tomorrow.parse().unwrap() else { panic!("a duration") };
        assert_eq!(rfc3339(end - 1), format!("{tomorrow}T23:59:59Z"));
        assert_eq!("30d".parse(), Ok(Expiry::After(Lifetime::days(30))));
        assert_eq!(day(now() - 2 * 86_400).parse::<Expiry>(), Err(ExpiryError::Past));
        assert_eq!("2999-01-01".parse::<Expiry>(), Err(ExpiryError::TooFar));
        for wrong in ["", "soon", "31.12.2026", "2026-13-01", "2026-02-30", "20261231", "2026-12-31T00:00"] {
            assert_eq!(wrong.parse::<Expiry>(), Err(ExpiryError::Form), "{wrong:?}");
        }
    }

    #[test]
    fn durations_read_as_they_were_written() {
        for text in ["90s", "45m", "12h", "3d", "2w"] {
            assert_eq!(text.parse::<Lifetime>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_767_225_599), "2025-12-31T23:59:59Z");
        assert!(rfc3339(u64::MAX).starts_with("9999-12-3"), "{}", rfc3339(u64::MAX));
    }
}
