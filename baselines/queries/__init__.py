"""From the words of a query to the vector that a separation network is conditioned on."""
