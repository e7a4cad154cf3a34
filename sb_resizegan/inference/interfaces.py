"""What all models share: loading that checks what SpeechBrain's ``Pretrained`` leaves unchecked."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from speechbrain.inference.interfaces import Pretrained, pretrained_from_hparams
from speechbrain.utils.fetching import FetchConfig, FetchFrom, FetchSource, LocalStrategy, link_with_strategy

import sb_resizegan.inference
from sb_resizegan.inference.model_sources import ModelSourceError, find_model
from sb_resizegan.inference.untrusted import load_untrusted

__all__ = ["CheckedPretrained"]


class CheckedPretrained(Pretrained):
    """SpeechBrain's ``Pretrained`` with the checks that it leaves out.

    ``MODULES_NEEDED`` is enforced, and a source that is no model gives an error that names it at once.
    ``TASK`` is what an exported yaml says under ``task``; a yaml without it is taken to fit.
    """

    TASK: str | None = None

    @classmethod
    def from_hparams(
        cls,
        source: str | os.PathLike | FetchSource,
        hparams_file: str = "hyperparams.yaml",
        overrides: Mapping | str = "",
        overrides_must_match: bool = True,
        savedir: str | os.PathLike | None = None,
        download_only: bool = False,
        local_strategy: LocalStrategy = LocalStrategy.SYMLINK,
        fetch_config: FetchConfig | None = None,
        trust: bool = False,
        revision: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Loads a model.

        HyperPyYAML runs what a yaml names. Here nothing is run: a yaml may construct the models of this
        package by their exact names, and whatever else it names is refused. ``trust=True`` loads as
        SpeechBrain does, for models of which you trust the author as you trust a program's.

        Arguments
        ---------
        source : str or Path
            The name of a model that comes with the package
            (`shipped_models()`), a folder made by ``sb-resizegan export`` or at the end of a training, or
            ``hf:user/model@REVISION`` on the Hugging Face Hub. A name comes before a folder of the same name;
            write ``./NAME`` for the folder.
        hparams_file : str
            Name of the yaml file there.
        overrides : dict or str
            Values to set in the yaml; without ``trust``, plain ones.
        overrides_must_match : bool
            Whether an override of a key that is not there is an error.
        savedir : str or Path, optional
            Folder to keep the model's files in, too. It must not hold another model.
        download_only : bool
            Check the model and fill ``savedir``, and return None.
        local_strategy : LocalStrategy
            Whether ``savedir`` gets links or copies.
        fetch_config : FetchConfig, optional
            SpeechBrain's; of it, ``revision`` counts.
        trust : bool
            Construct whatever the yaml names.
        revision : str, optional
            Of a model on the Hub, unless the source states it.
        **kwargs
            Arguments of the class, for instance ``run_opts={"device": "cuda"}``.

        Returns
        -------
        CheckedPretrained
            An instance of the class it was called on.

        Raises
        ------
        ModelSourceError
            If there is no model at the source, its yaml names what is not allowed or does not fit this class,
            or its weights are damaged.
        """
        if isinstance(source, FetchSource):
            if source.FetchFrom != FetchFrom.LOCAL:
                raise ModelSourceError(f"{source.path}: a model on the Hub is written hf:user/model@REVISION")
            source = Path(source.path)
        revision = revision or (fetch_config.revision if fetch_config else None)
        folder = find_model(source, hparams_file, revision)
        try:
            if trust:
                files = [path.name for path in sorted(folder.iterdir()) if path.is_file()]
                _keep_in(savedir, folder, files, local_strategy)
                return pretrained_from_hparams(
                    cls,
                    str(folder),
                    hparams_file,
                    overrides or {},
                    overrides_must_match,
                    download_only=download_only,
                    **kwargs,
                )
            hparams, files = load_untrusted(folder, hparams_file, overrides, overrides_must_match)
            _keep_in(savedir, folder, files, local_strategy)
            if download_only:
                return None
            return cls(modules=hparams["modules"], hparams={**hparams, "savedir": savedir}, **kwargs)
        except ModelSourceError:
            raise
        except (OSError, ValueError, KeyError, TypeError, ImportError, AttributeError) as error:
            raise ModelSourceError(f"{source}: could not load a {cls.__name__} from it: {error}") from error

    def __init__(
        self, modules: Mapping | None = None, hparams: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        task = (hparams or {}).get("task", self.TASK)
        if self.TASK is not None and task != self.TASK:
            # They are loaded on demand: only those that somebody asked for have been so far.
            public = [getattr(sb_resizegan.inference, name) for name in sb_resizegan.inference.__all__]
            fitting = [
                interface.__name__
                for interface in public
                if isinstance(interface, type) and getattr(interface, "TASK", None) == task
            ]
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


def _keep_in(
    savedir: str | os.PathLike | None, folder: Path, files: list[str], strategy: LocalStrategy
) -> None:
    """Links or copies a model's files into ``savedir``, unless another model's lie there."""
    if savedir is None or Path(savedir).resolve() == folder.resolve():
        return
    savedir = Path(savedir)
    savedir.mkdir(parents=True, exist_ok=True)
    for name in files:
        there = savedir / name
        if there.exists() and there.read_bytes() != (folder / name).read_bytes():
            raise ModelSourceError(
                f"savedir {savedir}: expected {name} of {folder}, but it holds another model's; "
                "choose another savedir or empty it"
            )
    for name in files:
        if not (savedir / name).exists():
            link_with_strategy(folder / name, savedir / name, strategy)
