//! Who is in the room: whom to dial, which link stays, who is refused.
