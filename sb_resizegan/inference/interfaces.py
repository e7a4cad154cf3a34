"""What all models share: loading that checks what SpeechBrain's ``Pretrained`` leaves unchecked."""

import torch
from speechbrain.inference.interfaces import Pretrained

from sb_resizegan.inference.model_sources import ModelSourceError, find_model


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
    sb_resizegan.inference.model_sources.ModelSourceError: ...: weights of another architecture: ...
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
    ``TASK`` is what an exported yaml says under ``task``; a yaml without it is taken on trust.
    """

    TASK = None

    @classmethod
    def from_hparams(cls, source, hparams_file="hyperparams.yaml", **kwargs):
        """Loads a model.

        A ``hyperparams.yaml`` is a program: it constructs whatever it names. Load models from sources that
        you trust.

        Arguments
        ---------
        source : str or Path
            The name of a model that comes with the package
            (:func:`~sb_resizegan.inference.model_sources.shipped_models`), a folder made by
            ``recipes/export.py`` or at the end of a training, or ``user/model`` on the Hugging Face Hub. A
            name comes before a folder of the same name; write ``./NAME`` for the folder.
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
        found = find_model(source, hparams_file)
        try:
            return super().from_hparams(found, hparams_file, **kwargs)
        except ModelSourceError:
            raise
        except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
            raise ModelSourceError(f"{source}: could not load a {cls.__name__} from it: {error}") from error

    def __init__(self, modules=None, hparams=None, **kwargs):
        task = (hparams or {}).get("task", self.TASK)
        if self.TASK is not None and task != self.TASK:
            fitting = [c.__name__ for c in CheckedPretrained.__subclasses__() if task == c.TASK]
            raise ModelSourceError(
                f"{type(self).__name__} loads models with the task {self.TASK!r}, but this one's is {task!r}"
                + "".join(f"; load it with {name}" for name in fitting)
            )
        missing = [name for name in self.MODULES_NEEDED if name not in (modules or {})]
        if missing:
            raise ModelSourceError(
                f"{type(self).__name__} needs the modules {self.MODULES_NEEDED}, "
                f"but {missing} are not under 'modules' in its yaml"
            )
        super().__init__(modules=modules, hparams=hparams, **kwargs)
