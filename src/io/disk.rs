//! Every path below a game root is opened here, part by part and without following links.
