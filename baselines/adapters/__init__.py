"""Models that run elsewhere: another process, or files on disk; one file a system."""
