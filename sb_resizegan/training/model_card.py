"""The card of an exported model: what a training's output folder knows about it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from speechbrain.utils.checkpoints import METAFNAME

from sb_resizegan import __version__

__all__ = ["model_card"]

LOAD = """\
```python
from sb_resizegan.inference import {interface}

{interface}.from_hparams(source="THIS FOLDER").{use}
```

SpeechBrain's own interfaces load it where sb_resizegan is installed:

```python
from speechbrain.inference.interfaces import foreign_class

foreign_class(source="THIS FOLDER").{use}
```
"""
ENHANCEMENT = """
```python
from speechbrain.inference.enhancement import WaveformEnhancement

WaveformEnhancement.from_hparams(source="THIS FOLDER").enhance_file("noisy.wav", "enhanced.wav")
```
"""


def model_card(
    interface: Any,
    description: str,
    use: str,
    hparams: Mapping[str, Any],
    weights: Mapping[str, torch.Tensor],
    checkpoint: str | os.PathLike,
) -> str:
    """Writes the card of a model.

    Arguments
    ---------
    interface : type
        The class that loads it.
    description, use : str
        What it is, and the call that uses it.
    hparams : dict
        The training's yaml, references filled in.
    weights : dict of str to torch.Tensor
        Of the generator.
    checkpoint : str or Path
        The checkpoint that they come from.

    Returns
    -------
    str
        Markdown.
    """
    parts = [f"# {description}\n", LOAD.format(interface=interface.__name__, use=use)]
    if interface.TASK == "enhancement":
        parts.append(ENHANCEMENT)
    generator = hparams["generator"]
    count = sum(value.numel() for value in weights.values())
    kind = str(getattr(generator, "tag", "")).rpartition(".")[2].strip("'\")>") or type(generator).__name__
    rows = {"generator": kind, "numbers in its weights": count, "sampling rate, Hz": hparams["sample_rate"]}
    arguments = generator if isinstance(generator, Mapping) else {}
    parts.append("\n## Model\n" + _table({**rows, **arguments}))
    # Paths belong to the machine that trained; a card goes elsewhere.
    plain = {
        key: value
        for key, value in hparams.items()
        if isinstance(value, str | int | float) and "/" not in str(value) and not hasattr(value, "tag")
    }
    parts.append(f"\n## Training\n{_table(plain)}\nTrained and exported with sb_resizegan {__version__}.\n")
    figures = {key: value for key, value in _figures(checkpoint).items() if isinstance(value, int | float)}
    parts.append("\n## Figures\nOf the validation at this checkpoint:\n\n" + _table(figures))
    parts.append(
        "\n## Data and licence\nState here what the model was trained on, and under which licence the "
        "weights are given, before you share it.\n"
    )
    return "".join(parts)


def _figures(checkpoint: str | os.PathLike) -> dict[str, Any]:
    path = Path(checkpoint) / METAFNAME
    meta = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    return meta if isinstance(meta, dict) else {}


def _table(rows: Mapping[str, Any]) -> str:
    lines = [
        f"| {key} | {f'{value:.4g}' if isinstance(value, float) else value} |"
        for key, value in rows.items()
        if value is not None
    ]
    return "\n".join(["| | |", "| --- | --- |", *lines, ""])
