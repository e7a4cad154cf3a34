"""Make one self-contained page of finished trainings: spectrograms, players, curves, measures.

    sb-resizegan report results/nearest/1986
    sb-resizegan report results/transpose/1986 results/nearest/1986 -o both.html --figure windows.png
    sb-resizegan report results/enhance/1986

Runs are those of train-gan, or those of train-enhance, train-vocoder and evaluate. The page of one run goes
to its own folder. --figure draws real and generated windows as a picture, too.
"""

from collections.abc import Sequence
from pathlib import Path

from sb_resizegan.commands.parser import CommandParser, complain


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns the exit status."""
    parser = CommandParser("report", __doc__)
    parser.add_argument("runs", metavar="RUN", nargs="+", help="output folder of a training or of evaluate")
    parser.add_argument(
        "-o", "--output", help="file to write (default: RUN/report.html; report.html for several)"
    )
    parser.add_argument("--title", help="heading (default: what the runs are about)")
    parser.add_argument("--figure", metavar="PNG", help="draw real and generated windows of all runs as well")
    args = parser.parse_args(arguments)

    from sb_resizegan.report.enhancement_page import is_enhancement_run, write_enhancement_report
    from sb_resizegan.report.windows_page import runs_figure, write_report

    output = args.output or (Path(args.runs[0]) / "report.html" if len(args.runs) == 1 else "report.html")
    try:
        enhancers = [run for run in args.runs if is_enhancement_run(run)]
        if enhancers and len(enhancers) < len(args.runs):
            raise ValueError(
                f"expected runs of one kind, but {enhancers[0]} is of an enhancer, and others are not"
            )
        if args.figure:
            runs_figure(args.runs, args.figure)
            print(f"drawn in {args.figure}")
        write = write_enhancement_report if enhancers else write_report
        title = args.title or ("Speech from mel spectra" if enhancers and all_vocoders(args.runs) else None)
        path = write(args.runs, output, **({"title": title} if title else {}))
    except (OSError, ValueError) as error:
        return complain(error)
    print(f"written to {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


def all_vocoders(runs: Sequence[str]) -> bool:
    """Whether all runs are trainings of vocoders."""
    from sb_resizegan.report.finished_runs import read_settings

    stated = [Path(run) / "hyperparams.yaml" for run in runs]
    return all(path.is_file() and read_settings(path, ["task"]).get("task") == "vocoder" for path in stated)
