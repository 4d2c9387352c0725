//! Hello and everything else on a control stream.
