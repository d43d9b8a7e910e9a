"""Makes the title of a conversation from what is said in it."""

import regex

TITLE_LENGTH = 80
"""In code points, as a database counts."""

_READ = 300
"""Only so many characters are looked at: a title needs no more."""

_MARKS = regex.compile(
    r"""
    ^[ \t]*(?:```|~~~)[^\n]*$                          # the fences of a block of code
    | ^[ \t]*(?:(?:\#{1,6}|>|[-+*]|\d{1,9}[.)])[ \t]+)+  # headings, quotations, lists
    | ^[ \t]*(?:[-=*_][ \t]*){3,}$                     # lines
    | !?\[(?P<text>[^\[\]\n]*)\]\([^()\s]*\)            # links and images: their text stays
    | (?<!\w)(?P<marks>\*{1,3}|~~|`+)(?=\S)(?P<inside>[^\n]*?\S)(?P=marks)
    | (?<!\w)(?P<lines>_{1,3})(?=\S)(?P<between>[^\n]*?\S)(?P=lines)(?!\w)
    """,
    regex.VERBOSE | regex.MULTILINE,
)
_INVISIBLE = regex.compile(r"[[\p{Cc}--\s]\u202a-\u202e\u2066-\u2069\u200e\u200f]", regex.VERSION1)
GRAPHEME = regex.compile(r"\X")


def title_of(message: str) -> str:
    """The beginning of a message, on one line: without Markdown's marks, and with no character cut in two."""
    message = message.lstrip()[:_READ]
    return shortened(without_marks(message)) or shortened(message)


def without_marks(text: str) -> str:
    """A text without Markdown's marks."""
    for _ in range(3):  # marks may be within marks
        unmarked = _MARKS.sub(_inside, text)
        if unmarked == text:
            break
        text = unmarked
    return text


def on_one_line(text: str) -> str:
    """A text with one blank for each white space, and without characters that nobody sees."""
    return " ".join(_INVISIBLE.sub("", text).split())


def shortened(text: str) -> str:
    """A text as a title: on one line, and cut between words if it is too long, or else between characters."""
    line = on_one_line(text)
    if len(line) <= TITLE_LENGTH:
        return line
    end = 0
    for grapheme in GRAPHEME.finditer(line):
        if grapheme.end() >= TITLE_LENGTH:
            break
        end = grapheme.end()
    space = line.rfind(" ", TITLE_LENGTH // 2, end + 1)
    return line[: space if space > 0 else end].rstrip() + "…"


def _inside(mark: "regex.Match[str]") -> str:
    return mark["text"] or mark["inside"] or mark["between"] or ""
