//! A face's end of the runtime.
