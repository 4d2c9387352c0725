//! What a filter line means. Words must all match: plain ones the title or the id, `@name` a peer
//! that has it, `is:word` a state or a quality.

use super::super::action::Screen;
use crate::api::{GameView, LinkPath, LinkView, PeerView, SpaceItem, StateWord, TransferView};

/// A filter as it was typed, and what it means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    text: String,
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    Word(String),
    Peer(String),
    Is(String),
}

/// What a filter cannot see in the game itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    /// Its state, its transfer's if there is one.
    pub(crate) state: StateWord,
    /// Whether the user marked it.
    pub(crate) marked: bool,
}

impl Filter {
    /// What this line means.
    pub(crate) fn parse(text: &str) -> Self {
        let terms = text
            .split_whitespace()
            .filter_map(|word| {
                let lower = word.to_lowercase();
                let term = match (lower.strip_prefix('@'), lower.strip_prefix("is:")) {
                    (Some(peer), _) => Term::Peer(peer.to_owned()),
                    (None, Some(quality)) => Term::Is(quality.to_owned()),
                    (None, None) => Term::Word(lower),
                };
                // A term that is only begun hides nothing yet.
                let begun = matches!(&term, Term::Peer(rest) | Term::Is(rest) if rest.is_empty());
                (!begun).then_some(term)
            })
            .collect();
        Self { text: text.to_owned(), terms }
    }

    /// As it was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it lets everything through.
    pub(crate) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether it asks for a state or a quality.
    pub(crate) fn looks_at_states(&self) -> bool {
        self.terms.iter().any(|term| matches!(term, Term::Is(_)))
    }

    /// How well a game's title is what was typed; less is better. Games that only the rest of the filter is about are
    /// all alike.
    pub(crate) fn rank_of_game(&self, game: &GameView) -> u8 {
        let title = game.title.to_lowercase();
        let words = self.terms.iter().filter_map(|term| match term {
            Term::Word(word) => Some(rank(&title, word)),
            Term::Peer(_) | Term::Is(_) => None,
        });
        words.max().unwrap_or(0)
    }

    /// Whether a game is shown.
    pub(crate) fn shows_game(&self, game: &GameView, facts: Facts) -> bool {
        self.terms.iter().all(|term| match term {
            Term::Word(word) => matches(&game.title, word) || matches(&game.id, word),
            Term::Peer(name) => {
                game.builds.iter().flat_map(|build| &build.holders).any(|holder| contains(holder, name))
            }
            Term::Is(quality) => game_is(game, facts, quality),
        })
    }

    /// Whether a transfer is shown.
    pub(crate) fn shows_transfer(&self, transfer: &TransferView) -> bool {
        self.terms.iter().all(|term| match term {
            Term::Word(word) => matches(&transfer.title, word) || matches(&transfer.game, word),
            Term::Peer(name) => transfer.sources.iter().any(|source| contains(&source.name, name)),
            Term::Is(word) => transfer.state.word().to_lowercase().starts_with(word.as_str()),
        })
    }

    /// Whether a peer is shown.
    pub(crate) fn shows_peer(&self, peer: &PeerView) -> bool {
        self.terms.iter().all(|term| match term {
            Term::Word(word) | Term::Peer(word) => {
                contains(&peer.name, word) || peer.id.starts_with(word.as_str()) || peer.addr.starts_with(word.as_str())
            }
            Term::Is(quality) => match quality.as_str() {
                "trusted" => peer.trusted,
                "blocked" => peer.blocked,
                "getting" => peer.getting.is_some(),
                "online" => peer.online,
                "offline" => !peer.online,
                _ => false,
            },
        })
    }

    /// Whether something that takes space is shown.
    pub(crate) fn shows_space(&self, item: &SpaceItem) -> bool {
        self.terms.iter().all(|term| match term {
            Term::Word(word) => matches(&item.title, word) || matches(&item.game, word),
            Term::Peer(_) => false,
            Term::Is(quality) => item.what.word().starts_with(quality.as_str()),
        })
    }

    /// Whether a link is shown.
    pub(crate) fn shows_link(&self, link: &LinkView) -> bool {
        self.terms.iter().all(|term| match term {
            Term::Word(word) | Term::Peer(word) => {
                contains(&link.name, word) || link.peer.starts_with(word.as_str()) || contains(&link.addr, word)
            }
            Term::Is(quality) => match quality.as_str() {
                "draining" => link.draining,
                "lan" => link.path == LinkPath::Lan,
                "routed" => link.path == LinkPath::Routed,
                "dialled" => link.dialled,
                _ => false,
            },
        })
    }
}

/// Qualities that `is:` asks for on a tab, besides the states; the tests of each tab see that they are understood.
pub(crate) fn qualities(screen: Screen) -> &'static [&'static str] {
    match screen {
        Screen::Library => &[
            "available",
            "checking",
            "downloaded",
            "failed",
            "getting",
            "here",
            "installing",
            "marked",
            "offline",
            "paused",
            "pinned",
            "private",
            "ready",
            "update",
            "waiting",
        ],
        Screen::Transfers => &["checking", "failed", "getting", "installing", "paused", "waiting"],
        Screen::Peers => &["blocked", "getting", "offline", "online", "trusted"],
        Screen::Links => &["dialled", "draining", "lan", "routed"],
        Screen::Space => &["download", "game", "payload", "replaced"],
        Screen::Log => &[],
    }
}

fn game_is(game: &GameView, facts: Facts, quality: &str) -> bool {
    match quality {
        "update" => game.update.is_some(),
        "private" => game.private.is_some(),
        "pinned" => game.pinned.is_some(),
        "here" => game.builds.iter().any(|build| build.ours),
        "marked" => facts.marked,
        word => {
            // What is here, and could not be made playable, wants its user too.
            let is_stuck = facts.state == StateWord::Downloaded && !game.reason.is_empty();
            facts.state.word().to_lowercase().starts_with(word) || is_stuck && "failed".starts_with(word)
        }
    }
}

/// Whether `word`, in lower case, is in `text`, or is made of the beginnings of its words.
pub(crate) fn matches(text: &str, word: &str) -> bool {
    let text = text.to_lowercase();
    text.contains(word) || is_made_of_beginnings(&text, word)
}

/// How well `text`, in lower case, is meant by `word`: it begins so, one of its words does, it holds it, or only its
/// beginnings or its id do.
fn rank(text: &str, word: &str) -> u8 {
    let begins_a_word = |(at, _)| at > 0 && !text[..at].ends_with(char::is_alphanumeric);
    match text.find(word) {
        Some(0) => 0,
        Some(_) if text.match_indices(word).any(begins_a_word) => 1,
        Some(_) => 2,
        None => 3,
    }
}

fn contains(text: &str, word: &str) -> bool {
    text.to_lowercase().contains(word)
}

/// Whether each character of `word` follows the one before in `text` or begins one of its words.
fn is_made_of_beginnings(text: &str, word: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let begins = |at: usize| text[at].is_alphanumeric() && (at == 0 || !text[at - 1].is_alphanumeric());
    // Where the last matched character may have been; every possibility is kept, so no choice is a wrong one.
    let mut ends: Vec<bool> = Vec::new();
    for c in word.chars() {
        let first_before = ends.iter().position(|end| *end);
        let next: Vec<bool> = (0..text.len())
            .map(|at| {
                text[at] == c
                    && if ends.is_empty() {
                        begins(at)
                    } else {
                        (at > 0 && ends[at - 1]) || (begins(at) && first_before.is_some_and(|first| first < at))
                    }
            })
            .collect();
        if !next.contains(&true) {
            return false;
        }
        ends = next;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::BuildView;

    fn check(filter: &str, title: &str, expect: bool) {
        let build = BuildView { ours: true, holders: vec!["nas-01".into(), "seat-04".into()], ..BuildView::default() };
        let game = GameView {
            id: "coh".into(),
            title: title.into(),
            builds: vec![build],
            private: Some("symlinks".into()),
            ..GameView::default()
        };
        let facts = Facts { state: StateWord::Waiting, marked: false };
        assert_eq!(Filter::parse(filter).shows_game(&game, facts), expect, "{filter:?} on {title:?}");
    }

    #[test]
    fn words_match_inside_and_by_beginnings() {
        check("", "Company of Heroes", true);
        check("hero", "Company of Heroes", true);
        check("HERO comp", "Company of Heroes", true);
        check("hero x", "Company of Heroes", false);
        check("cohe", "Company of Heroes", true);
        check("comhe", "Company of Heroes", true);
        check("cmp", "Company of Heroes", false);
        check("ut2004", "Unreal Tournament 2004", true);
        check("日本", "日本語", true);
        check("本語", "日本語", true);
    }

    #[test]
    fn what_could_not_be_installed_is_among_what_failed() {
        let check = |state, reason: &str, filter: &str, expect| {
            let game = GameView { reason: reason.into(), ..GameView::default() };
            let facts = Facts { state, marked: false };
            assert_eq!(Filter::parse(filter).shows_game(&game, facts), expect, "{filter:?} {state:?} {reason}");
        };
        check(StateWord::Downloaded, "pak2.zip is broken", "is:failed", true);
        check(StateWord::Downloaded, "pak2.zip is broken", "is:downloaded", true);
        check(StateWord::Downloaded, "pak2.zip is broken", "is:ready", false);
        check(StateWord::Downloaded, "", "is:failed", false);
        check(StateWord::Ready, "2 files differ", "is:failed", false);
        check(StateWord::Failed, "it is broken", "is:failed", true);
    }

    #[test]
    fn what_begins_so_ranks_before_what_only_holds_it() {
        let rank = |filter: &str, title: &str| {
            Filter::parse(filter).rank_of_game(&GameView { title: title.into(), ..GameView::default() })
        };
        let titles = ["Warsow", "Dawn of War", "Hedgewars", "World Arena Racing"];
        assert_eq!(titles.map(|title| rank("war", title)), [0, 1, 2, 3]);
        assert_eq!(rank("is:ready @nas", "Warsow"), 0);
        assert_eq!(rank("of war", "Dawn of War"), 1);
        assert_eq!(rank("女", "東方女"), 2);
    }

    #[test]
    fn peers_and_qualities() {
        check("@nas", "X", true);
        check("@seat-9", "X", false);
        check("@", "X", true);
        check("is:wait", "X", true);
        check("is:ready", "X", false);
        check("is:private is:here", "X", true);
        check("is:update", "X", false);
        check("is:", "X", true);
    }
}
