"""What a user loads: trained models behind SpeechBrain's ``Pretrained`` interface."""

import re
from pathlib import Path

import soundfile
import torch
from speechbrain.inference.interfaces import Pretrained

from sb_resizegan.dataio.audio import write_audio
from sb_resizegan.utils.random import derive_seed


class ModelSourceError(ValueError):
    """A model cannot be loaded from where it was said to be."""


def load_weights(module, path):
    """Loads a module's weights, executing nothing (``weights_only=True``).

    Arguments
    ---------
    module : torch.nn.Module
        What to load into.
    path : str or Path
        A file that ``torch.save(module.state_dict(), path)`` wrote.

    Raises
    ------
    ModelSourceError
        Naming the file, if it is missing, truncated, no weights, or of another architecture.

    Example
    -------
    >>> path = getfixture("tmp_path") / "layer.ckpt"
    >>> torch.save(torch.nn.Linear(2, 3).state_dict(), path)
    >>> load_weights(torch.nn.Linear(2, 4), path)
    Traceback (most recent call last):
    sb_resizegan.inference.ModelSourceError: ...: weights of another architecture: ...
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelSourceError(f"no such file of weights: {path}") from error
    except Exception as error:  # a damaged file raises what its first wrong byte leads to
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise ModelSourceError(
            f"{path}: expected weights, but the file is truncated or damaged: {reason}"
        ) from error
    try:
        module.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:400]
        raise ModelSourceError(f"{path}: weights of another architecture: {reason}") from error


class CheckedPretrained(Pretrained):
    """SpeechBrain's ``Pretrained`` with the checks that it leaves out.

    ``MODULES_NEEDED`` is enforced, and a source that is no model gives an error that names it at once.
    """

    @classmethod
    def from_hparams(cls, source, hparams_file="hyperparams.yaml", **kwargs):
        """Loads a model.

        A ``hyperparams.yaml`` is a program: it constructs whatever it names. Load models from sources that
        you trust.

        Arguments
        ---------
        source : str or Path
            A folder made by ``recipes/export.py`` or at the end of a training, or ``user/model`` on the
            Hugging Face Hub.
        hparams_file : str
            Name of the yaml file there.
        **kwargs
            Arguments of :func:`speechbrain.inference.interfaces.pretrained_from_hparams`, for instance
            ``run_opts={"device": "cuda"}``.

        Returns
        -------
        CheckedPretrained
            An instance of the class it was called on.

        Raises
        ------
        ModelSourceError
            If there is no model at the source, its yaml does not fit this class, or its weights are damaged.
        """
        folder = Path(source)
        if folder.is_dir():
            if not (folder / hparams_file).is_file():
                raise ModelSourceError(
                    f"{folder}: expected an exported model, but it has no {hparams_file}; "
                    "recipes/export.py makes one of a training's output folder"
                )
            if (folder / "save").is_dir():
                raise ModelSourceError(
                    f"{folder} is the output folder of a training; load {folder / 'export'}, "
                    "or make it with recipes/export.py"
                )
        elif not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", str(source)) or folder.parent.is_dir():
            raise ModelSourceError(f"no such model folder: {folder}")
        try:
            return super().from_hparams(str(source), hparams_file, **kwargs)
        except ModelSourceError:
            raise
        except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
            raise ModelSourceError(f"{source}: could not load a {cls.__name__} from it: {error}") from error

    def __init__(self, modules=None, hparams=None, **kwargs):
        missing = [name for name in self.MODULES_NEEDED if name not in (modules or {})]
        if missing:
            raise ModelSourceError(
                f"{type(self).__name__} needs the modules {self.MODULES_NEEDED}, "
                f"but {missing} are not under 'modules' in its yaml"
            )
        super().__init__(modules=modules, hparams=hparams, **kwargs)


class SpeechWindowGenerator(CheckedPretrained):
    """Generates windows of speech with a trained generator.

    Example
    -------
    >>> from sb_resizegan.models.window_generator import WindowGenerator
    >>> hparams = {"sample_rate": 16000, "lowpass_hz": 1500.0}
    >>> model = SpeechWindowGenerator({"generator": WindowGenerator()}, hparams, run_opts={"device": "cpu"})
    >>> model.generate(64, seed=0).shape
    torch.Size([64, 2048])
    """

    MODULES_NEEDED = ("generator",)
    HPARAMS_NEEDED = ("sample_rate", "lowpass_hz")

    @property
    def sample_rate(self):
        """Sampling rate of the windows in Hz."""
        return self.hparams.sample_rate

    @property
    def lowpass_hz(self):
        """Cut-off of the training data in Hz, or None for full-band data."""
        return self.hparams.lowpass_hz

    @property
    def factors(self):
        """Upsampling factor of each stage."""
        return self.mods.generator.factors

    @torch.no_grad()
    def generate(self, num_windows, seed=None, batch_size=256):
        """Generates windows.

        Arguments
        ---------
        num_windows : int
            How many, at least 1.
        seed : int, optional
            The same seed gives the same windows, on every device and for every ``batch_size``, to rounding.
        batch_size : int
            Windows computed at a time.

        Returns
        -------
        torch.Tensor
            ``(num_windows, window_samples)`` in [-1, 1], on the model's device.
        """
        if num_windows < 1 or batch_size < 1:
            raise ValueError(
                f"expected at least 1 for num_windows and batch_size, but got {num_windows} and {batch_size}"
            )
        random = None if seed is None else torch.Generator().manual_seed(derive_seed(seed, "generate"))
        latent = self.mods.generator.sample_latent(num_windows, random)
        with self.inference_ctx:
            return torch.cat([self.mods.generator(part).float() for part in latent.split(batch_size)])

    def forward(self, latent):
        """Windows ``(batch, window_samples)`` of given latents ``(batch, latent_dim)``."""
        with self.inference_ctx:
            return self.mods.generator(latent.to(self.device))

    def to_file(self, path, num_windows=64, seed=None):
        """Writes windows, joined end to end, as a sound file.

        Arguments
        ---------
        path : str or Path
            The file; its ending chooses the format (``.wav``, ``.flac``).
        num_windows : int
            How many windows.
        seed : int, optional
            As for :meth:`generate`.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ValueError
            For an ending that is no sound format.
        OSError
            If the file cannot be written; a file that was there before stays as it was.
        """
        path = Path(path)
        if path.suffix[1:].upper() not in soundfile.available_formats():
            raise ValueError(
                f"{path}: expected the ending of a sound format such as .wav, but got {path.suffix!r}"
            )
        windows = self.generate(num_windows, seed)
        write_audio(path, windows.flatten().cpu(), self.sample_rate)
        return path
