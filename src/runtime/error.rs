//! Why the runtime could not start or had to stop.
