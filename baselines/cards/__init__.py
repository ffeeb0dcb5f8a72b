"""Model cards: what is known of a network and its training, as the README of its folder."""

from baselines.cards.facts import CardFacts, NetworkFacts, network_facts
from baselines.cards.render import card_text

__all__ = ["CardFacts", "NetworkFacts", "card_text", "network_facts"]
