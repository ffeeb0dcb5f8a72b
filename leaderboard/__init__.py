"""The leaderboard: what may stand on it, by the schema and the arithmetic of the results."""
