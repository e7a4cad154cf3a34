"""Started as a process: calls the package ``pesq``, which ends its process on some long recordings."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    # The first place of the search is this folder, which has a package pesq of its own.
    sys.path.pop(0)

    import numpy as np
    import pesq
    import torch

    # Twice as fast, with the same scores.
    torch.set_flush_denormal(True)

    def score(rate: int, reference: bytes, estimate: bytes) -> float | str:
        """PESQ-WB, or the name of the error that says why there is none."""
        signals = [np.frombuffer(signal, dtype=np.float32) for signal in (reference, estimate)]
        try:
            return float(pesq.pesq(rate, *signals, "wb"))
        except (pesq.PesqError, ValueError) as error:
            return type(error).__name__

    answer = runpy.run_path(str(Path(__file__).with_name("lone_process.py")))["answer"]
    answer(score)
    sys.exit()
