"""Score an enhancer on pairs of noisy and clean speech: a table by signal-to-noise ratio, sounds, a page.

    sb-resizegan evaluate enhance-base --data PAIRS -o OUT/
    sb-resizegan evaluate results/enhance/1986/export --data VOICEBANK/ -o OUT/ --save_audio
    sb-resizegan evaluate MODEL --data PAIRS.csv -o OUT/ --compare regression=OTHER_MODEL --scores wer
    sb-resizegan evaluate MODEL --data PAIRS.csv -o OUT/ --compare_folder DPCRN=ENHANCED_BY_IT/

PAIRS is what train-enhance takes as data_folder: VoiceBank-DEMAND, DNS-Challenge, folders clean/ and noisy/,
lists, parquet files; of a corpus with several parts its test part is used. Rows are noisy speech as it is,
the systems under --compare and --compare_folder, and the model. Columns are PESQ (this package's and that of
the package pesq), STOI, ESTOI, SI-SDR, speech deleted by band, noise left, and DNSMOS (extra [scores]).
More by name: --scores plcmos distillmos wer speaker; the same extra brings what they need, weights and all.

OUT/ holds scores.md, scores.csv (every utterance), pesq_by_snr.png, latents.csv, examples/ and report.html,
with --save_audio also enhanced/. The exit status is 0 if every utterance has every score, 1 if any was left
out (all are named in scores.md), 2 if the call was wrong.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sb_resizegan.commands.parser import CommandParser, check_device, check_least, check_scores


def parse(arguments: Sequence[str] | None) -> tuple[CommandParser, argparse.Namespace]:
    """Reads the command line."""
    parser = CommandParser("evaluate", __doc__)
    parser.add_argument("model", metavar="MODEL", help="folder of an exported model, or the name of one")
    parser.add_argument("--data", type=Path, required=True, metavar="PAIRS", help="corpus of pairs")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("results/evaluate"), metavar="OUT",
        help="folder to write to (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--name", default="this model", help="what the table calls MODEL (default: %(default)s)"
    )
    parser.add_argument(
        "--compare", action="append", default=[], metavar="NAME=MODEL", help="another model; can be repeated"
    )
    parser.add_argument(
        "--compare_folder", action="append", default=[], metavar="NAME=FOLDER",
        help="a folder with each utterance as another enhancer made it; can be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--scores", nargs="+", default=[], metavar="SCORE",
        help="besides those computed anyway: plcmos, distillmos, wer (Whisper tiny.en), speaker",
    )  # fmt: skip
    parser.add_argument(
        "--transcripts", type=Path, metavar="CSV",
        help="what was said, columns id and transcript (default: what Whisper hears in the clean files)",
    )  # fmt: skip
    parser.add_argument("--layout", metavar="LAYOUT", help="of the corpus (default: found out)")
    parser.add_argument("--save_audio", action="store_true", help="write all enhanced utterances")
    parser.add_argument("--shown", type=int, default=4, help="utterances on the page (default: %(default)s)")
    parser.add_argument(
        "--num_samples", type=int, default=8,
        help="latents for each utterance that the variation is measured over; 0 leaves it out (default: 8)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of the latents (default: 0)")
    parser.add_argument("--no_official", action="store_true", help="leave out PESQ of the package pesq")
    parser.add_argument("--no_dnsmos", action="store_true", help="leave out DNSMOS")
    parser.add_argument("--trust", action="store_true", help="run whatever the models' yaml files name")
    parser.add_argument("--device", help="of models and PESQ (default: the GPU if there is one)")
    parser.add_argument(
        "--jobs",
        type=int,
        help="processes for the other measures; 0: none but this one (default: one a spare core)",
    )
    options = parser.parse_args(arguments)
    if options.num_samples < 0 or options.num_samples == 1:
        parser.error(f"--num_samples: expected 0 or at least 2, but got {options.num_samples}")
    check_least(parser, options, {"shown": 0, "jobs": 0})
    return parser, options


def named(parser: CommandParser, option: str, form: str, words: str, taken: Sequence[str]) -> tuple[str, str]:
    """The two parts of ``NAME=SOMETHING``; the name is none that is taken."""
    name, _, source = words.partition("=")
    if not (name and source) or name in taken:
        parser.error(f"{option}: expected {form} with a name of its own, but got {words!r}")
    return name, source


def load_models(parser: CommandParser, options: argparse.Namespace) -> dict:
    """The systems to be scored, by the names that the table gives them."""
    from sb_resizegan.evaluation.pair_evaluation import RESERVED
    from sb_resizegan.evaluation.systems import load_system
    from sb_resizegan.inference import ModelSourceError

    sources: dict[str, str] = {}
    for words in [*options.compare, f"{options.name}={options.model}"]:
        name, source = named(parser, "--compare", "NAME=MODEL", words, (*RESERVED, *sources))
        sources[name] = source
    try:
        return {name: load_system(source, options.device, options.trust) for name, source in sources.items()}
    except ModelSourceError as error:
        parser.error(str(error))


def find_utterances(data: Path, layout: str | None, folder: Path) -> tuple[list, list[str]]:
    """The test part of a corpus, or all of it where it has but one part; and what was left out, in words."""
    from sb_resizegan.dataio.prepare.pair_layouts import find_pair_files
    from sb_resizegan.dataio.prepare.pair_matching import NoPairsError
    from sb_resizegan.dataio.prepare.pairs import prepare_pairs
    from sb_resizegan.dataio.utterances import read_utterances
    from sb_resizegan.evaluation.systems import SAMPLE_RATE

    splits = {pair.split for pair in find_pair_files(data, layout, ignored_folder=folder).pairs}
    if len(splits) > 1 and "test" not in splits:
        raise NoPairsError(
            f"{data}: expected a test part, but found {sorted(splits)}; give one of them as PAIRS"
        )
    split = None if "test" in splits else "test"
    report = prepare_pairs(data, folder, SAMPLE_RATE, layout, split)
    utterances = read_utterances(folder / "test.json", report["data_root"], SAMPLE_RATE)
    return utterances, [
        f"Left out of the corpus ({reason}): {', '.join(map(str, names))}."
        for reason, names in report["skipped"].items()
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Scores the models; returns the exit status."""
    parser, options = parse(arguments)

    import torch
    from speechbrain.utils.distributed import infer_device
    from tqdm import tqdm

    from sb_resizegan.dataio.prepare.pair_layouts import LAYOUTS
    from sb_resizegan.evaluation.enhanced_folder import read_enhanced_folder, read_transcripts
    from sb_resizegan.evaluation.pair_evaluation import RESERVED, evaluate
    from sb_resizegan.evaluation.scoring_options import EvaluationOptions, ScoringOptions, installed_scores
    from sb_resizegan.evaluation.systems import SAMPLE_RATE, as_sampler, as_system
    from sb_resizegan.report.enhancement_page import write_enhancement_report
    from sb_resizegan.report.evaluation_folder import write_evaluation

    torch.set_flush_denormal(True)
    if options.layout is not None and options.layout not in LAYOUTS:
        parser.error(f"--layout: expected one of {list(LAYOUTS)}, but got {options.layout!r}")
    options.device = options.device or infer_device()
    check_device(parser, options.device)
    models = load_models(parser, options)
    output = options.output
    refused = {"official_pesq": options.no_official, "dnsmos": options.no_dnsmos}
    check_scores(parser, options.scores)
    scores = tuple(name for name in installed_scores() if not refused.get(name))
    scores += tuple(name for name in dict.fromkeys(options.scores) if name not in scores)
    scoring = ScoringOptions(scores, options.device, jobs=options.jobs)
    try:
        utterances, left_out = find_utterances(options.data, options.layout, output / "pairs")
        outputs: dict[str, list] = {}
        remarks: list[str] = []
        for words in options.compare_folder:
            taken = (*RESERVED, *models, *outputs)
            name, folder = named(parser, "--compare_folder", "NAME=FOLDER", words, taken)
            outputs[name], lag = read_enhanced_folder(folder, utterances, SAMPLE_RATE)
            if lag:
                remarks.append(f"{name}: all files moved by {lag} samples, the delay common to them.")
        names = [utterance.name for utterance in utterances]
        transcripts = read_transcripts(options.transcripts, names) if options.transcripts else None
        with tqdm(total=len(utterances) * len(models), unit="utterance", disable=None) as bar:
            result = evaluate(
                utterances,
                {name: as_system(model, options.seed) for name, model in models.items()},
                EvaluationOptions(scoring, SAMPLE_RATE, options.num_samples),
                samplers={
                    name: as_sampler(model, options.seed)
                    for name, model in models.items()
                    if options.num_samples
                },
                progress=bar.update,
                outputs=outputs,
                transcripts=transcripts,
            )
        write_evaluation(result, output, options.shown, options.save_audio, [*remarks, *left_out])
        page = write_enhancement_report(
            [output], output / "report.html", f"Enhancement of {options.data.name}"
        )
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print((output / "scores.md").read_text(encoding="utf-8"))
    print(f"written to {output}; the page is {page}")
    return 0 if result.scores.complete() and not left_out else 1
