//! What becomes of a move to another file system that was cut off. The game itself lies in one of three places: where it
//! was, put aside beside that, or where it goes; its copy waits beside where it goes, with a mark that outlives the rest.
//!
//! ```text
//!            crash: the copy goes                 crash: the copy arrives │ crash: the old one goes
//!   ─ mark ─ copy ─ Sync ─ Journal ─ put aside ──────────────── arrive ───┤
//!                                              drop the old one ─ its journal ─ the mark
//! ```

/// What is left where the game was, beside the games.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    /// Nothing.
    None,
    /// The game, or what has not been removed of it, with the journal of the move.
    Journalled,
    /// A folder in which nothing is any more: the journal is the last thing to go.
    Empty,
    /// Something that nothing says is ours.
    Theirs,
}

/// What there is of the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copy {
    /// Nothing that is of this move.
    None,
    /// It waits; it is whole if the game is put aside.
    Waits,
    /// It went to its place: there is only the mark.
    Gone,
}

/// What is found of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoveFound {
    /// Beside where the game was.
    pub aside: Aside,
    /// Beside where it goes.
    pub copy: Copy,
    /// A folder of its name is where it was.
    pub stayed: bool,
    /// A folder of its name is where it goes.
    pub arrived: bool,
}

/// What to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// The game is where it was: the copy goes, and the journal if it was written.
    Undo,
    /// The copy takes its place, then as [`Self::DropOld`].
    Arrive,
    /// The old one goes, then the mark.
    DropOld,
    /// The game goes back to where it was, then as [`Self::Undo`].
    BringBack,
    /// Nothing is touched; somebody has to look.
    Leave,
}

/// Decides.
#[must_use]
pub fn settle(found: MoveFound) -> Settle {
    match (found.aside, found.copy) {
        (Aside::None, _) => Settle::Undo,
        (Aside::Empty, Copy::None | Copy::Gone) => Settle::DropOld,
        (Aside::Journalled, Copy::Waits) if !found.arrived => Settle::Arrive,
        (Aside::Journalled, Copy::Gone) if found.arrived => Settle::DropOld,
        // The copy is gone, or somebody else's game is in its place.
        (Aside::Journalled, Copy::None | Copy::Waits | Copy::Gone) if !found.stayed => Settle::BringBack,
        (Aside::Journalled, _) | (Aside::Empty, Copy::Waits) | (Aside::Theirs, _) => Settle::Leave,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_that_was_cut_off_is_settled_by_what_is_found() {
        let check = |aside, copy, stayed, arrived, expect| {
            let found = MoveFound { aside, copy, stayed, arrived };
            assert_eq!(settle(found), expect, "{found:?}");
        };
        // As it goes, with a crash at each step.
        check(Aside::None, Copy::Waits, true, false, Settle::Undo);
        check(Aside::Journalled, Copy::Waits, false, false, Settle::Arrive);
        check(Aside::Journalled, Copy::Gone, false, true, Settle::DropOld);
        check(Aside::Empty, Copy::Gone, false, true, Settle::DropOld);
        check(Aside::None, Copy::Gone, false, true, Settle::Undo);
        // Somebody meddled.
        check(Aside::Journalled, Copy::None, false, false, Settle::BringBack);
        check(Aside::Journalled, Copy::Waits, false, true, Settle::BringBack);
        check(Aside::Journalled, Copy::Gone, false, false, Settle::BringBack);
        check(Aside::Journalled, Copy::None, true, false, Settle::Leave);
        check(Aside::Theirs, Copy::Gone, false, true, Settle::Leave);
    }

    #[test]
    fn the_old_game_only_goes_where_the_new_one_is_in_its_place() {
        for aside in [Aside::None, Aside::Journalled, Aside::Theirs] {
            for copy in [Copy::None, Copy::Waits, Copy::Gone] {
                for (stayed, arrived) in [(false, false), (false, true), (true, false), (true, true)] {
                    let found = MoveFound { aside, copy, stayed, arrived };
                    match settle(found) {
                        Settle::DropOld => assert!(arrived && copy == Copy::Gone, "{found:?}"),
                        Settle::Arrive => assert!(!arrived && aside == Aside::Journalled, "{found:?}"),
                        Settle::BringBack => assert!(!stayed, "{found:?}"),
                        Settle::Undo => assert_eq!(aside, Aside::None, "{found:?}"),
                        Settle::Leave => {}
                    }
                }
            }
        }
    }
}
