//! Messages to an actor that may itself be waiting to send to us: they are kept here and sent when it
//! has room, so that two full channels never wait for each other.

use std::collections::VecDeque;

use tokio::sync::mpsc;

/// Messages kept for one actor. It is only ever this far behind when it hangs; the oldest go then.
const KEPT_MAX: usize = 4_096;

/// Messages on their way to one actor, in order.
#[derive(Debug)]
pub(super) struct Outbox<T> {
    sender: mpsc::Sender<T>,
    kept: VecDeque<T>,
}

impl<T> Outbox<T> {
    pub(super) fn new(sender: mpsc::Sender<T>) -> Self {
        Self { sender, kept: VecDeque::new() }
    }

    /// Sends now if there is room and nothing older waits.
    pub(super) fn send(&mut self, message: T) {
        self.kept.push_back(message);
        if self.kept.len() > KEPT_MAX {
            tracing::error!("an actor takes no messages; the oldest was dropped");
            self.kept.pop_front();
        }
        while let Some(message) = self.kept.pop_front() {
            match self.sender.try_send(message) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(message)) => return self.kept.push_front(message),
                // It ends before us only when the runtime does.
                Err(mpsc::error::TrySendError::Closed(_)) => {}
            }
        }
    }

    /// Waits for room and sends one message; never ends while none waits. May be dropped at any time.
    pub(super) async fn flush(&mut self) {
        if self.kept.is_empty() {
            return std::future::pending().await;
        }
        match self.sender.reserve().await {
            Ok(room) => {
                if let Some(message) = self.kept.pop_front() {
                    room.send(message);
                }
            }
            Err(_) => self.kept.clear(),
        }
    }
}
