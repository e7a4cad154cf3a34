"""Enhance what a microphone hears, as it hears it.

    sb-resizegan live --model MODEL --list                      # the sound devices
    sb-resizegan live --model MODEL --input Headset --output CABLE
    sb-resizegan live --model MODEL --simulate noisy.wav        # a file instead, on machines without sound

MODEL is a causal model: a name, a folder, or a file of `sb-resizegan export MODEL --onnx FILE`. Ctrl-C ends
it. --simulate plays the file through the same path in real time and says how many blocks came late; the
output goes to --save FILE.

The exit status is 0, 1 if a device or the model could not be used, 2 if the call was wrong.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sb_resizegan.commands.finishing_options import add_finishing, check_finishing, finishing
from sb_resizegan.commands.parser import CommandParser, check_least, complain, say

if TYPE_CHECKING:
    from sb_resizegan.inference.live_sound import LiveEnhancement

METER_SECONDS = 0.25
# After so long without a block, a device is taken to be gone.
GONE_SECONDS = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns the exit status."""
    parser = CommandParser("live", __doc__)
    parser.add_argument("--model", metavar="SOURCE", help="causal model: name, folder or ONNX file")
    parser.add_argument("--input", metavar="NAME", help="input device: number, or part of its name")
    parser.add_argument("--output", metavar="NAME", help="output device: number, or part of its name")
    parser.add_argument("--list", action="store_true", help="list the devices and end")
    parser.add_argument("--rate", type=int, metavar="HZ", help="sampling rate (default: the input device's)")
    parser.add_argument("--channels", type=int, default=1, metavar="N", help="channels (default: 1)")
    parser.add_argument("--block", type=int, metavar="N", help="samples a block (default: 16 ms)")
    parser.add_argument("--simulate", metavar="FILE", help="play a file through the same path in real time")
    parser.add_argument("--save", metavar="FILE", help="of --simulate: where the output goes")
    add_finishing(parser)
    options = parser.parse_args(arguments)
    check_finishing(parser, options)
    check_least(parser, options, {"rate": 1000, "channels": 1, "block": 1})
    if options.save and not options.simulate:
        parser.error("--save: expected --simulate beside it")
    if not options.model and not options.list:
        parser.error("--model: expected a causal model")

    from sb_resizegan.utils.extras import require

    if not options.simulate:
        require(["sounddevice"], "live", "sb-resizegan live")
    try:
        if options.list:
            return list_devices()
        return simulated(options) if options.simulate else from_devices(options)
    except KeyboardInterrupt:
        return 0
    except Exception as error:
        # Those of models, files and PortAudio, whose classes are only there once it is loaded.
        if not isinstance(error, (OSError, ValueError)) and type(error).__name__ != "PortAudioError":
            raise
        return complain(error)


def list_devices() -> int:
    """Prints the sound devices."""
    say(str(sound().query_devices()) or "no sound device")
    return 0


def sound() -> Any:
    """The module sounddevice, which needs the library PortAudio."""
    try:
        import sounddevice
    except OSError as error:
        raise OSError(f"{error}: install PortAudio, on Debian the package libportaudio2") from error
    return sounddevice


def loaded(options: argparse.Namespace, rate: int, channels: int) -> "LiveEnhancement":
    """The stream, at the sound's rate."""
    import torch

    from sb_resizegan.inference.live_sound import LiveEnhancement
    from sb_resizegan.inference.streaming import StreamingEnhancement

    # Recurrent layers fade to numbers that processors are slow with; a hop is too little for several threads.
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    load = StreamingEnhancement.from_hparams
    if options.model.endswith(".onnx"):
        load = StreamingEnhancement.from_onnx
    stream = load(options.model, sample_rate=rate, channels=channels, **finishing(options))
    return LiveEnhancement(stream)


def simulated(options: argparse.Namespace) -> int:
    """Plays a file through the stream in real time."""
    import numpy as np

    from sb_resizegan.dataio.audio import audio_blocks, audio_header
    from sb_resizegan.dataio.long_files import Spool, choose_format
    from sb_resizegan.inference.live_sound import simulate

    header = audio_header(options.simulate)
    samples = np.concatenate([block for block, _ in audio_blocks(options.simulate)])
    rate = options.rate or header.samplerate
    if rate != header.samplerate:
        raise ValueError(f"--rate: expected the file's, {header.samplerate} Hz, but got {rate}")
    live = loaded(options, rate, samples.shape[1])
    block = options.block or round(0.016 * rate)
    say(
        f"latency {1000 * (live.stream.latency_seconds + block / rate):.0f} ms with blocks of {block} samples"
    )
    blocks = list(simulate(live, samples, block))
    if options.save:
        from pathlib import Path

        path = Path(options.save)
        with Spool(path.parent, samples.shape[1]) as spool:
            for part in blocks:
                spool.append(part)
            spool.save(path, rate, *choose_format(header, path))
    figures = live.figures
    say(
        f"{figures.blocks} blocks of {1000 * block / rate:.1f} ms, late: {figures.late} "
        f"({100 * figures.late / max(1, figures.blocks):.1f} %), "
        f"the longest took {figures.busiest:.2f} of its time"
    )
    return 0


def from_devices(options: argparse.Namespace) -> int:
    """Runs between two devices until Ctrl-C, or until one of them is gone."""
    sounddevice = sound()
    devices = tuple(
        int(name) if name and name.isdecimal() else name for name in (options.input, options.output)
    )
    rate = options.rate or round(sounddevice.query_devices(devices[0], "input")["default_samplerate"])
    live = loaded(options, rate, options.channels)
    block = options.block or round(0.016 * rate)
    with sounddevice.Stream(
        samplerate=rate,
        blocksize=block,
        device=devices,
        channels=options.channels,
        dtype="float32",
        callback=live.callback,
    ) as card:
        latency = live.stream.latency_seconds + sum(card.latency)
        say(f"{rate} Hz, {options.channels} channels, latency {1000 * latency:.0f} ms; Ctrl-C ends")
        return watched(live, card)


def watched(live: "LiveEnhancement", card: Any, sleep: Any = time.sleep) -> int:
    """Shows meters until the card stops giving blocks; returns the exit status."""
    seen, idle = -1, 0.0
    while True:
        sleep(METER_SECONDS)
        figures = live.figures
        idle = idle + METER_SECONDS if figures.blocks == seen else 0.0
        if not card.active or idle >= GONE_SECONDS:
            print(file=sys.stderr)
            return complain(f"the sound device has stopped after {figures.blocks} blocks; is it unplugged?")
        seen = figures.blocks
        meters = " ".join(
            f"{name} {meter(peak)}"
            for name, peak in (("in", figures.input_peak), ("out", figures.output_peak))
        )
        line = f"\r{meters}  xruns {figures.xruns}  late {figures.late}  busy {100 * figures.busiest:.0f} % "
        print(line, end="", file=sys.stderr, flush=True)


def meter(peak: float, width: int = 20) -> str:
    """A bar from −60 dB to full scale.

    Arguments
    ---------
    peak : float
        Share of full scale.
    width : int
        Characters.

    Returns
    -------
    str

    Example
    -------
    >>> meter(1.0, 6), meter(0.0316, 6), meter(0.0, 6)
    ('######', '###---', '------')
    """
    import math

    decibels = 20 * math.log10(max(peak, 1e-6))
    filled = min(width, max(0, round(width * (1 + decibels / 60))))
    return "#" * filled + "-" * (width - filled)
