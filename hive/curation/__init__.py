"""From recordings to single-event clips: the stages, each a pure step with a reason for rejects."""
