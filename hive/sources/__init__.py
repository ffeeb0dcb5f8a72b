"""Where clips come from: one file a corpus, and the pool that they are gathered in."""
