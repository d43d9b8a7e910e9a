"""Markdown as models mean it, where GitHub's dialect and CommonMark say otherwise; long blocks stay whole."""

from playwright.async_api import Browser, expect

from tests.browser.people import somebody
from tests.support.server import LiveServer

_MEANT = [
    ("5~10, 20~30 and ~~gone~~", "5~10, 20~30 and <s>gone</s>"),
    ("a &amp; b &lt;c&gt; &#38; &copy; &nosuch; &#xd800;", "a &amp; b &lt;c&gt; &amp; © &amp;nosuch; \ufffd"),
    ("`&amp;`", "<code>&amp;amp;</code>"),
    ("这是**“重点”**的", "这是<strong>“重点”</strong>的"),
    ("これは**「太字」**です", "これは<strong>「太字」</strong>です"),
    ('a**"b"**c', 'a**"b"**c'),
    (r"so \( a_1*b*c \) is", r"so \( a_1*b*c \) is"),
    ("so $x_1*y$ and $$z_1*w_1*$$", "so $x_1*y$ and $$z_1*w_1*$$"),
    ("$5 and *six* or $7", "$5 and <em>six</em> or $7"),
    ("\\[\na_1*b*\n- c\n\\]", "\\[\na_1*b*\n- c\n\\]"),
]

_RENDER = """async (texts) => {
    const { GrowingText } = await import("/page/markdown.js");
    return texts.map((whole) => {
        const root = document.createElement("div");
        const text = new GrowingText(root);
        text.append(whole);
        text.finish();
        return root.firstElementChild.innerHTML;
    });
}"""

_SHAPES = """async ([source, size]) => {
    const { GrowingText } = await import("/page/markdown.js");
    const root = document.createElement("div");
    const text = new GrowingText(root);
    for (let from = 0; from < source.length; from += size) text.append(source.slice(from, from + size));
    text.finish();
    return [[...root.children].map((block) => block.localName), root.querySelectorAll("tr, li").length, root.innerHTML];
}"""


async def test_marks_mean_what_models_mean(chromium: Browser, server: LiveServer) -> None:
    """Ranges, character references, bold text in scripts without spaces, and mathematics, which stays as written."""
    async with somebody(chromium, server.url) as person:
        rendered = await person.page.evaluate(_RENDER, [text for text, _ in _MEANT])
    assert rendered == [expected for _, expected in _MEANT]


async def test_a_link_has_its_address_decoded(chromium: Browser, server: LiveServer) -> None:
    """So that it leads where it was meant to; an encoded scheme is refused like a plain one."""
    async with somebody(chromium, server.url) as person:
        await person.say("[a](https://b.c/?d=1&amp;e=2) [b](&#106;avascript:alert(1))")
        await person.hears_the_end()
        assert await person.reply.locator(".text a").get_attribute("href") == "https://b.c/?d=1&e=2"
        await expect(person.reply.locator(".text a")).to_have_count(1)


async def test_long_tables_and_lists_stay_whole(chromium: Browser, server: LiveServer) -> None:
    """No row becomes prose, no number begins anew; however it arrives. A long line is cut between letters."""
    rows = "| a | b |\n|---|---|\n" + "".join(
        f"| row {n} | **bold** `code` and more text of this row |\n" for n in range(400)
    )
    items = "".join(
        f"{n}. item {n}\n     - one\n     - two\n\n     ```py\n     code = {n}\n     ```\n" for n in range(1, 201)
    )
    async with somebody(chromium, server.url) as person:
        for source, block, parts in ((rows, "div", 401), (items, "ol", 600)):
            whole = await person.page.evaluate(_SHAPES, [source, len(source)])
            assert whole[:2] == [[block], parts]
            assert await person.page.evaluate(_SHAPES, [source, 37]) == whole
        emoji = await person.page.evaluate(_SHAPES, ["a" + "🙂" * 12_000, 10_000])
        assert "🙂" * 4_000 in emoji[2]
        assert "\ufffd" not in emoji[2].encode("utf-16", "replace").decode("utf-16")
        deep = await person.page.evaluate(_SHAPES, ["> " * 60 + "deep", 10])
        assert deep[0] == ["p"]


async def test_a_selected_reply_is_copied_without_buttons(chromium: Browser, server: LiveServer) -> None:
    """Only its text."""
    async with somebody(chromium, server.url) as person:
        await person.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await person.say("before\n\n```py\nprint(1)\n```\n\nafter")
        await person.hears_the_end()
        await person.text.evaluate("(text) => getSelection().selectAllChildren(text)")
        await person.page.keyboard.press("ControlOrMeta+c")
        copied = await person.page.evaluate("navigator.clipboard.readText()")
        await expect(person.text.locator(".language")).to_have_text("py")
        assert "Copy" not in copied
        assert "py\n" not in copied
        assert "print(1)" in copied
