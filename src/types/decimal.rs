//! Bytes and bytes a second as people read them, in decimal units, as disks and networks are sold. Every face and every
//! sentence of the runtime takes them from here, so that one number never reads in two ways. What is read again is
//! written by [`super::Size`] and [`super::Rate`].

const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
/// Megabytes among the units.
const MEGA: usize = 2;
/// From this unit on an amount has a digit behind the point, below a hundred.
const GIGA: usize = 3;

/// `11.4 GB`, `290 MB`, `812 B`.
#[must_use]
pub fn size(bytes: u64) -> String {
    let unit = unit_of(bytes, GIGA);
    format!("{} {}", in_unit(bytes, unit, GIGA), UNITS[unit])
}

/// `94.2 MB/s`; nothing for nothing.
#[must_use]
pub fn rate(bps: u64) -> String {
    if bps == 0 {
        return String::new();
    }
    let unit = unit_of(bps, MEGA);
    format!("{} {}/s", in_unit(bps, unit, MEGA), UNITS[unit])
}

/// `94.2`: a number of megabytes, for where the unit stands elsewhere.
#[must_use]
pub fn megabytes(bytes: u64) -> String {
    in_unit(bytes, MEGA, MEGA)
}

/// `4.9 of 11.4 GB`: both in the unit of the whole.
#[must_use]
pub fn done_of(done: u64, whole: u64) -> String {
    let unit = unit_of(whole, GIGA);
    format!("{} of {} {}", in_unit(done, unit, GIGA), in_unit(whole, unit, GIGA), UNITS[unit])
}

/// `3.1 + 3.3 GB`: both in the unit of the larger.
#[must_use]
pub fn sum(one: u64, other: u64) -> String {
    let unit = unit_of(one.max(other), GIGA);
    format!("{} + {} {}", in_unit(one, unit, GIGA), in_unit(other, unit, GIGA), UNITS[unit])
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
    if unit >= fine && tenths < if fine == GIGA { 1_000 } else { 10_000 } {
        format!("{}.{}", tenths / 10, tenths % 10)
    } else {
        ((u128::from(value) + scale / 2) / scale).to_string()
    }
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
