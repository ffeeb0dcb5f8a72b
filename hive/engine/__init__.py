"""ClearSep's data engine: natural recordings become independent tracks.

Cheng et al., "Unleashing the Power of Natural Audio Featuring Multiple Sound Sources" (ICML 2025),
section 3.3 and appendix A.2. A recording whose labels name several events is separated once for
each of them, with the others as what to drop; it is kept where its tracks add up to it again.
"""
