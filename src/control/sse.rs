//! The names of the events on the stream, which server and client share, and reading such a stream
//! piece by piece.

/// The whole state; the first event of a stream, and the one after `dropped`.
pub(super) const SNAPSHOT: &str = "snapshot";
/// A part of the state that is new.
pub(super) const PART: &str = "part";
/// A fact.
pub(super) const EVENT: &str = "event";
/// How many facts were dropped because the reader was slow.
pub(super) const DROPPED: &str = "dropped";

/// Bytes of one event: a snapshot of 10,000 games with 8 builds each is about a third of that.
const EVENT_BYTES_MAX: usize = 64 << 20;

/// An event off the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) name: String,
    pub(super) data: String,
}

/// An event longer than any of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Collects bytes into events. Comments and unknown fields are skipped, as the standard wants.
#[derive(Debug, Default)]
pub(super) struct Reader {
    line: Vec<u8>,
    name: String,
    data: String,
}

impl Reader {
    /// Takes the next bytes and gives the events they complete.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, TooLong> {
        let mut frames = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.len() + self.data.len() > EVENT_BYTES_MAX {
                return Err(TooLong);
            }
            if piece.ends_with(b"\n") {
                frames.extend(self.end_line());
            }
        }
        Ok(frames)
    }

    fn end_line(&mut self) -> Option<Frame> {
        let bytes = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            let frame = Frame { name: std::mem::take(&mut self.name), data: std::mem::take(&mut self.data) };
            return (!frame.data.is_empty()).then_some(frame);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` in pieces of every size; the events are the same each time.
    fn check(text: &str, expect: &[(&str, &str)]) {
        for size in 1..=text.len() {
            let mut reader = Reader::default();
            let frames: Vec<Frame> = text.as_bytes().chunks(size).flat_map(|p| reader.read(p).unwrap()).collect();
            let found: Vec<(&str, &str)> = frames.iter().map(|f| (&*f.name, &*f.data)).collect();
            assert_eq!(found, expect, "{text:?} in pieces of {size}");
        }
    }

    #[test]
    fn a_stream_is_read_as_the_standard_says() {
        check("event: part\ndata: {}\n\n", &[("part", "{}")]);
        check(": keep-alive\n\nid: 7\nevent:a\r\ndata:1\r\ndata: 2\r\n\r\n", &[("a", "1\n2")]);
        check("event: x\n\ndata: ü\n\ndata: unfinished\n", &[("", "ü")]);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut reader = Reader::default();
        let piece = vec![b'x'; 1 << 20];
        let refused = (0..100).find(|_| reader.read(&piece).is_err());
        assert_eq!(refused, Some(64));
    }
}
