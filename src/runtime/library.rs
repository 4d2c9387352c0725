//! Drives `core::library`: scans, announces, syncs.

/// Holds the actor's place until it lands.
pub(crate) async fn run(
    context: super::context::Context,
    _inbox: tokio::sync::mpsc::Receiver<super::input::LibraryInput>,
    _shown: tokio::sync::watch::Sender<super::view::LibraryShown>,
) -> Result<(), std::convert::Infallible> {
    context.tasks.cancelled().cancelled().await;
    Ok(())
}
