"""ClearSep: the separator of CLAPSep, with positive and negative queries."""
