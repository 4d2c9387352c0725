//! Counts the chunks of a transfer for the chunk map of the faces: exactly, and each chunk as one thing. Pure; the
//! download is asked, never changed.

use std::{cmp::Reverse, collections::BTreeMap, ops::Range};

use crate::{
    api::{
        CHUNKS_NAMES_MAX, ChunksView, MAP_CELLS_MAX, MAP_REPLY_CELLS_MAX, MAP_SOURCES_MAX, MapCell, MapRequest,
        MapView, SOURCE_CELLS_MAX, SourceChunks,
    },
    core::download::Download,
    types::{ChunkNo, ChunkSet, ContentId, FileNo, Manifest, PeerId, clean},
};

/// Cells of the map in a snapshot: more than a line of a table shows, and little work for a large game.
const CELLS: u32 = 512;
const _: () = assert!(CELLS as usize <= MAP_CELLS_MAX);

/// The most holders that are told apart; see [`MapCell::rarest`].
const HOLDERS_MAX: u8 = 254;

/// Characters of a file's path: what a line of a wide screen has room for.
const PATH_CHARS_MAX: usize = 160;

/// The one thing a chunk counts as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Here,
    Bad,
    Coming,
    Missing,
}

/// What of a transfer its map is made of.
#[derive(Clone, Copy)]
pub(super) struct Counted<'a> {
    pub(super) download: &'a Download,
    /// Chunks that came wrong and were not put right since.
    pub(super) bad: &'a ChunkSet,
}

impl Counted<'_> {
    /// The map for a snapshot.
    pub(super) fn whole(self) -> Vec<MapCell> {
        self.cells(0..self.download.have().chunk_count(), CELLS)
    }

    /// The part a face asked for; `name_of` knows the peers.
    pub(super) fn part(
        self,
        content: ContentId,
        request: &MapRequest,
        manifest: &Manifest,
        name_of: impl Fn(&PeerId) -> String,
    ) -> MapView {
        let chunks = self.download.have().chunk_count();
        let within = |first: u32, len: u32| first.min(chunks)..first.saturating_add(len).min(chunks);
        let about = request.about.map(|(first, len)| within(first, len)).filter(|range| !range.is_empty());
        let cells = self.cells(within(request.first, request.len), request.cells.min(MAP_REPLY_CELLS_MAX));
        MapView {
            game: manifest.game().as_str().to_owned(),
            content: content.to_string(),
            chunks,
            sources: self.sources(&cells, request.source_cells.min(SOURCE_CELLS_MAX)),
            cells,
            about: about.map(|range| self.about(range, manifest, name_of)),
        }
    }

    /// What the fastest sources hold of everything, and where in `cells` something comes from them.
    fn sources(self, cells: &[MapCell], count: u32) -> Vec<SourceChunks> {
        if count == 0 {
            return Vec::new();
        }
        let all = self.download.have().chunk_count();
        let mut coming: BTreeMap<PeerId, Vec<u32>> = BTreeMap::new();
        for (at, cell) in (0..).zip(cells) {
            for (chunk, peer) in self.download.coming_in(cell.first..cell.first + cell.all) {
                let places = coming.entry(peer).or_default();
                if self.state(chunk) == State::Coming && places.last() != Some(&at) {
                    places.push(at);
                }
            }
        }
        let mut fastest: Vec<_> = self.download.sources().filter(|source| source.holds.is_some()).collect();
        fastest.sort_by_key(|source| (Reverse(source.rate_bps), Reverse(source.verified_bytes), source.peer));
        fastest.truncate(MAP_SOURCES_MAX);
        let percent = |peer: &PeerId, chunks: Range<u32>| {
            let (held, of) = (self.download.held_by(peer, chunks.clone()), chunks.end - chunks.start);
            match u64::from(held) * 100 / u64::from(of.max(1)) {
                0 => u8::from(held > 0),
                share => share as u8,
            }
        };
        let shares = |peer: &PeerId| shares(0..all, count).map(|chunks| percent(peer, chunks)).collect();
        let source = |peer: PeerId| SourceChunks {
            peer: peer.to_string(),
            holds: shares(&peer),
            coming: coming.remove(&peer).unwrap_or_default(),
        };
        fastest.into_iter().map(|source| source.peer).map(source).collect()
    }

    /// Cells of equal share, at most one a chunk.
    fn cells(self, chunks: Range<u32>, count: u32) -> Vec<MapCell> {
        shares(chunks, count).map(|chunks| self.cell(chunks)).collect()
    }

    fn cell(self, chunks: Range<u32>) -> MapCell {
        let (first, all) = (chunks.start, chunks.end - chunks.start);
        let mut cell = MapCell { first, all, rarest: u8::MAX, fewest: HOLDERS_MAX, ..MapCell::default() };
        for chunk in chunks.map(ChunkNo) {
            let holders = self.download.holders(chunk);
            let few = holders.min(usize::from(HOLDERS_MAX)) as u8;
            cell.held += holders as u64;
            cell.fewest = cell.fewest.min(few);
            match self.state(chunk) {
                State::Here => cell.have += 1,
                State::Bad => cell.bad += 1,
                State::Coming => cell.coming += 1,
                State::Missing => cell.rarest = cell.rarest.min(few),
            }
        }
        cell
    }

    fn state(self, chunk: ChunkNo) -> State {
        if self.download.have().contains(chunk) {
            State::Here
        } else if self.bad.contains(chunk) {
            State::Bad
        } else if self.download.is_coming(chunk) {
            State::Coming
        } else {
            State::Missing
        }
    }

    fn about(self, chunks: Range<u32>, manifest: &Manifest, name_of: impl Fn(&PeerId) -> String) -> ChunksView {
        let cell = self.cell(chunks.clone());
        let files = files(manifest, chunks.clone());
        let mut coming: BTreeMap<PeerId, u32> = BTreeMap::new();
        for (chunk, peer) in self.download.coming_in(chunks.clone()) {
            if self.state(chunk) == State::Coming {
                *coming.entry(peer).or_default() += 1;
            }
        }
        let mut coming: Vec<(String, u32)> = coming.iter().map(|(peer, count)| (name_of(peer), *count)).collect();
        coming.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        coming.truncate(CHUNKS_NAMES_MAX);
        let mut scarce = 0;
        let mut holders: Vec<PeerId> = Vec::new();
        let fewest = usize::from(cell.rarest);
        for chunk in chunks.map(ChunkNo) {
            if cell.rarest < HOLDERS_MAX
                && self.state(chunk) == State::Missing
                && self.download.holders(chunk) == fewest
            {
                scarce += 1;
                if holders.len() < CHUNKS_NAMES_MAX {
                    let known = holders.clone();
                    holders.extend(self.download.holders_of(chunk).filter(|peer| !known.contains(peer)));
                }
            }
        }
        holders.truncate(CHUNKS_NAMES_MAX);
        ChunksView {
            cell,
            file_count: files.clone().count() as u32,
            files: files.take(CHUNKS_NAMES_MAX).map(|path| clean(path, PATH_CHARS_MAX)).collect(),
            coming,
            scarce,
            holders: holders.iter().map(name_of).collect(),
        }
    }
}

/// Chunks in `count` runs of equal share, at most one a chunk.
fn shares(chunks: Range<u32>, count: u32) -> impl Iterator<Item = Range<u32>> {
    let all = chunks.end - chunks.start;
    let count = count.min(all);
    let bound = move |cell: u32| chunks.start + (u64::from(cell) * u64::from(all) / u64::from(count.max(1))) as u32;
    (0..count).map(move |cell| bound(cell)..bound(cell + 1))
}

/// The paths of the files that have any of these chunks.
fn files(manifest: &Manifest, chunks: Range<u32>) -> impl Iterator<Item = &str> + Clone {
    let first = manifest.place(ChunkNo(chunks.start)).map_or(manifest.files().len(), |place| place.file.index());
    manifest.files()[first..]
        .iter()
        .enumerate()
        .map(move |(at, file)| (manifest.chunks_of(FileNo((first + at) as u32)), file))
        .take_while(move |(held, _)| held.start < chunks.end)
        // An empty file has none.
        .filter(|(held, _)| !held.is_empty())
        .map(|(_, file)| file.path.as_str())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{
        core::download::{Input, Output, Plan},
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
            asked += usize::from(matches!(output, Output::Request { .. }));
        }
        assert!(asked > 0, "the picker found something to ask for");
        let bad = ChunkSet::empty(MANIFEST_CHUNKS_MAX);
        let cells = Counted { download: &download, bad: &bad }.whole();
        assert_eq!((cells.len() as u32, cells.iter().map(|cell| cell.all).sum::<u32>()), (CELLS, MANIFEST_CHUNKS_MAX));
        assert!(cells.iter().all(|cell| cell.have == 0 && cell.rarest == 1));
    }

    /// A download of so many chunks with two whole sources and one that holds `third`, some chunks named.
    fn download_of(count: u32, have: &[u32], third: &[u32], named: usize) -> Download {
        let set = |numbers: &[u32]| {
            let mut set = ChunkSet::empty(count);
            numbers.iter().for_each(|number| {
                set.insert(ChunkNo(number % count));
            });
            set
        };
        let now = clock::now();
        let plan = Plan {
            me: PeerId::from_bytes([9; 32]),
            chunk_lens: vec![CHUNK_BYTES; count as usize].into(),
            have: set(have),
            wanted: ChunkSet::full(count),
            seed: 3,
            in_flight_max: 64 << 20,
        };
        let mut download = Download::new(plan);
        for (number, complete) in [(1, true), (2, true), (3, false)] {
            let peer = PeerId::from_bytes([number; 32]);
            download.handle_input(Input::SourceUp { peer, complete, round_trip: Duration::from_millis(1) }, now);
            let have = if complete { ChunkSet::full(count) } else { set(third) };
            download.handle_input(Input::HaveMap { peer, have }, now);
        }
        let mut left = named;
        while let Some(output) = download.poll_output() {
            let Output::Request { request, of, take, .. } = output else { continue };
            for chunk in of.iter().take((take as usize).min(left)) {
                left -= 1;
                download.handle_input(Input::ChunkNamed { request, chunk }, now);
            }
        }
        download
    }

    #[test]
    fn what_is_asked_about_is_named() {
        let manifest = manifest_of(&[u64::from(CHUNK_BYTES) * 10, 0, u64::from(CHUNK_BYTES) * 10]).unwrap();
        let download = download_of(20, &[0, 1, 2], &[11, 12], 4);
        let bad = ChunkSet::empty(20);
        let request = MapRequest { first: 8, len: 99, cells: 3, about: Some((8, 6)), ..MapRequest::default() };
        let name_of = |peer: &PeerId| format!("peer-{}", peer.as_bytes()[0]);
        let counted = Counted { download: &download, bad: &bad };
        let content = ContentId::from_bytes([7; 32]);
        let map = counted.part(content, &request, &manifest, name_of);
        assert_eq!(map.cells.iter().map(|cell| (cell.first, cell.all)).collect::<Vec<_>>(), [(8, 4), (12, 4), (16, 4)]);
        let about = map.about.unwrap();
        assert_eq!((about.file_count, about.files), (2, vec!["disc0.img".to_owned(), "disc2.img".to_owned()]));
        assert_eq!((about.cell.all, about.cell.fewest, about.cell.held), (6, 2, 14));
        let coming: u32 = about.coming.iter().map(|(_, count)| count).sum();
        assert_eq!(coming, about.cell.coming);
        assert_eq!(map.sources, [], "nobody asked what they hold");
        if about.scarce > 0 {
            assert_eq!(about.holders, ["peer-1", "peer-2"]);
        }
        // Beyond the end there is nothing, and nothing to say of it.
        let beyond = MapRequest { first: 20, len: 5, cells: 9, about: Some((20, 5)), ..MapRequest::default() };
        let map = counted.part(content, &beyond, &manifest, name_of);
        assert_eq!((map.cells, map.about, map.chunks), (Vec::new(), None, 20));
    }

    proptest! {
        #[test]
        fn every_chunk_counts_once_and_as_what_it_is(
            count in 1_u32..200, have in vec(0_u32..200, 0..150), third in vec(0_u32..200, 0..150),
            named in 0_usize..20, wrong in vec(0_u32..200, 0..6), cells in 1_u32..60, first in 0_u32..220, len in 0_u32..220,
        ) {
            let download = download_of(count, &have, &third, named);
            let mut bad = ChunkSet::empty(count);
            for chunk in wrong.iter().map(|number| ChunkNo(number % count)) {
                if !download.have().contains(chunk) {
                    bad.insert(chunk);
                }
            }
            let counted = Counted { download: &download, bad: &bad };
            let range = first.min(count)..first.saturating_add(len).min(count);
            let drawn = counted.cells(range.clone(), cells);
            let sources = counted.sources(&drawn, cells);
            prop_assert_eq!(sources.len(), 3);
            for source in &sources {
                prop_assert_eq!(source.holds.len() as u32, cells.min(count));
                let known = |peer: &PeerId| peer.to_string() == source.peer;
                let held = (0..count).filter(|chunk| download.holders_of(ChunkNo(*chunk)).any(|peer| known(&peer)));
                let held = held.count() as u32;
                prop_assert_eq!(held == count, source.holds.iter().all(|share| *share == 100));
                prop_assert_eq!(held == 0, source.holds.iter().all(|share| *share == 0));
                for (at, cell) in (0_u32..).zip(&drawn) {
                    let comes = download
                        .coming_in(cell.first..cell.first + cell.all)
                        .any(|(chunk, peer)| !bad.contains(chunk) && known(&peer));
                    prop_assert_eq!(comes, source.coming.contains(&at));
                }
            }
            prop_assert_eq!(drawn.len() as u32, cells.min(range.end - range.start));
            let covered: Vec<u32> = drawn.iter().flat_map(|cell| cell.first..cell.first + cell.all).collect();
            prop_assert_eq!(covered, range.collect::<Vec<_>>());
            for cell in drawn {
                let chunks: Vec<ChunkNo> = (cell.first..cell.first + cell.all).map(ChunkNo).collect();
                let here = chunks.iter().filter(|chunk| download.have().contains(**chunk)).count() as u32;
                let wrong = chunks.iter().filter(|chunk| bad.contains(**chunk)).count() as u32;
                let coming: BTreeSet<ChunkNo> = download
                    .coming_in(cell.first..cell.first + cell.all)
                    .map(|(chunk, _)| chunk)
                    .filter(|chunk| !bad.contains(*chunk))
                    .collect();
                prop_assert_eq!((cell.have, cell.bad, cell.coming), (here, wrong, coming.len() as u32));
                let missing: Vec<ChunkNo> = chunks
                    .iter()
                    .copied()
                    .filter(|chunk| {
                        !download.have().contains(*chunk) && !bad.contains(*chunk) && !coming.contains(chunk)
                    })
                    .collect();
                prop_assert_eq!(missing.len() as u32, cell.all - cell.have - cell.bad - cell.coming);
                let rarest = missing.iter().map(|chunk| download.holders_of(*chunk).count() as u8).min();
                prop_assert_eq!(rarest.unwrap_or(u8::MAX), cell.rarest);
                let held: u64 = chunks.iter().map(|chunk| download.holders_of(*chunk).count() as u64).sum();
                prop_assert_eq!(held, cell.held);
            }
        }
    }
}
