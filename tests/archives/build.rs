//! Archives made byte by byte, to say what no tool would.
