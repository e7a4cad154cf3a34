"""Turn a training's checkpoint into a folder that the SpeechBrain interface loads.

    sb-resizegan export results/nearest/1986
    sb-resizegan export results/nearest/1986 --newest -o my_generator
    sb-resizegan export results/enhance/1986 --best pesq_wb --memory_seconds 5 -o my_enhancer
    sb-resizegan export results/causal/1986/export --onnx causal.onnx

The first exports what a training exports by itself, the checkpoint in which its own checkpoint_key is best;
of every figure it is known whether higher or lower is better. With --memory_seconds, no cell of a
SpectralGenerator's recurrent layers along time keeps what it holds for longer (its time constant on a minute
of the default corpus with noise): chunks of long files then equal one pass.

With --onnx, a causal model that can be loaded (a name or a folder) becomes one ONNX file for streams: a hop
of samples and states in, a hop and states out. --int8 writes weights of 8 bits: smaller, and coarser.
"""

import argparse
from collections.abc import Sequence

from sb_resizegan.commands.parser import CommandParser, complain


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns the exit status."""
    parser = CommandParser("export", __doc__)
    parser.add_argument(
        "run_folder", help="output folder of a training; with --onnx, a model's name or folder"
    )
    parser.add_argument("-o", "--output", help="folder to write (default: RUN_FOLDER/export)")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--checkpoint", metavar="FOLDER", help="a checkpoint folder")
    choice.add_argument("--best", metavar="FIGURE", help="the checkpoint in which this figure is best")
    choice.add_argument("--newest", action="store_true", help="the newest checkpoint")
    parser.add_argument("--memory_seconds", type=float, metavar="SECONDS", help="longest time constant")
    parser.add_argument("--onnx", metavar="FILE", help="write the streaming step of a causal model")
    parser.add_argument("--int8", action="store_true", help="of --onnx: weights of 8 bits")
    args = parser.parse_args(arguments)
    if args.onnx:
        if args.output or args.checkpoint or args.best or args.newest or args.memory_seconds:
            parser.error("--onnx: expected a model and no options of a training's export beside it")
        return write_onnx(args)
    if args.int8:
        parser.error("--int8: expected --onnx beside it")

    from sb_resizegan.dataio.prepare.default_corpus import CorpusUnavailableError
    from sb_resizegan.inference import ModelSourceError
    from sb_resizegan.training.checkpoint_export import export_generator, loading_code

    try:
        folder = export_generator(
            args.run_folder,
            args.output,
            args.checkpoint,
            args.best,
            args.newest,
            args.memory_seconds,
        )
    except (CorpusUnavailableError, ModelSourceError, OSError) as error:
        return complain(error)
    print(f"exported to {folder}")
    print(f"load it: {loading_code(folder)}")
    return 0


def write_onnx(args: argparse.Namespace) -> int:
    """Writes a model's ONNX file and returns the exit status."""
    import tempfile

    from sb_resizegan.inference import GenerativeEnhancement, ModelSourceError
    from sb_resizegan.inference.model_sources import find_model
    from sb_resizegan.training.onnx_export import export_onnx, quantise_onnx, stated_licence

    try:
        model = GenerativeEnhancement.from_hparams(args.run_folder, run_opts={"device": "cpu"})
        folder = find_model(args.run_folder)
        said = {"model": folder.name, "licence": stated_licence(folder)}
        if args.int8:
            with tempfile.TemporaryDirectory() as scratch:
                whole = export_onnx(model.mods.generator, model.sample_rate, f"{scratch}/whole.onnx", said)
                path = quantise_onnx(whole, args.onnx)
        else:
            path = export_onnx(model.mods.generator, model.sample_rate, args.onnx, said)
    except (ModelSourceError, OSError) as error:
        return complain(error)
    print(f"written: {path}, {path.stat().st_size / 1e6:.1f} MB")
    print(f'load it: StreamingEnhancement.from_onnx("{path}")')
    return 0
