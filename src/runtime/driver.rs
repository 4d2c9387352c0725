//! Starts the actors, owns their inputs, stops them in order.
