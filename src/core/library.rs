//! What we hold and what every peer of the room holds; which build is the latest.
