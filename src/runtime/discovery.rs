//! Keeps the mDNS announcement and browse alive and tells the links actor who is near.
