"""What an enhancer is trained, validated and tested on: mixtures made on the fly, or pairs of a corpus."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from speechbrain.utils.distributed import run_on_main

from sb_resizegan.augment.mixing import NoisyMixtures
from sb_resizegan.augment.mixture_options import grouped_options
from sb_resizegan.augment.responses import check_responses
from sb_resizegan.dataio.alternating_source import AlternatingSource
from sb_resizegan.dataio.batch_source import BatchSource
from sb_resizegan.dataio.growing_source import GrowingSource
from sb_resizegan.dataio.noisy_batch import NoisyBatch
from sb_resizegan.dataio.pair_segments import PairedSegments
from sb_resizegan.dataio.prepare.pairs import prepare_pairs
from sb_resizegan.dataio.prepare.tars import is_tar, unpacked
from sb_resizegan.dataio.recordings import Recordings
from sb_resizegan.dataio.restoration_batch import RestorationBatch
from sb_resizegan.dataio.utterances import Utterance, read_utterances
from sb_resizegan.dataio.voices import balanced
from sb_resizegan.training.run_checks import RunError

DEFAULT_SPEECH = "prompts:en"
SHORTEST_RESPONSE = 0.02  # seconds
MIXING = (
    "snr_db",
    "level_db",
    "level_step",
    "babble",
    "coloured",
    "tonal",
    "talker",
    "second_noise",
    "switching",
    "reverberation",
    "narrow_band",
    "band",
    "clipping",
    "codec",
    "silence",
)
VALID_BATCH = 16


def segment_samples(hparams: Mapping[str, Any]) -> int:
    """Length of a training segment."""
    return round(hparams["segment_seconds"] * hparams["sample_rate"])


def mixtures(
    hparams: Mapping[str, Any], start_share: float = 1.0
) -> tuple[NoisyMixtures, NoisyMixtures | None]:
    """Mixtures to train on, and mixtures of other recordings unless there are pairs to validate on."""
    held_out = hparams["valid_data"] is None and hparams["data_folder"] is None
    train, valid = recordings_of(hparams, held_out, start_share)
    options = grouped_options(**{key: hparams[key] for key in MIXING})
    options["segment_samples"] = segment_samples(hparams)
    return NoisyMixtures(**train, **options), NoisyMixtures(**valid, **options) if valid else None


def recordings_of(
    hparams: Mapping[str, Any], held_out: bool, start_share: float = 1.0
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Speech, noise and rooms, by the words of `NoisyMixtures`: to train on, and held out where some are."""
    sources = {"clean": hparams["clean"] or DEFAULT_SPEECH, "noise": hparams["noise"], "rirs": hparams["rir"]}
    train: dict[str, Any] = {}
    valid: dict[str, Any] = {}
    for name, source in sources.items():
        if source is None:
            continue
        recordings = Recordings(
            source,
            hparams["sample_rate"],
            impulse_responses=name == "rirs",
            # The response of a small room is short.
            **({"min_seconds": SHORTEST_RESPONSE} if name == "rirs" else {}),
            cache_folder=hparams["cache_folder"],
            start_share=start_share,
        )
        if name == "rirs":
            check_responses(recordings, segment_samples(hparams))
        if name == "clean" and (hparams["balance_minutes"] is not None or hparams["source_weights"]):
            recordings = balance(recordings, source, hparams)
        if held_out:
            train[name], valid[name] = recordings.split(hparams["valid_fraction"], hparams["seed"])
        else:
            train[name] = recordings
    return train, valid


def balance(recordings: Recordings, source: Any, hparams: Mapping[str, Any]) -> Recordings:
    """Speech in which no voice counts for more than some minutes; each source by its weight."""
    sources = [source] if isinstance(source, str | Path) else source
    lists = [name for name in sources if str(name).lower().endswith(".csv")]
    minutes = hparams["balance_minutes"]
    most_seconds = float("inf") if minutes is None else 60 * minutes
    return balanced(recordings, lists, most_seconds, hparams["source_weights"])


def prepared(
    hparams: Mapping[str, Any], key: str, name: str, parts: Sequence[str], **options: Any
) -> tuple[Path, str]:
    """Manifests of a paired corpus: their folder, and where the corpus lies."""
    folder = Path(hparams["save_folder"]) / name
    options = {"sample_rate": hparams["sample_rate"], "seed": hparams["seed"], **options}
    source = hparams[key]
    if is_tar(source):
        source = unpacked(source, hparams["cache_folder"])
    report = run_on_main(prepare_pairs, args=(source, folder), kwargs=options)
    for part in parts:
        if part not in report:
            raise RunError(f"{key}: expected pairs for {parts}, but {hparams[key]} has none for {part!r}")
    return folder, report["data_root"]


def load_data(hparams: Mapping[str, Any]) -> tuple[BatchSource, list[Utterance], list[Utterance]]:
    """A source of training batches, the utterances to validate on, and those to test on."""
    try:
        source, utterances = load_training_data(hparams)
        return source, utterances, load_test_data(hparams) or utterances
    except (ValueError, OSError) as error:  # nothing usable, a setting out of range, a full disk
        raise RunError(error) from error


def load_training_data(hparams: Mapping[str, Any]) -> tuple[BatchSource, list[Utterance]]:
    """A source of training batches and the utterances to validate on."""
    if hparams["data_folder"] is None:
        share = hparams.get("start_share", 1.0)
        train, valid = mixtures(hparams, share)
        if not train.complete:
            train = GrowingSource(train, lambda: mixtures(hparams, share)[0])
    else:
        folder, root = prepared(
            hparams,
            "data_folder",
            "pairs",
            ["train"] if hparams["valid_data"] else ["train", "valid"],
            valid_fraction=hparams["valid_fraction"],
        )
        train = PairedSegments(
            folder / "train.json",
            segment_samples(hparams),
            hparams["sample_rate"],
            root,
            hparams["max_memory_gb"],
        )
        if hparams["general_share"] and hparams["clean"] is not None:
            train = AlternatingSource(train, mixtures(hparams)[0], hparams["general_share"])
    if hparams["valid_data"] is not None:
        folder, root = prepared(hparams, "valid_data", "valid_pairs", ["valid"], split="valid")
    elif hparams["data_folder"] is None:
        assert valid is not None  # without pairs to validate on, the recordings are split
        return train, from_mixtures(valid.fixed(hparams["valid_utterances"], hparams["seed"]))
    return train, read_utterances(folder / "valid.json", root, hparams["sample_rate"])


def load_test_data(hparams: Mapping[str, Any]) -> list[Utterance] | None:
    """The utterances to test on: those of ``test_data``, or of the paired corpus's test part, or None."""
    if hparams["test_data"] is not None:
        folder, root = prepared(hparams, "test_data", "test_pairs", ["test"], split="test")
    elif hparams["data_folder"] is not None:
        options = {"valid_fraction": hparams["valid_fraction"]}
        folder, root = prepared(hparams, "data_folder", "pairs", [], **options)
    else:
        return None
    manifest = folder / "test.json"
    return read_utterances(manifest, root, hparams["sample_rate"]) if manifest.is_file() else None


def from_mixtures(batch: NoisyBatch | RestorationBatch) -> list[Utterance]:
    """Mixtures as utterances."""
    return [
        Utterance(f"mixture_{index:03d}", noisy.numpy(), clean.numpy())
        for index, (noisy, clean) in enumerate(zip(batch.noisy, batch.clean, strict=True))
    ]


def as_batches(utterances: Sequence[Utterance], samples: int) -> torch.utils.data.DataLoader:
    """Equal stretches of the utterances, to follow the objective on."""
    noisy: list[torch.Tensor] = []
    clean: list[torch.Tensor] = []
    lengths = []
    for utterance in utterances:
        for side, signal in ((noisy, utterance.noisy), (clean, utterance.clean)):
            part = torch.from_numpy(signal[:samples])
            side.append(torch.nn.functional.pad(part, (0, samples - len(part))))
        lengths.append(min(len(utterance.noisy), samples) / samples)
    columns = torch.stack(noisy), torch.stack(clean), torch.tensor(lengths)
    batches = [NoisyBatch(*rows) for rows in zip(*(c.split(VALID_BATCH) for c in columns), strict=True)]
    return torch.utils.data.DataLoader(cast(torch.utils.data.Dataset, batches), batch_size=None)
