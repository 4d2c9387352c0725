//! Makes inputs out of inputs, and keeps those that get a new answer.

use std::{
    collections::BTreeSet,
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Of a target, unless `FUZZ_SECONDS` says otherwise.
const SECONDS_DEFAULT: u64 = 2;
/// Longer inputs are slow and say nothing new.
const INPUT_BYTES_MAX: usize = 4_096;
/// Inputs bred from at once.
const POOL_MAX: usize = 2_000;
/// Kept in the corpus of a target: small enough to be read by people.
const KEPT_MAX: usize = 64;
/// Changes made to an input at once.
const CHANGES_MAX: u64 = 6;

/// Tries `target` on its corpus, then on what is bred from it. The answer is what it says of an input:
/// digits and quoted words aside, a new one makes an input worth breeding from.
pub(crate) fn fuzz(name: &str, words: &[&str], target: impl Fn(&[u8]) -> String) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let number = |variable: &str| env::var(variable).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("FUZZ_SEED").unwrap_or(1);
    let (mut pool, mut answers) = (corpus(&folder), BTreeSet::new());
    assert!(!pool.is_empty(), "{} has no inputs to begin with", folder.display());
    for input in &pool {
        answers.insert(kind_of(&attempt(&folder, input, &target)));
    }
    let (kept, mut tried) = (pool.len(), pool.len() as u64);
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let until = Instant::now() + Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(SECONDS_DEFAULT));
    while Instant::now() < until {
        let input = random.breed(&pool, words);
        let answer = kind_of(&attempt(&folder, &input, &target));
        tried += 1;
        if pool.len() < POOL_MAX && answers.insert(answer) {
            if env::var_os("FUZZ_KEEP").is_some() && pool.len() < KEPT_MAX {
                save(&folder, "bred", &input);
            }
            pool.push(input);
        }
    }
    said(&format!("{name}: {tried} inputs, {kept} of them kept, {} answers, seed {seed}", answers.len()));
    assert!(tried > kept as u64, "{name}: there was no time for a new input");
}

#[expect(clippy::print_stderr, reason = "how much was tried is the result")]
fn said(text: &str) {
    eprintln!("{text}");
}

fn corpus(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a readable input")).collect()
}

fn attempt(folder: &Path, input: &[u8], target: &impl Fn(&[u8]) -> String) -> String {
    catch_unwind(AssertUnwindSafe(|| target(input))).unwrap_or_else(|_| {
        let path = save(folder, "failed", input);
        panic!("{} makes it fail: {:?}", path.display(), String::from_utf8_lossy(input))
    })
}

fn save(folder: &Path, kind: &str, input: &[u8]) -> PathBuf {
    let path = folder.join(format!("{kind}-{}", &blake3::hash(input).to_hex()[..12]));
    fs::write(&path, input).expect("the corpus can be written");
    path
}

/// An answer without what changes from input to input: the words before anything is quoted.
pub(crate) fn kind_of(answer: &str) -> String {
    let plain = answer.split(['`', '"']).next().unwrap_or_default();
    plain.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.len() > 1).collect::<Vec<_>>().join(" ")
}

/// xorshift64*: the same course for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.next() >> 16) as usize % end }
    }

    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len + 1);
        let most = (len - start).min(64);
        start..start + self.below(most + 1)
    }

    fn breed(&mut self, pool: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
        let mut input = pool[self.below(pool.len())].clone();
        for _ in 0..1 + self.next() % CHANGES_MAX {
            self.change(&mut input, pool, words);
        }
        input.truncate(INPUT_BYTES_MAX);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, pool: &[Vec<u8>], words: &[&str]) {
        let range = self.range(input.len());
        let at = range.start;
        match self.below(8) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'/', b'.'][self.below(8)],
            2 => drop(input.drain(range)),
            3 => {
                let again = input[range].to_vec();
                input.splice(at..at, again);
            }
            4 => {
                let other = &pool[self.below(pool.len())];
                let part = other[self.range(other.len())].to_vec();
                input.splice(range, part);
            }
            5 => input.truncate(at),
            6 => {
                let byte = self.next() as u8;
                input.insert(at, byte);
            }
            _ => {
                let word = words.get(self.below(words.len())).copied().unwrap_or_default();
                input.splice(at..at, word.bytes());
            }
        }
    }
}
