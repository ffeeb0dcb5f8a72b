"""The report: one HTML page about one or several runs, which needs nothing but itself."""
