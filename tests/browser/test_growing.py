"""A long reply on the chat page: in the end it looks as if it had come whole, and each word of it costs the same."""

import random
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page

from tests.browser.people import somebody
from tests.support.server import LiveServer

_BLOCKS = (
    "## Part {n}\n\nSome *words* of a paragraph with `code`, a [link](https://a.b/{n}) and **bold text** in it.\n\n",
    "| name | number | *why* |\n|:--|--:|---|\n" + "| row `{n}` | 12 | since **it** is so |\n" * 40 + "\n",
    "- item {n}\n  - nested *one*\n  - nested two\n    1. deep\n    2. deeper\n- another item of a few words\n" * 8
    + "\n",
    "```python\n" + "def f{n}(words):\n    return [word for word in words]  # *no* emphasis\n\n" * 15 + "```\n",
    "1. Step\n\n   ```sh\n   ls -l {n}\n\n   cd ..\n   ```\n\n2. Next\n\n   | a | b |\n   |---|---|\n   | 1 | 2 |\n\n"
    * 3,
    "> Quoted words, over\n> two lines\n>\n> - and a list\n\n",
    "- [ ] open\n- [x] done\n- c\n\n- [x] the blank line sets all of them apart\n\n",
)


def _reply(words: int, chance: random.Random) -> str:
    """A text of at least this many words, of each kind of block."""
    text = ""
    while len(text.split()) < words:
        for block in chance.sample(_BLOCKS, len(_BLOCKS)):
            text += block.replace("{n}", str(chance.randrange(100)))
    return text


@pytest.fixture(scope="module")
async def page(chromium: Browser, server: LiveServer) -> AsyncIterator[Page]:
    """Where scripts can import the page's modules; they leave it as it is."""
    async with somebody(chromium, server.url) as person:
        yield person.page


_RENDER = """async (arrivals) => {
    const { GrowingText } = await import("/page/markdown.js");
    return arrivals.map((pieces) => {
        const root = document.createElement("div");
        const text = new GrowingText(root);
        for (const piece of pieces) text.append(piece);
        text.finish();
        return root.innerHTML;
    });
}"""
"""What a text looks like in the end, for each of these ways to arrive."""


async def test_what_streamed_looks_like_what_comes_whole(page: Page) -> None:
    """Five thousand words with tables, nested lists and code, wherever they are cut."""
    chance = random.Random(20261130)  # noqa: S311 - not for secrets
    text = _reply(5_000, chance)
    arrivals = [[text]]
    for count in (20, 300, 3_000):
        cuts = sorted(chance.sample(range(1, len(text)), count))
        arrivals.append([text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)])
    whole, *live = await page.evaluate(_RENDER, arrivals)
    assert whole.count("<tr>") > 100
    assert [look == whole for look in live] == [True] * len(live)


_UNDECIDED = {
    "a heading, or a word": "text\n#tag and more",
    "a line, or a rule": "| a |\n|---|\n| 1 |\n---x\n",
    "an indented line": "some words\n  and more of them",
    "a table, or a line": "text\na | b\n--|-x\n",
    "code, or a line": "text\n```py`x\nmore",
    "an item, or a line": "- a\n- b\n\n-foo\n",
    "a number, or an item": "1. a\n2. b\n\n3 apples\n",
    "an item, or a rule": "- a\n- b\n- - - \nmore",
    "two lists": "* a\n* b\n+ c\n+ d\n1. e\n",
    "a late blank line": "- a\n- b\n- c\n- d\n\n- e\n- f\n",
    "a late blank line within": "- a\n- b\n- c\n\n  more\n- d\n- e\n",
    "tasks": "- [ ] a\n- [x] b\n- c\n\n- [x] d\n",
    "empty lines in code": "```\na\n\n\nb\n\n```\nend",
    "indented code": "  ```js\n  a\n    b\n\n\n  c\n  ```",
    "an open fence": "~~~\na\nb\n\n",
    "a row of nothing": "| a | b |\n|---|---|\n| 1 | 2 |\n|\nx\n\n| not | one |\n",
    "a quotation": "> a\nlazy\n> b\n\nc\n",
}


async def test_a_line_that_is_not_complete_decides_nothing(page: Page) -> None:
    """Cut anywhere, or character by character."""
    for kind, text in _UNDECIDED.items():
        arrivals = [[text], list(text), *([text[:place], text[place:]] for place in range(1, len(text)))]
        whole, *live = await page.evaluate(_RENDER, arrivals)
        assert [look for look in live if look != whole] == [], kind


_GROW = """async (text) => {
    const { GrowingText } = await import("/page/markdown.js");
    const root = document.createElement("div");
    root.className = "text";
    document.querySelector("#log").append(root);
    const sizeOf = (node) => 1 + [...node.childNodes].reduce((sum, child) => sum + sizeOf(child), 0);
    const changes = new MutationObserver(() => {});
    changes.observe(root, { childList: true, subtree: true });
    const create = document.createElement;
    let created = 0;
    document.createElement = (name) => {
        created += 1;
        return create.call(document, name);
    };
    const growing = new GrowingText(root);
    const words = text.match(/\\S+\\s*/g);
    let added = 0;
    for (const [n, word] of words.entries()) {
        growing.append(word);
        for (const change of changes.takeRecords()) for (const node of change.addedNodes) added += sizeOf(node);
        if (n % 50 === 0) await new Promise(requestAnimationFrame);
    }
    growing.finish();
    document.createElement = create;
    return [added / sizeOf(root), created / root.querySelectorAll("*").length];
}"""
"""How often each node was put into the document, and each element created."""

_ENDLESS = {
    "a table": "| a | b | c |\n|---|---|---|\n" + "| one *two* | three four | 5 six |\n" * 60,
    "a list": "- an item of *six* words\n" * 300,
    "a list in a list": "- top\n" + "  - an item of *six* words\n" * 300,
    "code": "```\n" + "    print(some, words, in_a_line)\n" * 200 + "```",
    "code in a list": "1. Step\n\n   ```\n" + "   print(some, words, in_a_line)\n" * 200 + "   ```",
    "a table in a list": "1. Step\n\n   | a | b |\n   |---|---|\n" + "   | one *two* | three four |\n" * 100,
}


async def test_a_word_costs_the_same_however_long_its_block_is(chromium: Browser, server: LiveServer) -> None:
    """What cannot change any more stays in the document: rows, items and lines, also within an item."""
    async with somebody(chromium, server.url) as person:
        for kind, text in _ENDLESS.items():
            added, created = await person.page.evaluate(_GROW, text)
            assert added < 3, kind
            if kind in {"a table", "a list"}:  # rows and items are not even parsed again
                assert created < 40, kind
