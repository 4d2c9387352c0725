//! Drives `core::queue` and one `core::download` per transfer.
