"""Two small trained networks that come with the package, and how they were made."""
