"""One ONNX file of the streaming step of a causal model, with its transforms and states."""

import logging
import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sb_resizegan import __version__
from sb_resizegan.inference.model_sources import ModelSourceError
from sb_resizegan.inference.stream_steps import FORMAT
from sb_resizegan.models.hop_module import StreamingStep
from sb_resizegan.utils.extras import require
from sb_resizegan.utils.files import replacing

__all__ = ["OPSET", "export_onnx", "quantise_onnx"]

OPSET = 18
# Hops on which the file is compared with PyTorch before it is written, and how far it may be off.
COMPARED, TOLERANCE = 30, 1e-5
# Levels of the noise in these: what is added lest anything be divided by zero counts where it is quiet.
LEVELS = (0.0, 1e-4, 0.1, 1e-3, 0.0)


class OnnxStep(torch.nn.Module):
    """A streaming step that mixes its input in, with one latent input if there are latents.

    Arguments
    ---------
    step : StreamingStep
        Of the model.
    """

    def __init__(self, step: StreamingStep) -> None:
        super().__init__()
        self.step = step

    def forward(self, samples: torch.Tensor, noisy_share: torch.Tensor, *rest: torch.Tensor) -> tuple:
        """As `StreamingStep`; the share of the input comes second, and states last."""
        latent, states = (rest[0], rest[1:]) if self.step.generator.latent_dim else (None, rest)
        enhanced, heard, *after = self.step(samples, latent, *states)
        # One value cannot have two names, so the hop, which is a state, is copied. The first state given is
        # the hop before, which the enhanced hop was made of.
        return enhanced + noisy_share * (states[0] - enhanced), heard.clone(), *after


def export_onnx(
    generator: Any, sample_rate: int, path: str | os.PathLike, said: Mapping[str, str] | None = None
) -> Path:
    """Writes the streaming step of a causal generator as an ONNX file.

    Its inputs are ``samples`` ``(1, hop)``, ``noisy_share`` ``(1,)`` (0 gives the model's output, 1 its
    input), ``latent`` ``(1, latent_dim)`` if the model has latents, and the states, zero at the beginning.
    Its outputs are ``enhanced`` ``(1, hop)``, the hop before the one given, and each state as ``NAME_after``.
    The metadata give format, rate, hop, size of the latent and latency.

    Arguments
    ---------
    generator : torch.nn.Module
        Causal.
    sample_rate : int
        In Hz.
    path : str or Path
        The file to be made.
    said : mapping, optional
        More metadata, such as the model's name and licence.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ModelSourceError
        If the generator cannot run on a stream, or what was written does not give what PyTorch gives.
    OSError
        If the file cannot be written.
    """
    require(["onnx", "onnxscript", "onnxruntime"], "onnx", "an ONNX file")
    try:
        step = StreamingStep(generator).cpu().eval()
    except ValueError as error:
        raise ModelSourceError(f"this model cannot run on a stream: {error}") from error
    states = step.initial()
    inputs = {"samples": torch.zeros(1, step.hop), "noisy_share": torch.zeros(1)}
    if generator.latent_dim:
        inputs["latent"] = torch.zeros(1, generator.latent_dim)
    inputs.update(states)
    with _quietly():
        program = torch.onnx.export(
            OnnxStep(step),
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=["enhanced", *(f"{name}_after" for name in states)],
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
            # The optimiser takes numbers like 1e-8 for zero and drops what adds them: silence became NaN.
            optimize=False,
        )
    if program is None:
        raise ModelSourceError(f"{path}: PyTorch made no ONNX program of {type(generator).__name__}")
    program.model.metadata_props.update(
        {
            "format": FORMAT,
            "made_by": f"sb_resizegan {__version__}",
            "sample_rate": str(sample_rate),
            "hop": str(step.hop),
            "latent_dim": str(generator.latent_dim),
            "latency_seconds": f"{2 * step.hop / sample_rate:g}",
            **(said or {}),
        }
    )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        program.save(os.fspath(temporary), external_data=False)
        _compare(step, inputs, temporary)
    return path


def _compare(step: StreamingStep, inputs: Mapping[str, torch.Tensor], path: Path) -> None:
    """Runs some hops of silence and of noise through both."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    feeds = {name: value.numpy() for name, value in inputs.items()}
    states, names = list(step.initial().values()), list(step.initial())
    for number in range(COMPARED):
        level = LEVELS[number * len(LEVELS) // COMPARED]
        feeds["samples"] = level * random.standard_normal(feeds["samples"].shape).astype(np.float32)
        latent = None
        if "latent" in feeds:
            feeds["latent"] = random.standard_normal(feeds["latent"].shape).astype(np.float32)
            latent = torch.from_numpy(feeds["latent"])
        with torch.inference_mode():
            enhanced, *states = step(torch.from_numpy(feeds["samples"]), latent, *states)
        output, *after = session.run(None, feeds)
        feeds.update(zip(names, after, strict=True))
        off = float(np.abs(output - enhanced.numpy()).max())
        if not off <= TOLERANCE:
            raise ModelSourceError(
                f"onnxruntime is {off:.1e} of full scale off PyTorch, more than {TOLERANCE}"
            )


@contextmanager
def _quietly() -> Iterator[None]:
    """PyTorch's exporter tells of its own affairs at length."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def quantise_onnx(source: str | os.PathLike, path: str | os.PathLike) -> Path:
    """Writes an ONNX file whose LSTMs and linear layers have weights of 8 bits.

    Activations are quantised as they come. The Fourier transforms stay as they are, for their error would be
    heard in every frame.

    Arguments
    ---------
    source : str or Path
        An ONNX file.
    path : str or Path
        The one to be made.

    Returns
    -------
    Path
        The file.
    """
    import onnx
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = Path(path)
    with tempfile.TemporaryDirectory() as folder:
        # Weights that are turned or joined first are constants only after they have been folded.
        folded, options = Path(folder) / "folded.onnx", onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = os.fspath(folded)
        onnxruntime.InferenceSession(os.fspath(source), options, providers=["CPUExecutionProvider"])
        transforms = [
            node.name
            for node in onnx.load(folded).graph.node
            if node.op_type == "MatMul"
            and any("analysis" in name or "synthesis" in name for name in node.input)
        ]
        if len(transforms) != 2:
            raise ValueError(f"{source}: expected two matrices of transforms, but found {len(transforms)}")
        quantize_dynamic(
            folded,
            Path(folder) / "int8.onnx",
            op_types_to_quantize=["LSTM", "MatMul"],
            nodes_to_exclude=transforms,
            weight_type=QuantType.QInt8,
        )
        with replacing(path) as temporary:
            Path(temporary).write_bytes((Path(folder) / "int8.onnx").read_bytes())
    return path


def stated_licence(folder: Path) -> str:
    """What a model's card says of its licence: the section of that name, in one line."""
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    section = re.search(r"^## [^\n]*licence[^\n]*\n(.*?)(?=^## |\Z)", text, re.M | re.S | re.I)
    return " ".join(section.group(1).split()) if section else "not stated"
