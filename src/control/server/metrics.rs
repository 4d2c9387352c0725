//! `GET /metrics`: the snapshot and the figures in the text format of Prometheus. Labels have words of
//! ours only, never what a peer said, so that the number of series does not grow with the room.

use std::fmt::Write as _;

use crate::api::{Figures, Phase, Snapshot, StateWord};

/// What the answer says it is.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The whole text.
pub(super) fn text(snapshot: &Snapshot, figures: &Figures) -> String {
    let mut page = Page::default();
    let me = &snapshot.me;
    page.gauge("potluck_info", "The version of the program.").of(&[("version", &me.version)], 1);
    let mut phases = page.gauge("potluck_phase", "1 for the phase the runtime is in.");
    for phase in Phase::ALL {
        phases.of(&[("phase", phase.word())], u64::from(phase == me.phase));
    }
    page.gauge("potluck_start_time_seconds", "Start of the runtime, in Unix seconds.").is(me.since_ms / 1_000);

    let online = snapshot.peers.iter().filter(|peer| peer.online).count();
    page.gauge("potluck_peers", "Peers by whether a session stands.")
        .of(&[("state", "online")], online as u64)
        .of(&[("state", "offline")], (snapshot.peers.len() - online) as u64);
    page.gauge("potluck_links", "Links that stand.").is(snapshot.links.len() as u64);
    page.gauge("potluck_games", "Games that are here or in the room.").is(snapshot.games.len() as u64);
    let mut transfers = page.gauge("potluck_transfers", "Transfers by state.");
    for state in StateWord::ALL {
        let count = snapshot.transfers.iter().filter(|transfer| transfer.state == state).count();
        transfers.of(&[("state", &state.word().to_lowercase())], count as u64);
    }
    if let Some(free) = snapshot.totals.free {
        page.gauge("potluck_library_free_bytes", "Bytes free where games go.").is(free);
    }

    page.counter("potluck_payload_bytes_total", "Bytes of chunks by direction.")
        .of(&[("direction", "in")], figures.bytes_in)
        .of(&[("direction", "out")], figures.bytes_out);
    page.counter("potluck_chunks_total", "Chunks by direction; those that came have their hash.")
        .of(&[("direction", "in")], figures.chunks_in)
        .of(&[("direction", "out")], figures.chunks_out);
    page.counter("potluck_hash_failures_total", "Chunks without their hash, by whether a peer or this disk had them.")
        .of(&[("from", "peer")], figures.bad_chunks_in)
        .of(&[("from", "disk")], figures.bad_chunks_here);
    page.counter("potluck_installs_total", "Games made playable, and tries that failed.")
        .of(&[("result", "done")], figures.installs_done)
        .of(&[("result", "failed")], figures.installs_failed);
    page.counter("potluck_service_restarts_total", "Services that were started again after a failure.")
        .is(figures.restarts);
    page.counter("potluck_events_dropped_total", "Events that slow faces did not get.").is(figures.events_dropped);
    page.counter("potluck_log_lines_dropped_total", "Lines the log could not take in time.").is(figures.log_dropped);

    page.gauge("potluck_tasks", "Tasks that run.").is(figures.tasks);
    let mut depths = page.gauge("potluck_queue_depth", "What waits, by who reads it.");
    for queue in &figures.queues {
        depths.of(&[("queue", &queue.name)], queue.depth);
    }
    let mut maxima = page.gauge("potluck_queue_max", "What may wait, by who reads it.");
    for queue in &figures.queues {
        maxima.of(&[("queue", &queue.name)], queue.max);
    }
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

/// The samples of one name, which follow what is said of it.
struct Family<'p> {
    page: &'p mut Page,
    name: &'static str,
}

impl Page {
    fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        self.push(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        Family { page: self, name }
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("writing into a string cannot fail");
    }
}

impl Family<'_> {
    /// The only sample.
    fn is(&mut self, value: u64) {
        self.page.push(format_args!("{} {value}\n", self.name));
    }

    /// One of several, told apart by its labels.
    fn of(&mut self, labels: &[(&str, &str)], value: u64) -> &mut Self {
        let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        self.page.push(format_args!("{}{{{}}} {value}\n", self.name, labels.join(",")));
        self
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        sync::Arc,
    };

    use super::*;
    use crate::api::{LinkView, MeView, PeerView, Queue, TransferView};

    /// A sample: its name and labels, and its value.
    type Samples = BTreeMap<String, f64>;

    /// Reads the format as its description says, and refuses everything else.
    fn parse(text: &str) -> Result<Samples, String> {
        let mut samples = Samples::new();
        let (mut helps, mut kinds) = (BTreeSet::new(), BTreeMap::new());
        let mut last = String::new();
        assert!(text.ends_with('\n'), "the last line ends too");
        for line in text.lines() {
            let bad = |what: &str| format!("{what}: {line}");
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').ok_or_else(|| bad("no help"))?;
                if help.is_empty() || !helps.insert(name.to_owned()) {
                    return Err(bad("help that is empty or said twice"));
                }
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').ok_or_else(|| bad("no type"))?;
                if !helps.contains(name) || !matches!(kind, "counter" | "gauge") {
                    return Err(bad("a type without help, or none"));
                }
                if (kind == "counter") != name.ends_with("_total") {
                    return Err(bad("counters, and only they, end in _total"));
                }
                if kinds.insert(name.to_owned(), kind.to_owned()).is_some() {
                    return Err(bad("a type twice"));
                }
                name.clone_into(&mut last);
            } else {
                let (series, value) = line.rsplit_once(' ').ok_or_else(|| bad("no value"))?;
                let (name, labels) = series.split_once('{').map_or((series, ""), |(name, rest)| (name, rest));
                let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
                if name != last || !name.chars().all(legal) || name.starts_with(|c: char| c.is_ascii_digit()) {
                    return Err(bad("a sample outside its family, or with a name that is none"));
                }
                let labels = labels.strip_suffix('}').map_or(Ok(labels), |inner| match inner.is_empty() {
                    true => Err(bad("empty braces")),
                    false => Ok(inner),
                })?;
                for pair in labels.split(',').filter(|pair| !pair.is_empty()) {
                    let (label, value) = pair.split_once('=').ok_or_else(|| bad("a label without a value"))?;
                    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
                    let inner = inner.ok_or_else(|| bad("a value without quotes"))?;
                    if label.is_empty() || !label.chars().all(legal) || inner.contains(['"', '\\', '\n']) {
                        return Err(bad("a label or a value that is none"));
                    }
                }
                let value: f64 = value.parse().map_err(|_| bad("a value that is no number"))?;
                if samples.insert(series.to_owned(), value).is_some() {
                    return Err(bad("the same series twice"));
                }
            }
        }
        Ok(samples)
    }

    fn figures() -> Figures {
        let queues = vec![Queue { name: "links".into(), depth: 3, max: 512 }];
        Figures { bytes_in: 5, bad_chunks_in: 1, events_dropped: 9, log_dropped: 2, queues, ..Figures::default() }
    }

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let snapshot = Snapshot {
            me: Arc::new(MeView { phase: Phase::Serving, since_ms: 9_999, ..MeView::default() }),
            peers: Arc::new(vec![PeerView { online: true, ..PeerView::default() }, PeerView::default()]),
            links: Arc::new(vec![LinkView::default()]),
            transfers: Arc::new(vec![TransferView { state: StateWord::Getting, ..TransferView::default() }]),
            ..Snapshot::default()
        };
        let samples = parse(&text(&snapshot, &figures())).unwrap();
        for (series, value) in [
            (r#"potluck_phase{phase="serving"}"#, 1.0),
            (r#"potluck_phase{phase="error"}"#, 0.0),
            (r#"potluck_peers{state="online"}"#, 1.0),
            (r#"potluck_peers{state="offline"}"#, 1.0),
            ("potluck_links", 1.0),
            (r#"potluck_transfers{state="getting"}"#, 1.0),
            (r#"potluck_transfers{state="failed"}"#, 0.0),
            (r#"potluck_payload_bytes_total{direction="in"}"#, 5.0),
            (r#"potluck_hash_failures_total{from="peer"}"#, 1.0),
            ("potluck_events_dropped_total", 9.0),
            ("potluck_log_lines_dropped_total", 2.0),
            (r#"potluck_queue_depth{queue="links"}"#, 3.0),
            ("potluck_start_time_seconds", 9.0),
        ] {
            assert_eq!(samples.get(series), Some(&value), "{series}");
        }
    }

    #[test]
    fn no_peer_and_no_game_makes_a_series() {
        let series = |count: usize| {
            let peer = |n: usize| PeerView { name: format!("p\"{n}\n"), id: n.to_string(), ..PeerView::default() };
            let transfer = |n: usize| TransferView { game: n.to_string(), ..TransferView::default() };
            let snapshot = Snapshot {
                peers: Arc::new((0..count).map(peer).collect()),
                transfers: Arc::new((0..count).map(transfer).collect()),
                ..Snapshot::default()
            };
            parse(&text(&snapshot, &figures())).unwrap().into_keys().collect::<Vec<_>>()
        };
        assert_eq!(series(0), series(500));
    }

    #[test]
    fn the_reader_of_this_test_refuses_what_is_no_such_text() {
        for bad in [
            "a 1\n",
            "# HELP a b\n# TYPE a gauge\na{x=1} 2\n",
            "# HELP a b\n# TYPE a gauge\na one\n",
            "# HELP a b\n# TYPE a counter\na 1\n",
            "# HELP a b\n# TYPE a gauge\na 1\na 1\n",
            "# TYPE a gauge\na 1\n",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
