//! What faces say to transfers: pause, resume, cancel, sooner and later; and their looks at the map.

use tokio::sync::mpsc::error::TrySendError;

use super::{Look, Transfers, answer};
use crate::{
    api::{CommandError, ErrorCode, MapRequest, Reply, StateWord},
    core::queue::{Input, Keep, Step},
    runtime::input::ReplyTo,
    types::{ContentId, clean},
};

/// Steps one command may move a transfer; the length of any list a person looks at.
const STEPS_MAX: u32 = 4_096;

impl Transfers {
    pub(super) fn on_pause(&mut self, game: &str, reply: ReplyTo) {
        let Some((content, title)) = self.found(game) else { return answer(Some(reply), Err(unknown(game))) };
        if let Some(entry) = self.entries.get_mut(&content) {
            if let Some(reason) = &entry.failed {
                let message = format!("{title} has failed ({reason}); `resume` tries again");
                return answer(Some(reply), Err(CommandError::new(ErrorCode::Refused, message)));
            }
            entry.paused = true;
        }
        self.queue_input(Input::Pause { content });
        self.save();
        answer(Some(reply), Ok(done(format!("{title} is paused."))));
    }

    pub(super) async fn on_resume(&mut self, game: &str, reply: ReplyTo) {
        let Some((content, title)) = self.found(game) else { return answer(Some(reply), Err(unknown(game))) };
        let Some(entry) = self.entries.get(&content).filter(|entry| !entry.stopping) else {
            let message = format!("{title} is just being cancelled; try again in a moment");
            return answer(Some(reply), Err(CommandError::new(ErrorCode::Refused, message)));
        };
        let (wish, library) = (entry.wish.clone(), entry.library);
        self.admit(wish, library, false).await;
        answer(Some(reply), Ok(done(format!("{title} goes on."))));
    }

    pub(super) fn on_cancel(&mut self, game: &str, discard: bool, reply: ReplyTo) {
        let Some((content, title)) = self.found(game) else { return answer(Some(reply), Err(unknown(game))) };
        let keep = if discard { Keep::Nothing } else { Keep::Verified };
        if self.queue.standing(&content).is_some() {
            self.queue_input(Input::Cancel { content, keep });
        } else {
            // Failed: it has left the queue, and what it had is still there.
            self.stop(content, keep);
        }
        self.save();
        let kept = if discard { "what was fetched is deleted" } else { "what was fetched is kept" };
        answer(Some(reply), Ok(done(format!("{title} is cancelled; {kept}."))));
    }

    pub(super) fn on_reorder(&mut self, game: &str, by: i32, reply: ReplyTo) {
        let Some((content, title)) = self.found(game) else { return answer(Some(reply), Err(unknown(game))) };
        let to = if by < 0 { Step::Sooner } else { Step::Later };
        for _ in 0..by.unsigned_abs().min(STEPS_MAX) {
            self.queue_input(Input::Move { content, to });
        }
        self.save();
        let place = self.queue.iter().position(|(other, _)| other == content).map_or(0, |place| place + 1);
        answer(Some(reply), Ok(done(format!("{title} is number {place} now."))));
    }

    pub(super) fn on_map(&self, request: MapRequest, reply: ReplyTo) {
        let game = &request.game;
        let Some((content, title)) = self.found(game) else { return answer(Some(reply), Err(unknown(game))) };
        let task = self.entries.get(&content).and_then(|entry| entry.task.as_ref());
        // Only while it is fetched does anybody know the state of each chunk: before that and while it is put in
        // place nobody would answer.
        let counting = task.filter(|task| {
            let view = task.view.borrow();
            !view.map.is_empty() && view.state != StateWord::Checking
        });
        let refused = match counting {
            Some(task) => match task.looks.try_send(Look { request, reply }) {
                Ok(()) => return,
                Err(TrySendError::Full(look) | TrySendError::Closed(look)) => look.reply,
            },
            None => reply,
        };
        let message = format!("the chunks of {title} are not counted just now; look again in a moment");
        answer(Some(refused), Err(CommandError::new(ErrorCode::WouldWait, message)));
    }

    /// The transfer of a game, named by its id or its title.
    fn found(&self, game: &str) -> Option<(ContentId, String)> {
        let by_id = self.entries.values().find(|entry| entry.wish.game.as_str() == game);
        let folded = game.to_lowercase();
        let entry = by_id.or_else(|| {
            self.entries.values().find(|entry| {
                entry.wish.title.to_lowercase() == folded || entry.wish.game.as_str().to_lowercase() == folded
            })
        })?;
        Some((entry.wish.content, entry.wish.title.clone()))
    }
}

fn unknown(game: &str) -> CommandError {
    let message = format!("no transfer of `{}`; `potluck transfers` lists them", clean(game, 64));
    CommandError::new(ErrorCode::NotFound, message)
}

fn done(message: String) -> Reply {
    Reply::Done { message }
}
