"""Line charts as SVG inside a page: they take the page's colours, light or dark, and scale with its width."""

import math
from collections.abc import Sequence
from html import escape

__all__ = ["line_chart"]

WIDTH, HEIGHT = 360, 230
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 30, 30
TICKS = 5


def line_chart(
    title: str, curves: list[tuple[str, list[tuple]]], dashed: Sequence[tuple[float, float]] = ()
) -> str:
    """A chart of curves over epochs.

    Arguments
    ---------
    title : str
        Written above.
    curves : list of tuple
        ``(name, points)``: points are ``(epoch, value)`` pairs, in order. The n-th curve has the class
        ``curve-n``, whose colour the page's style sheet sets.
    dashed : sequence of tuple
        Points of a reference, drawn dashed; empty for none.

    Returns
    -------
    str
        An ``<svg>`` element.

    Raises
    ------
    ValueError
        If there is no point.

    Example
    -------
    >>> line_chart("loss", [("a", [(1, 0.5), (2, 0.25)])]).count("<polyline")
    1
    """
    points = [point for _, curve in curves for point in curve] + list(dashed)
    if not points:
        raise ValueError(f"{title}: expected at least one point, but got none")
    epochs, values = zip(*points, strict=True)
    marks = _ticks(min(values), max(values))
    first, last = min(epochs), max(epochs)
    low, high = min(*marks, *values), max(*marks, *values)

    def place(epoch: float, value: float) -> str:
        across = 0.5 if first == last else (epoch - first) / (last - first)
        x = LEFT + across * (WIDTH - LEFT - RIGHT)
        return f"{x:.1f},{HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM):.1f}"

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)} over epochs">',
        f'<text class="chart-title" x="4" y="16">{escape(title)}</text>',
    ]
    for mark in marks:
        y = place(first, mark).split(",")[1]
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(
            f'<text class="tick" text-anchor="end" x="{LEFT - 5}" y="{float(y) + 4:.1f}">{mark:g}</text>'
        )
    for epoch in sorted({first, round((first + last) / 2), last}):
        x = place(epoch, low).split(",")[0]
        parts.append(
            f'<text class="tick" text-anchor="middle" x="{x}" y="{HEIGHT - BOTTOM + 16}">{epoch}</text>'
        )
    parts.append(f'<text class="tick" text-anchor="end" x="{WIDTH - RIGHT}" y="{HEIGHT - 1}">epoch</text>')
    if dashed:
        # A constant is drawn from edge to edge, also where there is but one epoch.
        ends = [place(*point) for point in dashed]
        if len(dashed) == 1:
            y = ends[0].split(",")[1]
            ends = [f"{LEFT},{y}", f"{WIDTH - RIGHT},{y}"]
        parts.append(f'<polyline class="reference" points="{" ".join(ends)}"/>')
    for number, (name, curve) in enumerate(curves):
        places = [place(*point) for point in curve]
        parts.append(f'<g class="curve-{number}"><title>{escape(name)}</title>')
        if len(places) > 1:
            parts.append(f'<polyline points="{" ".join(places)}"/>')
        for point in places if len(places) <= 40 else places[-1:]:
            x, y = point.split(",")
            parts.append(f'<circle cx="{x}" cy="{y}" r="2.2"/>')
        parts.append("</g>")
    return "".join([*parts, "</svg>"])


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers that enclose a range: multiples of 1, 2 or 5 times a power of ten."""
    if high - low < 1e-9 * max(1.0, abs(low), abs(high)):
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 10) for k in range(first, last + 1)]
