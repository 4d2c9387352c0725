//! The way in: what may be done to a game's root by whoever has its turn. Nothing else of this module changes a root and can
//! be called from outside.

use super::{
    Committed, InstallError, Installed, Progress, Recovered, Removed, Staged, Unpack, commit_with_fault,
    drop_payload_with_fault, finish_commit, recover, remove_game, stage, take_place, uninstall, unstage,
};
use crate::{
    io::{
        disk::{DiskError, GameRoot, Library},
        scan::Memory,
        store::{self, Incoming, KeptWhat},
    },
    runtime::roots::RootTurn,
    types::{ContentId, Manifest, PayloadPath},
};

impl RootTurn {
    /// See [`super::commit`]; `fault` is for tests of the whole program.
    pub(crate) fn commit(
        &self,
        root: &GameRoot,
        incoming: &Incoming,
        memory: &mut Memory,
        fault: Option<&str>,
    ) -> Result<Committed, InstallError> {
        commit_with_fault(self.own(root), incoming, memory, fault)
    }

    /// See [`super::finish_commit`].
    pub(crate) fn finish_commit(&self, root: &GameRoot, memory: &mut Memory) -> Result<(), InstallError> {
        finish_commit(self.own(root), memory)
    }

    /// See [`super::recover`].
    pub(crate) fn recover(&self, library: &Library, memory: &mut Memory) -> Result<Recovered, InstallError> {
        recover(library, self.game(), memory)
    }

    /// See [`super::remove_game`].
    pub(crate) fn remove_game(&self, library: &Library, memory: &mut Memory) -> Result<Removed, InstallError> {
        remove_game(library, self.game(), memory)
    }

    /// See [`super::dropping`]; `fault` is for tests of the whole program.
    pub(crate) fn drop_payload(
        &self,
        root: GameRoot,
        memory: &mut Memory,
        fault: Option<&str>,
    ) -> Result<ContentId, InstallError> {
        self.own(&root);
        drop_payload_with_fault(root, memory, fault)
    }

    /// Deletes something kept, as [`store::free_kept`] does.
    pub(crate) fn free_kept(&self, root: &GameRoot, what: KeptWhat) -> Result<(), DiskError> {
        store::free_kept(self.own(root), what)
    }

    /// See [`super::stage`].
    pub(crate) fn stage(
        &self,
        root: &GameRoot,
        build: (ContentId, &Manifest),
        unpack: &mut dyn Unpack,
        progress: &mut Progress<'_>,
    ) -> Result<Staged, InstallError> {
        stage(self.own(root), build, unpack, progress)
    }

    /// See [`super::take_place`].
    pub(crate) fn take_place(
        &self,
        root: &GameRoot,
        staged: Staged,
        keep: &[PayloadPath],
        progress: &mut Progress<'_>,
    ) -> Result<Installed, InstallError> {
        take_place(self.own(root), staged, keep, progress)
    }

    /// See [`super::unstage`].
    pub(crate) fn unstage(&self, root: &GameRoot, error: InstallError) -> InstallError {
        unstage(self.own(root), error)
    }

    /// See [`super::uninstall`].
    pub(crate) fn uninstall(&self, root: &GameRoot) -> Result<Vec<String>, InstallError> {
        uninstall(self.own(root))
    }

    /// The root, which is that of this game.
    fn own<'r>(&self, root: &'r GameRoot) -> &'r GameRoot {
        debug_assert_eq!(root.path().file_name().and_then(|name| name.to_str()), Some(self.game().as_str()));
        root
    }
}
