//! The clock of the screen: the only place of the face that reads it. Everything else is told the
//! time, so that a picture is a function of the model.
#![expect(
    clippy::disallowed_methods,
    reason = "this file owns the clock of the screen, as io/clock.rs owns the runtime's"
)]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use jiff::{Timestamp, tz::TimeZone};

use super::model::Moment;

/// For frames.
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// For people: now, where the user is.
pub(crate) fn moment(zone: &TimeZone) -> Moment {
    // A clock before 1970 shows 00:00, which is not worth an error.
    let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let offset_s = Timestamp::from_millisecond(unix_ms as i64).map_or(0, |at| zone.to_offset(at).seconds());
    Moment { unix_ms, offset_s }
}
