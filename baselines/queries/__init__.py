"""From the words of a query to the vector that a separation network is conditioned on.

Importing this does not import torch; `make_encoder` does when it is called.
"""

from baselines.queries.registry import kinds, make_encoder

__all__ = ["kinds", "make_encoder"]
