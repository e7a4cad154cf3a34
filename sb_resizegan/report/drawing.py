"""What all pictures share: their colours, and how they are written.

Figures are drawn with the Agg canvas directly, so that importing this module or drawing sets no backend and
leaves ``matplotlib.pyplot`` alone. Files appear complete or not at all.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from sb_resizegan.report.names import printable
from sb_resizegan.utils.files import replacing

__all__ = ["COLOURS", "cycle", "save"]

LONGEST_LINE = 90  # letters; a name may have 255, and would push the panels aside
COLOURS = ("#222222", "#d1495b", "#2e86ab", "#3a7d44", "#8e5aa8", "#e08e1b", "#6b6b6b")


def save(figure: Figure, path: str | Path, dpi: int = 130) -> Path:
    """Writes a figure; a file that was there before is replaced in one step.

    Arguments
    ---------
    figure : matplotlib.figure.Figure
        The figure.
    path : str or Path
        Its ending chooses the format. The folder is made if need be.
    dpi : int
        Pixels per inch.

    Returns
    -------
    Path
        The file.
    """
    path = Path(path)
    supported = FigureCanvasAgg(figure).get_supported_filetypes()
    if path.suffix[1:].lower() not in supported:
        raise ValueError(
            f"{path}: expected a picture's ending, one of {sorted(supported)}, but got {path.suffix!r}"
        )
    for text in _words(figure):
        # Names of files and systems are names: a dollar sign begins no formula.
        text.set_parse_math(False)
        text.set_text("\n".join(map(_short, printable(text.get_text()).split("\n"))))
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=dpi)
    return path


def _short(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 21]}…{line[-20:]}"


def _words(figure: Figure) -> Iterator[Text]:
    """Titles, labels and legends: all but the numbers at the axes, which may be formulas."""
    numbers: set[int] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            numbers.update(map(id, axis.get_ticklabels(which="both")))
            numbers.add(id(axis.get_offset_text()))
    yield from (text for text in figure.findobj(Text) if id(text) not in numbers)


def cycle(colours: Sequence[str]) -> Iterator[str]:
    """Colours, again and again."""
    while True:
        yield from colours
