"""What all pictures share: their colours, and how they are written.

Figures are drawn with the Agg canvas directly, so that importing this module or drawing sets no backend and
leaves ``matplotlib.pyplot`` alone. Files appear complete or not at all.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sb_resizegan.utils.files import replacing

__all__ = ["COLOURS", "cycle", "save"]

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
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=dpi)
    return path


def cycle(colours: Sequence[str]) -> Iterator[str]:
    """Colours, again and again."""
    while True:
        yield from colours
