//! What one process believes about every processor, and the health messages that inform it.
