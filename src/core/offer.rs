//! The server's choice: which chunk a getter is sent next.
