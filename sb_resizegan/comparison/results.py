"""What finished trainings of a grid hold: generated windows, speech to compare, critics' gradients."""

from typing import Any

import torch

from sb_resizegan.comparison.grid import GridRun
from sb_resizegan.dataio.prepare.default_corpus import prepare_default_corpus
from sb_resizegan.dataio.speech_windows import SpeechWindows
from sb_resizegan.inference import SpeechWindowGenerator, load_weights
from sb_resizegan.metrics.gradients import gradient_waveforms
from sb_resizegan.training.checkpoints import AtomicCheckpointer

__all__ = ["GRADIENT_STATES", "Results"]

GRADIENT_STATES = ("untrained", "trained, at generated windows", "trained, at real windows")
"""Which critic, and at which windows, in the order of a table."""
GRADIENT_WINDOWS = 512
FRESH_CRITICS = 64
SEED = 0  # of latents and phase shuffles, the same for all runs


class Results:
    """Reads runs, and remembers what several of them share.

    Arguments
    ---------
    count : int
        Generated windows of a run; there are twice as many real ones.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._speech: dict[tuple, Any] = {}
        self._fresh: dict[str, Any] = {}

    def generated(self, run: GridRun, count: int | None = None) -> torch.Tensor:
        """Windows of the run's exported generator, ``(count, time)``, the same ones at each call."""
        model = SpeechWindowGenerator.from_hparams(source=run.folder / "export", run_opts={"device": "cpu"})
        return model.generate(count or self.count, seed=SEED)

    def real(self, run: GridRun) -> torch.Tensor:
        """Windows of files that the run was not trained on, ``(2 * count, time)``."""
        return self._windows(run, "valid").fixed(2 * self.count, run.seed)

    def train(self, run: GridRun) -> torch.Tensor:
        """Windows of files that the run was trained on, ``(4 * count, time)``."""
        return self._windows(run, "train").fixed(4 * self.count, run.seed)

    def gradients(self, run: GridRun) -> dict[str, torch.Tensor]:
        """Gradients of the run's critic with respect to windows, before and after the training.

        The critic scores as in training, with shuffled phases. Those of fresh critics are of many, and of
        unit energy each (see `measure_gradients()`).

        Arguments
        ---------
        run : GridRun
            A finished run.

        Returns
        -------
        dict of str to torch.Tensor
            ``(512, time)`` by the name of `GRADIENT_STATES`.
        """
        real = self.real(run)[:GRADIENT_WINDOWS]
        critic = run.fresh("critic", run.seed).train()
        kind = str(critic)
        if kind not in self._fresh:
            parts = real.tensor_split(min(FRESH_CRITICS, len(real)))
            self._fresh[kind] = torch.cat(
                [
                    _unit(_gradients(run.fresh("critic", seed).train(), part))
                    for seed, part in enumerate(parts)
                ]
            )
        newest = AtomicCheckpointer(run.folder / "save").find_checkpoint()
        load_weights(critic, newest.path / "critic.ckpt")
        tensors = (
            self._fresh[kind],
            _gradients(critic, self.generated(run, GRADIENT_WINDOWS)),
            _gradients(critic, real),
        )
        return dict(zip(GRADIENT_STATES, tensors, strict=True))

    def _windows(self, run: GridRun, name: str) -> Any:
        hparams = run.hparams
        data_folder = str(hparams["data_folder"] or prepare_default_corpus(hparams["language"]))
        settings = {
            key: hparams[key] for key in ("window_samples", "sample_rate", "lowpass_hz", "max_memory_gb")
        }
        manifest = run.folder / "save" / f"{name}.json"
        key = (manifest.read_text(encoding="utf-8"), data_folder, *settings.values())
        if key not in self._speech:
            self._speech[key] = SpeechWindows(manifest, data_root=data_folder, **settings)
        return self._speech[key]


def _gradients(critic: Any, windows: torch.Tensor) -> torch.Tensor:
    random = torch.Generator().manual_seed(SEED)
    return gradient_waveforms(lambda x: critic(x, critic.draw_shifts(len(x), random)), windows)


def _unit(waveforms: torch.Tensor) -> torch.Tensor:
    return waveforms / waveforms.square().mean().sqrt()
