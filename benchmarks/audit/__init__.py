"""`hive-bench metrics audit`: the metrics against closed forms, libraries and test vectors."""
