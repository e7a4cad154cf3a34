"""Turn a training's checkpoint into a folder that the SpeechBrain interface loads.

    sb-resizegan export results/nearest/1986
    sb-resizegan export results/nearest/1986 --newest -o my_generator
    sb-resizegan export results/enhance/1986 --best pesq_wb --memory_seconds 5 -o my_enhancer

The first exports what a training exports by itself, the checkpoint in which its own checkpoint_key is best;
of every figure it is known whether higher or lower is better. With --memory_seconds, no cell of a
SpectralGenerator's recurrent layers along time keeps what it holds for longer (its time constant on a minute
of the default corpus with noise): chunks of long files then equal one pass.
"""

from collections.abc import Sequence

from sb_resizegan.commands.parser import CommandParser, complain


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns the exit status."""
    parser = CommandParser("export", __doc__)
    parser.add_argument("run_folder", help="output folder of a training")
    parser.add_argument("-o", "--output", help="folder to write (default: RUN_FOLDER/export)")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--checkpoint", metavar="FOLDER", help="a checkpoint folder")
    choice.add_argument("--best", metavar="FIGURE", help="the checkpoint in which this figure is best")
    choice.add_argument("--newest", action="store_true", help="the newest checkpoint")
    parser.add_argument("--memory_seconds", type=float, metavar="SECONDS", help="longest time constant")
    args = parser.parse_args(arguments)

    from sb_resizegan.dataio.prepare.default_corpus import CorpusUnavailableError
    from sb_resizegan.inference import ModelSourceError
    from sb_resizegan.training.export import export_generator, loading_code

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
