"""AudioSep: ResUNet30 conditioned on a text query."""
