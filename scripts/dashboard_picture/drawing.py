"""Draws panels as small plots with a legend. Plain SVG, no dependency."""

from collections.abc import Mapping, Sequence

from scripts.dashboard_picture.panels import Panel, Points
from scripts.svg import FAINT, picture, text

_COLUMNS = 3
_WIDTH, _HEIGHT = 380, 236
_LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT = 46, 34, 318, 128
_COLOURS = ("#0b7a75", "#c2410c", "#4338ca", "#a16207", "#be185d", "#15803d", "#5b6770", "#7c2d12")
_LINE = "#e3e7ea"
_LEGENDS = 6
"""More are not listed."""

Drawn = tuple[Panel, Mapping[str, Points]]


def draw(drawn: Sequence[Drawn], begin: float, end: float, subtitle: str) -> str:
    """All panels from `begin` to `end`."""
    rows = -(-len(drawn) // _COLUMNS)
    width, height = _COLUMNS * _WIDTH + 24, rows * _HEIGHT + 76
    parts = [
        _plot(panel, series, (begin, end), (12 + index % _COLUMNS * _WIDTH, 70 + index // _COLUMNS * _HEIGHT))
        for index, (panel, series) in enumerate(drawn)
    ]
    return picture(height, "Chat backend", subtitle, "".join(parts), width)


def _plot(panel: Panel, series: Mapping[str, Points], span: tuple[float, float], place: tuple[float, float]) -> str:
    (begin, end), (left, top) = span, place
    if any(value for points in series.values() for _, value in points):  # those that are never more than 0 say nothing
        series = {name: points for name, points in series.items() if any(value for _, value in points)}
    most = max((value for points in series.values() for _, value in points), default=0) or 1
    x0, y0 = left + _LEFT, top + _TOP
    parts = [text(left + 12, top + 18, panel.title, font_weight=600)]
    for share in (0, 0.5, 1):
        y = y0 + _PLOT_HEIGHT * (1 - share)
        shown = _shown(most * share, panel.unit)
        parts.append(f'<path d="M{x0} {y:.1f}h{_PLOT_WIDTH}" stroke="{_LINE}"/>\n')
        parts.append(text(x0 - 6, y + 4, shown, font_size=10, fill=FAINT, text_anchor="end"))
    for index, (name, points) in enumerate(series.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        places = [
            f"{x0 + (at - begin) / (end - begin) * _PLOT_WIDTH:.1f} {y0 + _PLOT_HEIGHT * (1 - value / most):.1f}"
            for at, value in points
        ]
        if places:
            parts.append(f'<path d="M{"L".join(places)}" fill="none" stroke="{colour}" stroke-width="1.6"/>\n')
        if index < _LEGENDS:
            x, y = left + 14 + index % 3 * 122, y0 + _PLOT_HEIGHT + 20 + index // 3 * 15
            parts.append(f'<rect x="{x}" y="{y - 8}" width="9" height="9" rx="2" fill="{colour}"/>\n')
            parts.append(text(x + 13, y, name[:19], font_size=11))
    return "".join(parts)


def _shown(value: float, unit: str) -> str:
    match unit:
        case "s" if value < 1:
            return f"{value * 1000:.3g} ms"
        case "s":
            return f"{value:.3g} s"
        case "ops":
            return f"{value:.3g}/s"
        case _:
            return f"{value:.3g}"
