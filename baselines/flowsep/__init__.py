"""FlowSep: rectified flow in the latent space of mel spectrograms, conditioned on a text query."""
