"""Make speech of mel spectra, or copies of recordings by way of their mel spectra.

    sb-resizegan vocode FOLDER/ -o OUT/                                       # with the model of the package
    sb-resizegan vocode FOLDER/ -o OUT/ --model results/vocoder/en/1986/export
    sb-resizegan vocode tacotron.npz speech.wav -o OUT/ --model MY_VOCODER
    sb-resizegan vocode speech.wav -o OUT/ --model MY_VOCODER --save_mel      # OUT/speech.npz, too

A mel file is a .npy with the array (n_mels, frames) alone, or a .npz that holds it as mel, with sample_rate
and hop_length beside it as --save_mel writes them; natural logarithms of magnitudes, as SpeechBrain's
HiFi-GAN for 16 kHz reads them. Of a folder, mel files and sound files of any depth count. Results are .wav
files under the same name and path, of the model's rate and, as copies, of the recording's length.

What cannot be used is named, with what was expected and what came, and the others are made all the same. The
exit status is 0 if every file is made, 1 if any could not be, 2 if the call was wrong.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sb_resizegan.commands.parser import CommandParser, check_device, say

MEL_ENDINGS = (".npy", ".npz")


def parse(arguments: Sequence[str] | None) -> tuple[CommandParser, argparse.Namespace]:
    """Reads the command line."""
    parser = CommandParser("vocode", __doc__)
    parser.add_argument(
        "inputs", nargs="+", type=Path, metavar="MEL_OR_AUDIO", help="mel file, sound file, or folder"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="folder of the results"
    )
    parser.add_argument(
        "--model", default="vocoder-en", metavar="SOURCE", help="name or folder (default: vocoder-en)"
    )
    parser.add_argument("--trust", action="store_true", help="run whatever the model's yaml names")
    parser.add_argument("--device", default="cpu", help="such as cuda:1 (default: cpu)")
    parser.add_argument("--seed", type=int, help="of what the generator draws (default: none is drawn)")
    parser.add_argument("--save_mel", action="store_true", help="write the mel spectra of recordings")
    parser.add_argument("--overwrite", action="store_true", help="make again what is there")
    options = parser.parse_args(arguments)
    if options.output.exists() and not options.output.is_dir():
        parser.error(f"--output: {options.output} is no folder")
    missing = [path for path in options.inputs if not path.exists()]
    if missing:
        parser.error(f"no such file or folder: {missing[0]}")
    check_device(parser, options.device)
    return parser, options


def find(inputs: Sequence[Path], output: Path) -> Iterator[tuple[Path, Path]]:
    """Files to be read, each with what is written of it; files named by themselves are taken as they are."""
    from sb_resizegan.dataio.finding import files_below, why_left_out

    for given in inputs:
        if not given.is_dir():
            yield given, output / f"{given.stem}.wav"
            continue
        for relative in files_below(given):
            path = given / relative
            inside = path.resolve().is_relative_to(output.resolve())
            if not inside and (path.suffix in MEL_ENDINGS or why_left_out(path) is None):
                yield path, output / Path(relative).with_suffix(".wav")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns the exit status."""
    parser, options = parse(arguments)

    from sb_resizegan.inference import ModelSourceError, Vocoder

    try:
        model = Vocoder.from_hparams(
            source=str(options.model), run_opts={"device": options.device}, trust=options.trust
        )
    except ModelSourceError as error:
        parser.error(f"--model: {error}")
    jobs = list(find(options.inputs, options.output))
    failures: list[str] = []
    sources: dict[Path, Path] = {}
    there = 0
    for source, target in jobs:
        if sources.setdefault(target, source) != source:
            failures.append(f"{source}: {target} is already made of {sources[target]}")
        elif target.exists() and not options.overwrite:
            there += 1
        else:
            try:
                vocode(model, source, target, options)
                say(f"{target}")
            except (OSError, ValueError) as error:
                reason = " ".join(str(error).split())
                failures.append(reason if str(source) in reason else f"{source}: {reason}")
    if there:
        print(f"{there} files were there already", file=sys.stderr)
    if not jobs:
        print(f"no mel or sound file in {', '.join(map(str, options.inputs))}", file=sys.stderr)
    if failures:
        print(f"\nNot made: {len(failures)}", *failures, sep="\n  ", file=sys.stderr)
    return 0 if jobs and not failures else 1


def vocode(model: Any, source: Path, target: Path, options: argparse.Namespace) -> None:
    """Makes one file."""
    import torch

    from sb_resizegan.dataio.audio import read_signal
    from sb_resizegan.dataio.mel_files import write_mel
    from sb_resizegan.report.sounds import write_signal

    if source.suffix in MEL_ENDINGS:
        mel, samples = model.read_mel(source), None
    else:
        signal = read_signal(source, model.sample_rate)
        samples = len(signal)
        mel = model.mel(torch.from_numpy(signal))
    waveform = model.decode_spectrogram(mel, seed=options.seed)[0, :samples].cpu().numpy()
    target.parent.mkdir(parents=True, exist_ok=True)
    if samples is not None and options.save_mel:
        settings = {"sample_rate": model.sample_rate, "hop_length": model.hop_length}
        write_mel(target.with_suffix(".npz"), mel.cpu().numpy(), settings)
    write_signal(target, waveform, model.sample_rate)
