//! A growing file that begins as a copy of one of the older build which shares its blocks, where the file system can do
//! that: then only what differs is ever written. Nothing of it counts before it was read and verified.

use std::collections::BTreeMap;

use super::{
    super::{layout, reader::RootReader},
    Incoming, IncomingError,
};
use crate::{
    io::{
        disk::{GameFile, Reason, reflink},
        hash::{Watcher, hash_chunk},
    },
    types::{CHUNK_BYTES, ChunkNo, FileNo},
};

impl Incoming {
    /// Begins a file as a copy of the one in the old build that has most of its chunks in their places. Gives those that
    /// are here now; what differs comes from elsewhere and is written over it. The watcher sees the bytes.
    pub(super) fn adopt(
        &self,
        old: &RootReader,
        file: FileNo,
        watcher: &mut Watcher<'_>,
    ) -> Result<Vec<ChunkNo>, IncomingError> {
        self.adopt_hashes(old, file)?;
        let mut chunks = self.manifest.chunks_of(file);
        if chunks.len() < 2 || chunks.any(|chunk| self.has(ChunkNo(chunk))) {
            return Ok(Vec::new());
        }
        let Some((likest, common)) = self.likest(old, file) else { return Ok(Vec::new()) };
        let Some(from) = old.whole_file(likest)? else { return Ok(Vec::new()) };
        let Some(to) = self.begin_as(&from, file)? else { return Ok(Vec::new()) };
        self.verify_adopted(&to, &common, watcher)
    }

    /// A file with the same content knows the hashes of its chunks.
    fn adopt_hashes(&self, old: &RootReader, file: FileNo) -> Result<(), IncomingError> {
        let Some(same) = old.find_file(&self.manifest.file(file).hash) else { return Ok(()) };
        let hashes: Option<Vec<_>> =
            old.manifest().chunks_of(same).map(|chunk| old.chunk_hash(ChunkNo(chunk))).collect();
        if let Some(hashes) = hashes {
            // They are verified again here; hashes of a file with this hash cannot be wrong.
            let _ = self.set_hashes(file, &hashes)?;
        }
        Ok(())
    }

    /// The file of the old build with most of a file's chunks, and which these are. Where a chunk lies in its file is part
    /// of its hash, so they lie at the same places.
    fn likest(&self, old: &RootReader, file: FileNo) -> Option<(FileNo, Vec<ChunkNo>)> {
        let mut common = BTreeMap::<FileNo, Vec<ChunkNo>>::new();
        for chunk in self.manifest.chunks_of(file).map(ChunkNo) {
            let there = self.chunk_hash(chunk).and_then(|hash| old.find_chunk(&hash));
            if let Some(place) = there.and_then(|there| old.manifest().place(there)) {
                common.entry(place.file).or_default().push(chunk);
            }
        }
        common.into_iter().max_by_key(|(_, chunks)| chunks.len())
    }

    /// Makes a file of the right size whose blocks are shared with `from`; `None` where the file system cannot, or
    /// where the file has begun otherwise.
    fn begin_as(&self, from: &GameFile, file: FileNo) -> Result<Option<GameFile>, IncomingError> {
        let entry = self.manifest.file(file);
        // Beside its place, and moved there only if nothing is: a chunk that comes meanwhile begins the
        // file itself, and must not find its bytes in a file that has been removed.
        let (path, beside) = (self.data_path(&entry.path), layout::adopted_path(self.content, file));
        self.root.make_dirs(&layout::adopted_folder(self.content))?;
        self.root.make_dirs(path.rsplit_once('/').map_or("", |(folder, _)| folder))?;
        self.root.remove_file(&beside)?;
        let to = self.root.create_file(&beside, entry.executable)?;
        if !reflink(from, &to)? {
            self.root.remove_file(&beside)?;
            return Ok(None);
        }
        // A file of another size would be taken for one that was tampered with.
        to.cut(entry.size)?;
        if to.stat()?.stamp.size < entry.size {
            to.allocate(entry.size)?;
        }
        match self.root.rename_new(&beside, &path) {
            Ok(()) => Ok(Some(to)),
            Err(error) if matches!(error.reason(), Reason::Exists) => {
                self.root.remove_file(&beside)?;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn verify_adopted(
        &self,
        adopted: &GameFile,
        chunks: &[ChunkNo],
        watcher: &mut Watcher<'_>,
    ) -> Result<Vec<ChunkNo>, IncomingError> {
        let mut buffer = vec![0; CHUNK_BYTES as usize];
        let mut gained = Vec::new();
        for chunk in chunks {
            let Some(place) = self.manifest.place(*chunk) else { continue };
            let len = adopted.read_at(&mut buffer[..place.len as usize], place.offset)?;
            if self.chunk_hash(*chunk) == Some(hash_chunk(&buffer[..len], place.index, false)) {
                self.set_bit(&mut self.state(), *chunk, true)?;
                gained.push(*chunk);
            }
            if watcher(len as u64).is_break() {
                return Err(IncomingError::Cancelled);
            }
        }
        Ok(gained)
    }
}
