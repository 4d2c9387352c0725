//! All that a face and the runtime share: commands in, snapshots and events out. Everything is
//! serialisable, so that a face may live in another process; everything a peer said was cleaned
//! before it came here, so that a face may draw it.

mod command;
mod event;
mod figures;
mod handle;
mod snapshot;
mod status;

pub use command::{
    Added, AfterGet, CHUNKS_NAMES_MAX, Candidate, ChunksView, Command, CommandError, CompareView, ConfirmView,
    Diagnosis, ErrorCode, Finding, Freeable, GetRequest, LimitError, LimitTo, LimitTooLow, MAP_REPLY_CELLS_MAX,
    MAP_SOURCES_MAX, ManifestFile, MapRequest, MapView, OWN_FILES_MAX, PlayingView, ProgramView, ROOM_NAMES_MAX, Reply,
    SOURCE_CELLS_MAX, SPACE_ITEMS_MAX, SourceChunks, SpaceItem, SpaceView, Verdict, VerifyReport, WithoutView,
};
pub use event::{Event, EventKind, Level};
pub use figures::{Figures, Queue};
pub use handle::{COMMANDS_QUEUED_MAX, Call, EVENTS_KEPT_MAX, Events, Handle, HandleEnd, Missed, Stopped, channel};
pub use snapshot::{
    BuildView, ClockView, DISK_FULL, GameView, INSTALLED_ONLY, LibraryView, LinkPath, LinkView, LogView, MAP_CELLS_MAX,
    MapCell, MeView, Part, PeerView, Snapshot, SourceView, StateWord, Totals, TransferView, UpdateView,
};
pub use status::{Phase, Reason, Status};
