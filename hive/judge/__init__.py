"""A judge of separated sounds: SAM-Audio Judge in a process of its own, or a stand-in for tests."""
