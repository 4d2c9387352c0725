//! Numbers, times and states as people read them. Pure.

use potluck_widgets::GlyphLevel;

use super::model::Moment;
pub(crate) use crate::types::decimal::{count, done_of, rate, size, sum, thousands};
use crate::{
    api::{GameView, StateWord},
    types::decimal::megabytes,
};

/// `50 MB/s`: a round rate, as the top of a scale.
pub(crate) fn top(bps: u64) -> String {
    format!("{}/s", size(bps))
}

/// `94.2`, in MB/s; nothing for nothing.
pub(crate) fn rate_mb(bps: u64) -> String {
    match bps {
        0 => String::new(),
        1..50_000 => "0.1".to_owned(),
        _ => megabytes(bps),
    }
}

/// `60`, `1.5`, in MB/s.
pub(crate) fn limit(bps: u64) -> String {
    let text = megabytes(bps);
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
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
    fn numbers() {
        assert_eq!((rate_mb(94_230_000).as_str(), rate_mb(3).as_str(), rate_mb(0).as_str()), ("94.2", "0.1", ""));
        assert_eq!((limit(60_000_000).as_str(), limit(1_500_000).as_str()), ("60", "1.5"));
        assert_eq!((thousands(10_872).as_str(), thousands(100).as_str()), ("10,872", "100"));
        assert_eq!((count(1, "peer").as_str(), count(0, "peer").as_str()), ("1 peer", "0 peers"));
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
