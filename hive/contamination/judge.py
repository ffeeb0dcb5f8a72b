"""Whether a fingerprint says enough to be found again, told from the fingerprint alone."""

from __future__ import annotations

import numpy as np

from hive.fingerprint import MIN_EVIDENCE, compare
from hive.fingerprint.codes import SILENT, Codes

#: Bit error rate that a copy may have and is found: what MP3, Vorbis and other rates lead to.
COPY_ERROR_RATE = 0.15
#: What a fingerprint must reach with itself, so that a copy with that error rate is evidence.
NEEDED = MIN_EVIDENCE / (1.0 - 2.0 * COPY_ERROR_RATE)
_GAP = 4  # silent codes that part two events


def reach(codes: Codes) -> float:
    """Return the evidence of the best event of a fingerprint, compared with itself.

    An event is what sounds between two silences. A test clip may repeat a short sound, and a
    training recording hold it once: what counts is one event, not the clip.

    Args:
        codes: The fingerprint, shape (N,).
    """
    sounding = np.flatnonzero(codes != SILENT)
    edges = np.flatnonzero(np.diff(sounding) > _GAP) + 1
    events = [codes[part[0] : part[-1] + 1] for part in np.split(sounding, edges) if part.size]
    return max((compare(event, event, 0).evidence for event in events), default=0.0)
