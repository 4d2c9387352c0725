//! Numbers as people read them; bytes and bytes a second in decimal units, as disks and networks are sold. Every face and
//! every sentence of the runtime takes them from here, so that one number never reads in two ways. `humansize` writes
//! amounts of bytes; which unit, and when there is a digit behind the point, is decided here. What is read again is written
//! by [`super::Size`] and [`super::Rate`].

use humansize::{DECIMAL, FixedAt, FormatSizeOptions, format_size_i};

/// Each a thousand of the one before.
const UNITS: [FixedAt; 6] = [FixedAt::Base, FixedAt::Kilo, FixedAt::Mega, FixedAt::Giga, FixedAt::Tera, FixedAt::Peta];
const MEGA: usize = FixedAt::Mega as usize;

/// Where there is a digit behind the point.
#[derive(Clone, Copy)]
struct Fine {
    /// From this unit on.
    from: usize,
    /// Below so many of it.
    below: u128,
}

/// Hundreds with a digit behind the point say more than anybody reads.
const SIZE: Fine = Fine { from: FixedAt::Giga as usize, below: 100 };
const RATE: Fine = Fine { from: MEGA, below: 1_000 };

/// `11.4 GB`, `290 MB`, `812 B`.
#[must_use]
pub fn size(bytes: u64) -> String {
    written(bytes, unit_of(bytes, SIZE), SIZE)
}

/// `94.2 MB/s`; nothing for nothing.
#[must_use]
pub fn rate(bps: u64) -> String {
    if bps == 0 { String::new() } else { format!("{}/s", written(bps, unit_of(bps, RATE), RATE)) }
}

/// `94.2`: a number of megabytes, for where the unit stands elsewhere.
#[must_use]
pub fn megabytes(bytes: u64) -> String {
    number(&written(bytes, MEGA, RATE)).to_owned()
}

/// `4.9 of 11.4 GB`: both in the unit of the whole.
#[must_use]
pub fn done_of(done: u64, whole: u64) -> String {
    let unit = unit_of(whole, SIZE);
    format!("{} of {}", number(&written(done, unit, SIZE)), written(whole, unit, SIZE))
}

/// `3.1 + 3.3 GB`: both in the unit of the larger.
#[must_use]
pub fn sum(one: u64, other: u64) -> String {
    let unit = unit_of(one.max(other), SIZE);
    format!("{} + {}", number(&written(one, unit, SIZE)), written(other, unit, SIZE))
}

/// `10,872`.
#[must_use]
pub fn thousands(number: u64) -> String {
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

/// `1 peer`, `6,871 files`.
#[must_use]
pub fn count(number: u64, one: &str) -> String {
    format!("{} {one}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// The unit in which a number has at most three digits before the point, after rounding.
fn unit_of(value: u64, fine: Fine) -> usize {
    let fits = |unit: &usize| written(value, *unit, fine).split([' ', '.']).next().is_some_and(|whole| whole.len() < 4);
    (0..UNITS.len()).find(fits).unwrap_or(UNITS.len() - 1)
}

/// In this unit, halves rounded up: what writes it would round them to the even digit.
fn written(value: u64, unit: usize, fine: Fine) -> String {
    let whole = 1_000_u128.pow(unit as u32);
    let rounded = |step: u128| (u128::from(value) + step / 2) / step * step;
    let is_fine = unit >= fine.from && rounded(whole / 10) < fine.below * whole;
    let (digits, value) = if is_fine { (1, rounded(whole / 10)) } else { (0, rounded(whole)) };
    let options =
        FormatSizeOptions::from(DECIMAL).fixed_at(Some(UNITS[unit])).decimal_places(digits).decimal_zeroes(digits);
    format_size_i(value as f64, options)
}

fn number(written: &str) -> &str {
    written.split_once(' ').map_or(written, |(number, _unit)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let check = |bytes: u64, expect: &str| assert_eq!(size(bytes), expect, "{bytes}");
        check(0, "0 B");
        check(812, "812 B");
        check(999_499, "999 kB");
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
        check(840_000, "840 kB/s");
        check(94_230_000, "94.2 MB/s");
        check(112_600_000, "112.6 MB/s");
        check(1_250_000_000, "1.3 GB/s");
        assert_eq!(megabytes(94_230_000), "94.2");
    }

    #[test]
    fn parts() {
        assert_eq!(done_of(4_900_000_000, 11_400_000_000), "4.9 of 11.4 GB");
        assert_eq!(done_of(361_000_000, 410_000_000), "361 of 410 MB");
        assert_eq!(done_of(0, 3_100_000_000), "0.0 of 3.1 GB");
        assert_eq!(sum(3_100_000_000, 3_300_000_000), "3.1 + 3.3 GB");
        assert_eq!(sum(900_000, 1_600_000), "1 + 2 MB");
    }
}
