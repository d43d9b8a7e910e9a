"""Plain SVG, no dependency: what all pictures of figures share."""

from html import escape

WIDTH = 860
INK, FAINT, ACCENT, ALERT = "#1d2429", "#7a858d", "#0b7a75", "#c2410c"


def picture(height: float, title: str, subtitle: str, content: str, width: float = WIDTH) -> str:
    """A whole file, with a title over the content, which begins below 70."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" font-size="13" fill="{INK}">\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n'
        + text(24, 34, title, font_size=18, font_weight=600)
        + text(24, 56, subtitle, fill=FAINT)
        + content
        + "</svg>\n"
    )


def text(x: float, y: float, content: str, **style: str | int) -> str:
    """A line of text with a white outline, so that it is readable on top of lines."""
    drawn = {"font_size": 13, "paint_order": "stroke", "stroke": "#ffffff", "stroke_width": 4, **style}
    attributes = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in drawn.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{attributes}>{escape(content)}</text>\n'
