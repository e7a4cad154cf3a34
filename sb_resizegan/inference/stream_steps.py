"""What computes a hop of a stream: a generator in PyTorch, or an ONNX file without one."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
import torch

from sb_resizegan.inference.model_sources import ModelSourceError
from sb_resizegan.inference.seeded_latents import LATENT_FRAMES, SeededLatents
from sb_resizegan.models.hop_module import StreamingStep

__all__ = ["OnnxStep", "StepLatents", "StreamStep", "TorchStep"]

# What an ONNX file says of itself; see sb_resizegan.training.onnx_export.
FORMAT = "sb_resizegan streaming step 1"


class StreamStep(Protocol):
    """One hop of a stream, in NumPy."""

    hop: int
    sample_rate: int
    latent_dim: int

    def initial(self, streams: int) -> list[Any]:
        """States before the first hop."""

    def __call__(
        self, samples: np.ndarray, latent: np.ndarray | None, states: list[Any]
    ) -> tuple[np.ndarray, list[Any]]:
        """From a hop ``(streams, hop)`` to the enhanced hop before it, and the states for the next."""


class TorchStep:
    """A hop through a causal generator.

    Arguments
    ---------
    generator : torch.nn.Module
        Causal.
    sample_rate : int
        Its rate in Hz.

    Raises
    ------
    ModelSourceError
        If the generator cannot run on a stream.

    Example
    -------
    >>> from sb_resizegan.models.spectral_generator import SpectralGenerator
    >>> step = TorchStep(SpectralGenerator(8, 8, 8, blocks=1, latent_dim=0, causal=True), 16000)
    >>> step(np.zeros((1, 256), dtype=np.float32), None, step.initial(1))[0].shape
    (1, 256)
    """

    def __init__(self, generator: Any, sample_rate: int) -> None:
        try:
            self._step = StreamingStep(generator, prepared=True).eval()
        except ValueError as error:
            raise ModelSourceError(f"this model cannot run on a stream: {error}") from error
        self._device = next(generator.parameters()).device
        self._step.to(self._device)
        self.hop, self.latent_dim, self.sample_rate = generator.hop, generator.latent_dim, sample_rate

    def initial(self, streams: int) -> list[torch.Tensor]:
        """States before the first hop of so many streams."""
        return list(self._step.initial(streams).values())

    def __call__(
        self, samples: np.ndarray, latent: np.ndarray | None, states: list[torch.Tensor]
    ) -> tuple[np.ndarray, list[torch.Tensor]]:
        """From a hop ``(streams, hop)`` to the enhanced hop before it, and the states for the next."""
        with torch.inference_mode():
            own = None if latent is None else torch.from_numpy(latent).to(self._device)
            enhanced, *after = self._step(torch.from_numpy(samples).to(self._device), own, *states)
            return enhanced.cpu().numpy(), after


class OnnxStep:
    """A hop through an ONNX file made by ``sb-resizegan export MODEL --onnx FILE``.

    Arguments
    ---------
    path : str or Path
        The file.
    threads : int
        Threads of onnxruntime. A hop is too little work for more than one.

    Raises
    ------
    ModelSourceError
        If there is no such file, it is damaged or cut off, or it holds another kind of model.
    """

    def __init__(self, path: str | os.PathLike, threads: int = 1) -> None:
        from sb_resizegan.utils.extras import require

        require(["onnxruntime"], "onnx", "an ONNX file")
        import onnxruntime

        if not Path(path).is_file():
            raise ModelSourceError(f"{path}: no such file")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 4  # errors are raised as well
        try:
            self._session = onnxruntime.InferenceSession(
                os.fspath(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has one class for each kind of damage
            reason = " ".join(str(error).split())[:200]
            raise ModelSourceError(
                f"{path}: expected an ONNX file, but onnxruntime says: {reason}"
            ) from error
        said = self._session.get_modelmeta().custom_metadata_map
        if said.get("format") != FORMAT:
            raise ModelSourceError(
                f"{path}: expected an ONNX file of the format {FORMAT!r}, made by `sb-resizegan export`, "
                f"but its metadata say {said.get('format')!r}"
            )
        self.metadata = dict(said)
        try:
            self.hop, self.sample_rate, self.latent_dim = (
                int(said[name]) for name in ("hop", "sample_rate", "latent_dim")
            )
        except (KeyError, ValueError) as error:
            raise ModelSourceError(
                f"{path}: expected metadata hop, sample_rate and latent_dim that are whole numbers, "
                f"but got {self.metadata}"
            ) from error
        self._outputs = [output.name for output in self._session.get_outputs()]
        inputs = {entry.name: entry.shape for entry in self._session.get_inputs()}
        self._states = {
            name: shape for name, shape in inputs.items() if name not in ("samples", "latent", "noisy_share")
        }
        expected = {"samples": [1, self.hop], "noisy_share": [1]}
        if self.latent_dim:
            expected["latent"] = [1, self.latent_dim]
        found = {name: shape for name, shape in inputs.items() if name not in self._states}
        names = ["enhanced", *(f"{name}_after" for name in self._states)]
        if found != expected or self._outputs != names:
            raise ModelSourceError(
                f"{path}: expected the inputs {expected} beside states, and the outputs {names}, "
                f"but got {found} and {self._outputs}"
            )
        self._share = np.zeros(1, dtype=np.float32)  # the stream does its own mixing

    def initial(self, streams: int) -> list[list[np.ndarray]]:
        """States before the first hop; files are made for one stream, and more take turns."""
        zeros = [np.zeros(shape, dtype=np.float32) for shape in self._states.values()]
        return [list(zeros) for _ in range(streams)]

    def __call__(
        self, samples: np.ndarray, latent: np.ndarray | None, states: list[list[np.ndarray]]
    ) -> tuple[np.ndarray, list[list[np.ndarray]]]:
        """From a hop ``(streams, hop)`` to the enhanced hop before it, and the states for the next."""
        rows, after = [], []
        for number, own in enumerate(states):
            feeds = {"samples": samples[number : number + 1], "noisy_share": self._share}
            if latent is not None:
                feeds["latent"] = latent[number : number + 1]
            row, *left = self._session.run(
                self._outputs, {**feeds, **dict(zip(self._states, own, strict=True))}
            )
            rows.append(row)
            after.append(left)
        return np.concatenate(rows), after


class StepLatents:
    """The latents of a stream, one hop after the other: those of one pass with the same seed.

    Arguments
    ---------
    latent_dim, hop : int
        Size of a latent; samples for each.
    seed : int
        As of `enhance_batch()`.

    Example
    -------
    >>> latents = StepLatents(4, 256, seed=0)
    >>> latents.of_hop(5).shape, bool((latents.of_hop(5) == latents.of_hop(5)).all())
    ((4,), True)
    """

    def __init__(self, latent_dim: int, hop: int, seed: int) -> None:
        self.latent_dim = latent_dim
        drawn = SimpleNamespace(latent_dim=latent_dim, latent_hop=hop, sample_latent=self._sample)
        self._latents = SeededLatents(drawn, seed, 0)
        self._piece, self._values = -1, np.zeros((0, 0))
        self._hop = hop

    def _sample(self, batch: int, time: int, random: torch.Generator) -> torch.Tensor:
        # As sb_resizegan.models.enhancement_generator.EnhancementGenerator draws them.
        return torch.randn(batch, self.latent_dim, time // self._hop, generator=random)

    def of_hop(self, number: int) -> np.ndarray | None:
        """The latent ``(latent_dim,)`` of a hop; None for a deterministic model."""
        if not self.latent_dim:
            return None
        piece, place = divmod(number, LATENT_FRAMES)
        if piece != self._piece:
            frames = self._latents.frames(piece * LATENT_FRAMES, LATENT_FRAMES)
            assert frames is not None  # there are latents
            self._piece, self._values = piece, frames[0].T.contiguous().numpy()
        return self._values[place]
