//! The runtime's end of the control socket.
