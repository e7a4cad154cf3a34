"""Wide-band PESQ (ITU-T P.862.2) over a batch of tensors, on their device.

An independent implementation from the description of the standard; see ``docs/pesq.md``. To follow P.862
stage by stage: ``level``, ``filters`` (with ``recursion``), ``alignment`` (which calls ``voice_activity``,
``envelope``, ``fine_delay``, ``utterances`` and ``splitting`` in this order), ``perceptual``,
``disturbance``, ``bad_intervals``, ``aggregation``; ``measure`` puts them together.
"""

from sb_resizegan.metrics.pesq.inputs import PesqStatus
from sb_resizegan.metrics.pesq.loss import pesq_loss
from sb_resizegan.metrics.pesq.mos import pesq, pesq_details, pesq_raw
from sb_resizegan.metrics.pesq.pipeline import PesqDetails
from sb_resizegan.metrics.pesq.stateful import PesqStats

__all__ = ["PesqDetails", "PesqStats", "PesqStatus", "pesq", "pesq_details", "pesq_loss", "pesq_raw"]
