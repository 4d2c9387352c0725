//! What can be found out about this machine by trying: whether addresses answer, whether multicast
//! comes back, what a folder's file system can do, what the kernel allows. Each blocks for at most the
//! time it is given or a moment, changes nothing that stays, and says what it saw; what that means is
//! decided in `core/doctor`.

pub mod folder;
pub mod multicast;
pub mod reach;
pub mod system;
