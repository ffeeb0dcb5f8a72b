"""How much of a test split a model may have heard: its clips sought in declared training sets.

Three kinds of evidence, of which one is enough: the same recording by its id, the same samples by
their hash, the same sound by its fingerprint (`hive.fingerprint`). What each finds and misses is
measured in `docs/contamination.md`.
"""
