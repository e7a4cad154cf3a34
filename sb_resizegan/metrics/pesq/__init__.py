"""Wide-band PESQ (ITU-T P.862.2) over a batch of tensors, on their device.

An independent implementation from the description of the standard; see ``docs/pesq.md``. To follow P.862
stage by stage, read ``level``, ``filters``, ``voice_activity``, ``envelope``, ``fine_delay``,
``utterances``, ``splitting`` and ``alignment`` (which calls the five before it), then ``perceptual``,
``disturbance``, ``bad_intervals``, ``aggregation``, and ``measure``, which puts them together.
"""

from sb_resizegan.metrics.pesq.inputs import PesqStatus
from sb_resizegan.metrics.pesq.measure import PesqDetails, pesq, pesq_details, pesq_raw

__all__ = ["PesqDetails", "PesqStatus", "pesq", "pesq_details", "pesq_raw"]
