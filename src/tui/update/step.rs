//! The next step: what Enter does for what is selected. One function decides it, so that the hint bar
//! names exactly what happens.

use super::{
    super::{
        action::Screen,
        model::{Focus, Model},
    },
    pane,
};
use crate::api::{GameView, GetRequest, StateWord, TransferView};

/// What Enter does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Gets games: each request with its title.
    Get {
        /// What to ask for.
        games: Vec<(GetRequest, String)>,
        /// In the hint bar.
        label: String,
    },
    /// Makes games playable: the id of each with its title.
    Install {
        /// What to install.
        games: Vec<(String, String)>,
        /// In the hint bar.
        label: String,
    },
    /// Starts a game.
    Play {
        /// GameId.
        game: String,
        /// Title.
        title: String,
    },
    /// Goes on with a transfer.
    Resume {
        /// GameId.
        game: String,
        /// Title.
        title: String,
        /// In the hint bar.
        label: &'static str,
    },
    /// Shows the transfer of this game.
    ShowTransfer(String),
    /// Goes into the map of the transfer that is selected.
    OpenMap,
    /// Shows this game in the library.
    ShowGame(String),
    /// Shows the games of the peer of this name.
    ShowGamesOf(String),
    /// Shows the peer of this id.
    ShowPeer(String),
    /// Follows the log again.
    Follow,
    /// There is none, and this is why.
    None(String),
}

impl Step {
    /// Its words in the hint bar; `None` where there is nothing to do.
    pub(crate) fn label(&self) -> Option<&str> {
        match self {
            Self::Get { label, .. } | Self::Install { label, .. } => Some(label),
            Self::Resume { label, .. } => Some(label),
            Self::Play { .. } => Some("Play"),
            Self::ShowTransfer(_) => Some("Show transfer"),
            Self::OpenMap => Some("Open map"),
            Self::ShowGame(_) => Some("Show game"),
            Self::ShowGamesOf(_) => Some("Its games"),
            Self::ShowPeer(_) => Some("Show peer"),
            Self::Follow => Some("Follow"),
            Self::None(_) => None,
        }
    }
}

/// What Enter does now.
pub(crate) fn next_step(model: &Model) -> Step {
    match model.screen {
        Screen::Library if !model.library.list.marks.is_empty() => of_marked(model),
        Screen::Library => match model.selected_game() {
            Some(game) => of_game(model, game),
            None => Step::None("No game is selected.".to_owned()),
        },
        Screen::Transfers => match model.selected_transfer() {
            Some(transfer) => {
                let step = of_transfer(transfer);
                // From the map one goes on to the game.
                let first_map = model.focus == Focus::List && pane::missing(model).is_none();
                if first_map && matches!(step, Step::ShowGame(_)) { Step::OpenMap } else { step }
            }
            None => Step::None("Nothing is being got. Choose a game in the library and press Enter.".to_owned()),
        },
        Screen::Peers => match model.selected_peer() {
            Some(peer) if peer.games > 0 => Step::ShowGamesOf(peer.name.clone()),
            Some(peer) => Step::None(format!("{} has no games to show.", peer.name)),
            None => Step::None("No peer is selected.".to_owned()),
        },
        Screen::Links => match model.selected_link() {
            Some(link) => Step::ShowPeer(link.peer.clone()),
            None => Step::None("No link is selected.".to_owned()),
        },
        Screen::Space => match model.space.selected() {
            Some(item) => Step::ShowGame(item.game.clone()),
            None => Step::None("Nothing is selected.".to_owned()),
        },
        Screen::Log if model.log.drawn().1.is_held() => Step::Follow,
        Screen::Log => Step::None("The log follows what happens.".to_owned()),
    }
}

fn of_marked(model: &Model) -> Step {
    let marks = &model.library.list.marks;
    let (mut games, mut here) = (Vec::new(), Vec::new());
    for game in model.snapshot.games.iter().filter(|game| marks.contains(&game.id)) {
        match of_game(model, game) {
            Step::Get { games: more, .. } => games.extend(more),
            Step::Install { games: more, .. } => here.extend(more),
            Step::Play { .. }
            | Step::Resume { .. }
            | Step::ShowTransfer(_)
            | Step::OpenMap
            | Step::ShowGame(_)
            | Step::ShowGamesOf(_)
            | Step::ShowPeer(_)
            | Step::Follow
            | Step::None(_) => {}
        }
    }
    // What is to be got comes first: getting takes longest.
    if !games.is_empty() {
        let label = format!("Get {} marked", games.len());
        return Step::Get { games, label };
    }
    if here.is_empty() {
        return Step::None("Nothing of what is marked is to be got or installed.".to_owned());
    }
    let label = format!("Install {} marked", here.len());
    Step::Install { games: here, label }
}

fn of_game(model: &Model, game: &GameView) -> Step {
    if let Some(transfer) = model.transfer_of(&game.id) {
        let step = of_transfer(transfer);
        return if matches!(step, Step::Resume { .. }) { step } else { Step::ShowTransfer(game.id.clone()) };
    }
    let title = game.title.clone();
    let after = model.snapshot.me.after_get;
    let latest = GetRequest { game: game.id.clone(), after, ..GetRequest::default() };
    match game.state {
        StateWord::Available => get(latest, title, "Get".to_owned()),
        StateWord::Ready if game.playing_since_ms.is_some() => Step::None(format!("{title} runs.")),
        StateWord::Ready if game.can_play => Step::Play { game: game.id.clone(), title },
        StateWord::Downloaded | StateWord::Ready => match &game.update {
            Some(update) => {
                let version = update.version.clone();
                let label = format!("Get {version}");
                let content = Some(update.content.clone());
                get(GetRequest { version: Some(version), content, ..latest }, title, label)
            }
            None if game.state == StateWord::Downloaded => {
                Step::Install { games: vec![(game.id.clone(), title)], label: "Install".to_owned() }
            }
            None => {
                let folder = format!("{}/{}/local", model.snapshot.library_path(game.library), game.id);
                Step::None(format!("{title} has no launch command in the catalog; its folder is {folder}."))
            }
        },
        StateWord::Offline => Step::None(format!("Nobody who has {title} is here now.")),
        StateWord::Checking | StateWord::Installing => Step::None(format!("{title} is being worked on; wait for it.")),
        StateWord::Failed if game.have > 0 => get(latest, title, "Get again".to_owned()),
        StateWord::Failed | StateWord::Getting | StateWord::Waiting | StateWord::Paused => {
            Step::None(if game.reason.is_empty() { format!("{title} cannot be got now.") } else { game.reason.clone() })
        }
    }
}

fn get(request: GetRequest, title: String, label: String) -> Step {
    Step::Get { games: vec![(request, title)], label }
}

fn of_transfer(transfer: &TransferView) -> Step {
    let resume = |label| Step::Resume { game: transfer.game.clone(), title: transfer.title.clone(), label };
    match transfer.state {
        StateWord::Paused => resume("Go on"),
        StateWord::Failed => resume("Try again"),
        StateWord::Getting
        | StateWord::Waiting
        | StateWord::Checking
        | StateWord::Installing
        | StateWord::Available
        | StateWord::Downloaded
        | StateWord::Ready
        | StateWord::Offline => Step::ShowGame(transfer.game.clone()),
    }
}
