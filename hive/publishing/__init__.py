"""Publishing a finished dataset on the Hugging Face hub."""
