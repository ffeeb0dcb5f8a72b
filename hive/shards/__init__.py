"""WebDataset shards: writing, reading, checking, the dataset card and the `datasets` builder."""
