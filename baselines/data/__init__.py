"""What networks are trained on: examples drawn from mixtures, and their augmentation."""
