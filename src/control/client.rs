//! A face's end of the control socket.
