//! Numbers, times and states as people read them. Pure; decimal units, as disks and networks are sold.

use potluck_widgets::GlyphLevel;

use super::model::Moment;
use crate::api::{GameView, StateWord};

const UNITS: [&str; 6] = ["B", "KB", "MB", "GB", "TB", "PB"];

/// `11.4 GB`, `290 MB`, `812 B`.
pub(crate) fn size(bytes: u64) -> String {
    let unit = unit_of(bytes, 3);
    format!("{} {}", in_unit(bytes, unit, 3), UNITS[unit])
}

/// `94.2 MB/s`; nothing for nothing.
pub(crate) fn rate(bps: u64) -> String {
    if bps == 0 {
        return String::new();
    }
    let unit = unit_of(bps, 2);
    format!("{} {}/s", in_unit(bps, unit, 2), UNITS[unit])
}

/// `94.2`, in MB/s; nothing for nothing.
pub(crate) fn rate_mb(bps: u64) -> String {
    match bps {
        0 => String::new(),
        1..50_000 => "0.1".to_owned(),
        _ => in_unit(bps, 2, 2),
    }
}

/// `60`, `1.5`, in MB/s.
pub(crate) fn limit(bps: u64) -> String {
    let text = in_unit(bps, 2, 2);
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// `4.9 of 11.4 GB`: both in the unit of the whole.
pub(crate) fn done_of(done: u64, whole: u64) -> String {
    let unit = unit_of(whole, 3);
    format!("{} of {} {}", in_unit(done, unit, 3), in_unit(whole, unit, 3), UNITS[unit])
}

/// `3.1 + 3.3 GB`: both in the unit of the larger.
pub(crate) fn sum(one: u64, other: u64) -> String {
    let unit = unit_of(one.max(other), 3);
    format!("{} + {} {}", in_unit(one, unit, 3), in_unit(other, unit, 3), UNITS[unit])
}

/// The unit in which a number has at most three digits before the point, after rounding. Units from
/// `fine` on have one digit behind it.
fn unit_of(value: u64, fine: usize) -> usize {
    (0..UNITS.len() - 1)
        .find(|unit| in_unit(value, *unit, fine).split('.').next().is_some_and(|whole| whole.len() < 4))
        .unwrap_or(UNITS.len() - 1)
}

fn in_unit(value: u64, unit: usize, fine: usize) -> String {
    let scale = 1_000_u128.pow(unit as u32);
    let tenths = (u128::from(value) * 10 + scale / 2) / scale;
    // Hundreds with a digit behind the point say more than anybody reads.
    if unit >= fine && tenths < if fine == 3 { 1_000 } else { 10_000 } {
        format!("{}.{}", tenths / 10, tenths % 10)
    } else {
        ((u128::from(value) + scale / 2) / scale).to_string()
    }
}

/// `10,872`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 peer`, `118 peers`.
pub(crate) fn count(number: u64, one: &str) -> String {
    format!("{} {one}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// `20:14`.
pub(crate) fn time(at: Moment) -> String {
    let minutes = day_second(at) / 60;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// `20:14:05`.
pub(crate) fn time_s(at: Moment) -> String {
    format!("{}:{:02}", time(at), day_second(at) % 60)
}

fn day_second(at: Moment) -> i64 {
    ((at.unix_ms / 1_000) as i64 + i64::from(at.offset_s)).rem_euclid(86_400)
}

/// `1:09`, `1:02:33`; days where it is hopeless.
pub(crate) fn left(seconds: u64) -> String {
    let (minutes, rest) = (seconds / 60, seconds % 60);
    match minutes {
        0..60 => format!("{minutes}:{rest:02}"),
        60..1440 => format!("{}:{:02}:{rest:02}", minutes / 60, minutes % 60),
        _ => format!("{} d", minutes / 1440),
    }
}

/// `40 s`, `2 min`, `1 h 12 min`, `3 d`.
pub(crate) fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => match seconds % 3_600 / 60 {
            0 => format!("{} h", seconds / 3_600),
            minutes => format!("{} h {minutes} min", seconds / 3_600),
        },
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `playing 0:42`, where somebody plays it.
pub(crate) fn playing(game: &GameView, now: Moment) -> Option<String> {
    let since_ms = game.playing_since_ms?;
    Some(format!("playing {}", left(now.unix_ms.saturating_sub(since_ms) / 1_000)))
}

/// `0.2 ms`, `14 ms`; nothing where it is not known.
pub(crate) fn ping(us: u64) -> String {
    match us {
        0 => String::new(),
        1..10_000 => format!("{}.{} ms", (us + 50) / 1_000, (us + 50) / 100 % 10),
        _ => format!("{} ms", (us + 500) / 1_000),
    }
}

/// The first characters of an id, as people compare them.
pub(crate) fn short_id(id: &str) -> &str {
    id.char_indices().nth(8).map_or(id, |(end, _)| &id[..end])
}

/// The glyph of a state.
pub(crate) fn glyph(state: StateWord, level: GlyphLevel) -> &'static str {
    let (glyph, plain) = match state {
        StateWord::Available => ("○", "o"),
        StateWord::Getting => ("↓", "v"),
        StateWord::Waiting => ("…", "-"),
        StateWord::Paused => ("‖", "="),
        StateWord::Checking => ("≈", "~"),
        StateWord::Downloaded => ("●", "*"),
        StateWord::Installing => ("»", ">"),
        StateWord::Ready => ("✓", "+"),
        StateWord::Failed => ("✗", "x"),
        StateWord::Offline => ("○", "o"),
    };
    if level == GlyphLevel::Ascii { plain } else { glyph }
}

/// `text`, or in ASCII `plain`.
pub(crate) fn either(level: GlyphLevel, text: &'static str, plain: &'static str) -> &'static str {
    if level == GlyphLevel::Ascii { plain } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let check = |bytes: u64, expect: &str| assert_eq!(size(bytes), expect, "{bytes}");
        check(0, "0 B");
        check(812, "812 B");
        check(999_499, "999 KB");
        check(999_500, "1 MB");
        check(9_400_000, "9 MB");
        check(999_600_000, "1.0 GB");
        check(11_400_000_000, "11.4 GB");
        check(186_400_000_000, "186 GB");
        check(99_960_000_000, "100 GB");
        check(u64::MAX, "18447 PB");
    }

    #[test]
    fn rates() {
        let check = |bps: u64, expect: &str| assert_eq!(rate(bps), expect, "{bps}");
        check(0, "");
        check(840_000, "840 KB/s");
        check(94_230_000, "94.2 MB/s");
        check(112_600_000, "112.6 MB/s");
        check(1_250_000_000, "1.3 GB/s");
        assert_eq!(rate_mb(94_230_000), "94.2");
        assert_eq!(rate_mb(3), "0.1");
        assert_eq!(rate_mb(0), "");
    }

    #[test]
    fn parts() {
        assert_eq!(done_of(4_900_000_000, 11_400_000_000), "4.9 of 11.4 GB");
        assert_eq!(done_of(361_000_000, 410_000_000), "361 of 410 MB");
        assert_eq!(done_of(0, 3_100_000_000), "0.0 of 3.1 GB");
        assert_eq!(sum(3_100_000_000, 3_300_000_000), "3.1 + 3.3 GB");
        assert_eq!(sum(900_000, 1_600_000), "1 + 2 MB");
        assert_eq!(thousands(10_872), "10,872");
        assert_eq!(thousands(100), "100");
        assert_eq!(count(1, "peer"), "1 peer");
        assert_eq!(count(0, "peer"), "0 peers");
    }

    #[test]
    fn times() {
        let at = Moment { unix_ms: 19 * 3_600_000 + 14 * 60_000 + 5_999, offset_s: 3_600 };
        assert_eq!((time(at), time_s(at)), ("20:14".to_owned(), "20:14:05".to_owned()));
        assert_eq!(time(Moment { unix_ms: 0, offset_s: -3_600 }), "23:00");
        assert_eq!((left(69), left(3_753), left(999_999)), ("1:09".into(), "1:02:33".into(), "11 d".into()));
        assert_eq!(
            (span(72 * 60_000), span(7_200_000), span(40_000)),
            ("1 h 12 min".into(), "2 h".into(), "40 s".into())
        );
        assert_eq!((ping(240), ping(14_200), ping(0)), ("0.2 ms".into(), "14 ms".into(), String::new()));
    }
}
