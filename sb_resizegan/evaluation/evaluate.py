"""The test stage: enhances utterances with some systems and leaves a table, pictures and sounds."""

import csv
from pathlib import Path

from sb_resizegan.evaluation.outputs import choose_shown, enhance_utterances, folder_name, write_signal
from sb_resizegan.evaluation.scoring import score_utterances
from sb_resizegan.evaluation.table import EnhancementTable
from sb_resizegan.metrics.latents import describe_variation, latent_variation
from sb_resizegan.report.enhancement_figures import pesq_figure, utterances_figure
from sb_resizegan.report.measures_csv import write_measures

__all__ = ["evaluate_systems", "read_examples", "read_variation"]

RESERVED = ("noisy", "clean")


def evaluate_systems(
    utterances,
    systems,
    output_folder,
    sample_rate=16000,
    device="cpu",
    official=True,
    dnsmos=None,
    jobs=None,
    shown=4,
    save_audio=False,
    latents=None,
    num_samples=8,
    latent_utterances=20,
    remarks=(),
    progress=None,
):
    """Scores enhancers, and noisy speech as it is, on a set of utterances.

    In ``output_folder`` it leaves ``scores.md`` (the table), ``scores.csv`` (a row for each utterance and
    system), ``pesq_by_snr.png``, ``latents.csv``, ``examples/`` (sounds and spectrograms of a few utterances,
    listed in ``examples.csv``) and, if wanted, ``enhanced/SYSTEM/NAME.wav``.
    :func:`~sb_resizegan.report.enhancement_page.write_enhancement_report` makes a page of it.

    Arguments
    ---------
    utterances : sequence of Utterance
        The set.
    systems : dict of str to callable
        By name, functions from noisy speech ``(batch, time)`` on ``device`` to enhanced speech of the same
        shape. Utterances come one by one.
    output_folder : str or Path
        Made if need be.
    sample_rate : int
        16000 Hz.
    device : str or torch.device
        Of the systems' input and of the batched PESQ.
    official : bool
        Whether to compute PESQ with the ``pesq`` package too.
    dnsmos : bool, optional
        Whether to compute DNSMOS; by default where ``speechmos`` is installed.
    jobs : int, optional
        Processes, see :func:`~sb_resizegan.evaluation.scoring.score_utterances`.
    shown : int
        Utterances to look at and listen to, spread over the signal-to-noise ratios.
    save_audio : bool
        Whether to write all enhanced utterances.
    latents : dict of str to callable, optional
        By the name of a system, a function as :func:`~sb_resizegan.metrics.latents.latent_variation` takes
        it; measures how much the system's output varies.
    num_samples : int
        Latents for each utterance in that.
    latent_utterances : int
        Utterances in that, at most, spread over the signal-to-noise ratios.
    remarks : sequence of str
        Paragraphs to put below the table in ``scores.md``.
    progress : callable, optional
        Called with a number of utterances each time some are enhanced.

    Returns
    -------
    EnhancementTable
        With the rows ``noisy`` and those of the systems, in their order.

    Raises
    ------
    ValueError
        If there are no utterances, two have one name, a system is called ``noisy`` or ``clean``, or its
        output has a wrong shape.

    Example
    -------
    >>> import numpy as np
    >>> from sb_resizegan.dataio.utterances import Utterance
    >>> clean, noise = np.random.default_rng(0).standard_normal((2, 16000)).astype(np.float32)
    >>> utterances = [Utterance("a", clean + noise, clean, 0.0)]
    >>> folder = getfixture("tmp_path")
    >>> table = evaluate_systems(utterances, {"half": lambda x: x / 2}, folder, official=False, dnsmos=False)
    >>> list(table.systems), sorted(path.name for path in folder.iterdir())
    (['noisy', 'half'], ['examples', 'pesq_by_snr.png', 'scores.csv', 'scores.md'])
    """
    output_folder = Path(output_folder)
    taken = [name for name in RESERVED if name in systems]
    if taken:
        raise ValueError(f"systems: expected names other than {list(RESERVED)}, but got {taken[0]!r}")
    noisy = [utterance.noisy for utterance in utterances]
    outputs = {"noisy": noisy}
    for name, enhance in systems.items():
        outputs[name] = enhance_utterances(enhance, noisy, device, progress)
    # One call for all systems: processes start but once.
    scores = score_utterances(
        [utterance.clean for _ in outputs for utterance in utterances],
        [signal for signals in outputs.values() for signal in signals],
        sample_rate,
        official=official,
        jobs=jobs,
        device=device,
        dnsmos=dnsmos,
    )
    count = len(utterances)
    parts = {name: scores[n * count : (n + 1) * count] for n, name in enumerate(outputs)}
    table = EnhancementTable.of(utterances, parts)
    variation = {}
    for name, enhance in (latents or {}).items():
        chosen = [utterances[index] for index in choose_shown(utterances, latent_utterances)]
        variation[name] = latent_variation(
            enhance,
            [utterance.noisy for utterance in chosen],
            num_samples,
            clean=[utterance.clean for utterance in chosen],
            sample_rate=sample_rate,
            device=device,
        )
    if variation:
        write_measures([{"system": name, **row} for name, row in variation.items()], _latents(output_folder))
    else:
        _latents(output_folder).unlink(missing_ok=True)
    sentences = [f"{name}: {describe_variation(figures)}" for name, figures in variation.items()]
    table.write(output_folder, [*sentences, *remarks])
    pesq_figure(table, output_folder / "pesq_by_snr.png")
    _write_examples(utterances, outputs, choose_shown(utterances, shown), output_folder, sample_rate)
    if save_audio:
        for name in systems:
            for utterance, signal in zip(utterances, outputs[name], strict=True):
                path = _inside(output_folder / "enhanced", f"{name}/{utterance.name}.wav")
                write_signal(path, signal, sample_rate)
    return table


def read_examples(folder):
    """The examples that :func:`evaluate_systems` left.

    Arguments
    ---------
    folder : str or Path
        Its output folder.

    Returns
    -------
    list of tuple
        ``(name of the utterance, path of its spectrograms, [(version, path of a sound), …])``.

    Raises
    ------
    OSError, KeyError
        If there are none, or the list of them is damaged.
    """
    examples = Path(folder) / "examples"
    found = {}
    with open(examples / "examples.csv", newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            place = examples / row["folder"]
            _, _, sounds = found.setdefault(row["folder"], (row["utterance"], place / "spectrograms.png", []))
            sounds.append((row["version"], place / row["file"]))
    return list(found.values())


def read_variation(folder):
    """What :func:`evaluate_systems` found out about latents.

    Arguments
    ---------
    folder : str or Path
        Its output folder.

    Returns
    -------
    dict of str to dict
        Figures of :func:`~sb_resizegan.metrics.latents.latent_variation` by system; empty if there are none.
    """
    path = _latents(Path(folder))
    if not path.is_file():
        return {}
    with open(path, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    counts = ("latent_samples", "latent_utterances", "latent_pesq_utterances")
    return {
        row["system"]: {
            name: int(text) if name in counts else float(text)
            for name, text in row.items()
            if name != "system"
        }
        for row in rows
    }


def _latents(folder):
    return folder / "latents.csv"


def _write_examples(utterances, outputs, shown, output_folder, sample_rate):
    rows = []
    for position, index in enumerate(shown):
        utterance = utterances[index]
        versions = {name: signals[index] for name, signals in outputs.items()} | {"clean": utterance.clean}
        folder = folder_name(position, utterance.name)
        place = output_folder / "examples" / folder
        utterances_figure({utterance.name: versions}, place / "spectrograms.png", sample_rate)
        for number, (version, signal) in enumerate(versions.items()):
            file = f"{folder_name(number, version)}.wav"
            write_signal(place / file, signal, sample_rate)
            rows.append({"folder": folder, "utterance": utterance.name, "version": version, "file": file})
    if rows:
        write_measures(rows, output_folder / "examples" / "examples.csv")


def _inside(folder, name):
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"expected names of systems and utterances within a folder, but got {name!r}")
    return path
