//! The HTTP front: parses, answers and sheds requests on port or socket.
