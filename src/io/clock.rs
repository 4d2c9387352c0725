//! The only place that reads a clock. Everything else is told what time it is.

#![expect(clippy::disallowed_methods, reason = "this file owns the clock")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::types::Version;

const DAY_SECONDS: u64 = 86_400;

/// The monotonic time, for everything that measures or waits.
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970, for people and logs only: it may jump in either direction.
#[must_use]
pub fn unix_ms() -> u64 {
    // A clock before 1970 is a machine without a battery: every date it shows is wrong anyway.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Today in UTC as a version, `2026.11.21`: what a folder without `version.ini` is given.
#[must_use]
pub fn today() -> Version {
    date_of(unix_ms() / 1000)
}

fn date_of(unix_seconds: u64) -> Version {
    let (year, month, day) = civil(unix_seconds / DAY_SECONDS);
    Version::new(&format!("{year}.{month:02}.{day:02}")).expect("digits and dots are a version")
}

/// Days since 1970-01-01 to a Gregorian date, by the well-known `civil_from_days`, which counts in
/// eras of 400 years that begin in March, so that the leap day comes last.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(unix_seconds: u64, expect: &str) {
        assert_eq!(date_of(unix_seconds).as_str(), expect);
    }

    #[test]
    fn dates_are_right_around_leap_days_and_new_year() {
        check(0, "1970.01.01");
        check(951_782_399, "2000.02.28");
        check(951_782_400, "2000.02.29");
        check(951_868_800, "2000.03.01");
        check(1_735_689_599, "2024.12.31");
        check(1_735_689_600, "2025.01.01");
        check(1_795_219_200, "2026.11.21");
        check(4_107_542_400, "2100.03.01");
    }
}
