//! A transfer as the faces show it.

use std::collections::BTreeMap;

use crate::{
    api::{MAP_CELLS_MAX, MapCell, SourceView, StateWord, TransferView},
    core::{
        download::{self, Download},
        queue,
    },
    types::{ChunkNo, ChunkSet, PeerId},
};

/// Cells of a map: more than a wide screen's row, and little work for a large game.
const CELLS: u32 = 512;
const _: () = assert!(CELLS as usize <= MAP_CELLS_MAX);

/// The map of a transfer: exact counts over equal shares of the chunks.
pub(super) fn map(download: &Download, bad: &ChunkSet) -> Vec<MapCell> {
    let have = download.have();
    let chunk_count = have.chunk_count();
    let cells = CELLS.min(chunk_count);
    let first = |cell: u32| (u64::from(cell) * u64::from(chunk_count) / u64::from(cells.max(1))) as u32;
    let mut map: Vec<MapCell> = (0..cells)
        .map(|cell| {
            let range = first(cell)..first(cell + 1);
            let missing = range.clone().map(ChunkNo).filter(|chunk| !have.contains(*chunk));
            let rarest = missing.map(|chunk| download.holders(chunk)).min();
            let all = range.end - range.start;
            let bad = if bad.is_empty() { 0 } else { bad.count_in(range.clone()) };
            MapCell {
                first: range.start,
                all,
                have: have.count_in(range),
                coming: 0,
                bad,
                // 255 means that nothing is missing.
                rarest: rarest.map_or(u8::MAX, |holders| holders.min(254) as u8),
            }
        })
        .collect();
    for chunk in download.in_flight() {
        let cell = map.partition_point(|cell| cell.first <= chunk.0).saturating_sub(1);
        if let Some(cell) = map.get_mut(cell) {
            cell.coming += 1;
        }
    }
    map
}

/// The sources that matter: those that gave something or may give. `given` counts also for those that left.
pub(super) fn sources(
    download: &Download,
    given: &BTreeMap<PeerId, u64>,
    name_of: impl Fn(&PeerId) -> String,
) -> Vec<SourceView> {
    let chunk_count = u64::from(download.have().chunk_count()).max(1);
    let mut left = given.clone();
    let mut sources = Vec::new();
    for source in download.sources() {
        let bytes = left.remove(&source.peer).unwrap_or(0);
        if source.holds.is_some() || bytes > 0 {
            sources.push(SourceView {
                peer: source.peer.to_string(),
                name: name_of(&source.peer),
                holds: (u64::from(source.holds.unwrap_or(0)) * 100 / chunk_count) as u8,
                bytes,
                bps: source.rate_bps,
                coming: source.coming_bytes,
                rtt_us: u64::try_from(source.round_trip.as_micros()).unwrap_or(u64::MAX),
            });
        }
    }
    let gone = |(peer, bytes): (&PeerId, &u64)| SourceView {
        peer: peer.to_string(),
        name: name_of(peer),
        bytes: *bytes,
        ..SourceView::default()
    };
    sources.extend(left.iter().map(gone));
    sources.sort_by(|a, b| b.bps.cmp(&a.bps).then_with(|| b.bytes.cmp(&a.bytes)).then_with(|| a.peer.cmp(&b.peer)));
    sources
}

/// Percent of `size` that is `done`; 100 only when all is.
pub(super) fn percent(done: u64, size: u64) -> u8 {
    if size == 0 || done >= size { 100 } else { (u128::from(done) * 100 / u128::from(size)) as u8 }
}

/// What the queue lets a transfer wait for, in the words of the faces.
pub(super) fn wait_in_queue(wait: queue::Wait) -> (StateWord, String) {
    match wait {
        queue::Wait::Turn { ahead: 0 } => (StateWord::Waiting, "its turn comes next".to_owned()),
        queue::Wait::Turn { ahead } => (StateWord::Waiting, format!("{ahead} before it")),
        queue::Wait::NoSource => (StateWord::Waiting, "no peer has the rest".to_owned()),
        queue::Wait::DiskFull { short } => (StateWord::Waiting, disk_full(short)),
        queue::Wait::Paused => (StateWord::Paused, "by you".to_owned()),
    }
}

/// What a running download waits for, in the words of the faces.
pub(super) fn state(state: download::State) -> (StateWord, &'static str) {
    match state {
        download::State::Getting => (StateWord::Getting, ""),
        download::State::Waiting(wait) => (
            StateWord::Waiting,
            match wait {
                download::Wait::NoSource => "no peer has it",
                download::Wait::NobodyHasTheRest => "no peer has the rest",
                download::Wait::SourcesAway => "the peers that have it do not answer",
                download::Wait::DiskFull => "disk full",
            },
        ),
        download::State::Paused => (StateWord::Paused, "by you"),
        download::State::Done => (StateWord::Checking, "putting it in place"),
    }
}

fn disk_full(short: u64) -> String {
    format!("disk full, {} short", humansize::format_size(short, humansize::DECIMAL))
}

/// A view of a transfer of which nothing is known yet.
pub(super) fn blank(wanted: &super::Wish) -> TransferView {
    TransferView {
        game: wanted.game.as_str().to_owned(),
        title: wanted.title.clone(),
        version: wanted.version.as_str().to_owned(),
        content: wanted.content.to_string(),
        state: StateWord::Waiting,
        size: wanted.size,
        ..TransferView::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        core::download::{Input, Plan},
        io::clock,
        types::{
            CHUNK_BYTES, FileEntry, FileHash, FileNo, GameId, MANIFEST_CHUNKS_MAX, Manifest, ManifestError,
            PayloadPath, Sentinel,
        },
        wire::{
            frame,
            have::{BITMAP_BYTES_MAX, HaveChange},
            manifest,
        },
    };

    fn manifest_of(sizes: &[u64]) -> Result<Manifest, ManifestError> {
        let file = |(number, size): (usize, &u64)| FileEntry {
            path: PayloadPath::new(&format!("disc{number}.img")).unwrap(),
            size: *size,
            hash: FileHash::from_bytes([number as u8; 32]),
            executable: false,
        };
        let files = sizes.iter().enumerate().map(file).collect();
        Manifest::new(GameId::new("all").unwrap(), Sentinel::from_bytes(b"1").unwrap(), files, Vec::new(), Vec::new())
    }

    /// 2 TiB from its manifest to the screen: what is held of it, what travels, what is chosen and drawn.
    #[test]
    fn the_largest_game_there_may_be() {
        const HALF: u64 = 1 << 40;
        let largest = manifest_of(&[HALF, HALF - 5]).unwrap();
        assert_eq!(largest.chunk_count(), MANIFEST_CHUNKS_MAX);
        assert_eq!(
            manifest_of(&[HALF, HALF, 1]).unwrap_err(),
            ManifestError::TooLarge { max_chunks: MANIFEST_CHUNKS_MAX }
        );
        let (bytes, content) = manifest::encode(&largest).unwrap();
        assert_eq!(manifest::decode(&bytes, content).unwrap(), largest);
        let last = ChunkNo(MANIFEST_CHUNKS_MAX - 1);
        let place = largest.place(last).unwrap();
        assert_eq!((place.file, place.index, place.len), (FileNo(1), (1 << 20) - 1, CHUNK_BYTES - 5));
        assert_eq!(largest.place(ChunkNo(MANIFEST_CHUNKS_MAX)), None);

        let full = ChunkSet::full(MANIFEST_CHUNKS_MAX);
        let bitmap = full.to_bytes();
        assert_eq!(bitmap.len(), BITMAP_BYTES_MAX);
        assert_eq!(ChunkSet::from_bytes(&bitmap, MANIFEST_CHUNKS_MAX).unwrap(), full);
        let mut sparse = ChunkSet::empty(MANIFEST_CHUNKS_MAX);
        (0..MANIFEST_CHUNKS_MAX).step_by(200).for_each(|chunk| assert!(sparse.insert(ChunkNo(chunk))));
        let changes = HaveChange::between(&ChunkSet::empty(MANIFEST_CHUNKS_MAX), &sparse);
        assert!(changes.iter().all(|change| frame::encode(change).is_ok()), "each is a frame of its own");

        let (now, peer) = (clock::now(), PeerId::from_bytes([1; 32]));
        let have = ChunkSet::empty(MANIFEST_CHUNKS_MAX);
        let plan = Plan {
            me: peer,
            chunk_lens: largest.chunk_lens(),
            have,
            wanted: full.clone(),
            seed: 1,
            in_flight_max: 64 << 20,
        };
        let mut download = Download::new(plan);
        download.handle_input(Input::SourceUp { peer, complete: true, round_trip: Duration::from_millis(1) }, now);
        download.handle_input(Input::HaveMap { peer, have: full }, now);
        let mut asked = 0;
        while let Some(output) = download.poll_output() {
            asked += usize::from(matches!(output, download::Output::Request { .. }));
        }
        assert!(asked > 0, "the picker found something to ask for");
        let cells = map(&download, &ChunkSet::empty(MANIFEST_CHUNKS_MAX));
        assert_eq!((cells.len() as u32, cells.iter().map(|cell| cell.all).sum::<u32>()), (CELLS, MANIFEST_CHUNKS_MAX));
        assert!(cells.iter().all(|cell| cell.have == 0 && cell.rarest == 1));
    }
}
