"""The chat page in each language: complete, in the language's direction, and with none of its texts elsewhere."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Route, expect

from app.contract import Contract
from tests.browser.people import PHONE, Person, somebody, talks_in_arabic
from tests.support.browser import visitor
from tests.support.server import LiveServer

_PAGE = Path(__file__).parents[2] / "app" / "web" / "page"
_LANGUAGES = sorted(file.suffixes[0].removeprefix(".") for file in _PAGE.glob("strings.*.js"))
_ENTRY = re.compile(r'^ {2}"([^"]+)": "([^"]+)",$', re.MULTILINE)


def _texts(language: str) -> dict[str, str]:
    return dict(_ENTRY.findall((_PAGE / f"strings.{language}.js").read_text("utf-8")))


@pytest.mark.parametrize("language", _LANGUAGES)
def test_each_language_has_every_text(language: str) -> None:
    """With the same values to fill in, and for every problem of the contract that users can meet."""
    english, texts = _texts("en"), _texts(language)
    assert texts.keys() == english.keys()
    assert (_PAGE / f"strings.{language}.js").read_text("utf-8").count('": "') == len(texts)
    for name, text in texts.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", english[name])), name
    for problem in Contract.load().problems.values():
        if problem["status"] in {413, 429, 500, 502, 503, 504}:
            assert problem["type"].replace("urn:", "").replace(":", ".") in texts


def test_each_text_is_used() -> None:
    """By its name, or by the name of what it is about."""
    code = "".join(file.read_text("utf-8") for file in _PAGE.iterdir() if not file.name.startswith("strings."))
    computed = ("problem.", "end.")
    assert [name for name in _texts("en") if f'"{name}"' not in code and not name.startswith(computed)] == []


_MARKED = "export default Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, `⟦${text}⟧`]));"

_UNMARKED = """() => {
    const theirs = ".text, .message.user, [data-slot], bdi, time, #suggestions, #conversations a, noscript, .theirs";
    const seen = [];
    for (const element of document.querySelectorAll("body, body *")) {
        for (const name of ["aria-label", "title", "placeholder"]) {
            const value = element.getAttribute(name);
            if (value && !element.closest(".text a, #conversations a")) seen.push(value);
        }
        if (element.closest(theirs)) continue;
        if (element.querySelector(":scope > [data-slot]")) {
            seen.push(element.textContent);
            continue;
        }
        for (const child of element.childNodes) if (child.nodeType === 3) seen.push(child.data);
    }
    return seen.filter((text) => /[A-Za-z]/.test(text.replace(/⟦(?:[^⟦⟧]|⟦[^⟧]*⟧)*⟧/g, "")));
}"""


async def _mark(route: Route) -> None:
    """Serves a language whose texts can be told from those that are in the code."""
    answer = await route.fetch()
    text = (await answer.text()).replace("export default {", "const texts = {") + _MARKED
    await route.fulfill(response=answer, body=text)


@pytest.mark.parametrize("screen", ["desktop", "phone"])
async def test_no_text_is_left_in_the_code(screen: str, chromium: Browser, server: LiveServer) -> None:
    """Whatever the page shows that the user and the bot have not said."""
    async with visitor(chromium, **(PHONE if screen == "phone" else {})) as page:
        await page.context.route("**/strings.en.js", _mark)
        await page.goto(f"{server.url}/")
        await expect(page.locator(".hello")).to_have_text("⟦What would you like to talk about?⟧")
        assert await page.evaluate(_UNMARKED) == []
        person = Person(page)
        message = page.locator("#message")
        for text in ("```\ncode\n```\n![a](https://b.c)", "/simulate status=503\nx", "/simulate fail_after=1\nx y"):
            await message.fill(text)
            await page.locator("#send").click()
            await expect(person.reply).to_have_attribute("aria-busy", "false")
            assert await page.evaluate(_UNMARKED) == []
        await message.fill("/simulate stall_after=3\nsome words that stay unsaid")
        await page.locator("#send").click()
        await person.hears("some words")
        assert await page.evaluate(_UNMARKED) == []
        await page.locator("#stop").click()
        await expect(person.note).to_have_text("⟦Stopped.⟧")
        assert await page.evaluate(_UNMARKED) == []
        await person.reply.locator(".tools button").last.click()
        await person.sayings.last.locator("button").first.click()
        await expect(page.locator(".details").last).to_be_visible()
        await expect(page.locator(".editing")).to_be_visible()
        assert await page.evaluate(_UNMARKED) == []
        await message.fill("x" * 16_001)
        assert await page.evaluate(_UNMARKED) == []
        assert (await page.title()).endswith("Chat⟧")


async def _flows(page: Any, selector: str) -> str:  # noqa: ANN401 - a page or an element
    direction: str = await page.locator(selector).first.evaluate("(element) => getComputedStyle(element).direction")
    return direction


async def test_the_page_is_in_the_browsers_language(chromium: Browser, server: LiveServer) -> None:
    """From right to left if that is its direction; in English if there is no other."""
    async with somebody(chromium, server.url, locale="ar-EG") as person:
        await expect(person.page.locator("html")).to_have_attribute("dir", "rtl")
        await expect(person.page.locator("html")).to_have_attribute("lang", "ar")
        assert [await _flows(person.page, box) for box in ("#message", "#search")] == ["rtl", "rtl"]
        await talks_in_arabic(person)
    async with somebody(chromium, server.url, locale="ar", **PHONE) as person:
        await person.page.get_by_role("button", name="فتح قائمة المحادثات").click()
        await expect(person.page.locator("#new")).to_be_in_viewport()
        assert await person.page.evaluate("document.documentElement.scrollWidth") == 390
    async with somebody(chromium, server.url, locale="tlh") as person:
        await expect(person.page.locator("html")).to_have_attribute("lang", "en")


_HEBREW = "שלום, זה טקסט.\n\n1. ראשון\n2. שני\n\n- English item\n\n> ציטוט\n\n| אחד | b |\n|---|---|\n| 1 | 2 |\n\n`x`"
_INSIDE = """(item) => {
    const list = item.parentElement;
    const [inner, outer] = [item, list].map((element) => element.getBoundingClientRect());
    return outer.right - inner.right;
}"""


@pytest.mark.parametrize("locale", ["en-US", "ar"])
async def test_a_text_runs_in_its_own_direction(locale: str, chromium: Browser, server: LiveServer) -> None:
    """Whatever the page's: lists have room for their numbers, code is left to right, and titles are isolated."""
    async with somebody(chromium, server.url, locale=locale) as person:
        await person.page.locator("#message").fill(_HEBREW)
        assert await _flows(person.page, "#message") == "rtl"
        await person.page.locator("#send").click()
        await person.hears_the_end()
        for part in ("ol", "blockquote", "table", ".text > p"):
            assert await _flows(person.reply, part) == "rtl"
        assert await _flows(person.reply, "ul") == "ltr"
        assert await person.reply.locator("ol > li").first.evaluate(_INSIDE) >= 20
        await person.page.locator("#message").fill("english\n\n1. one\n\n```\nשלום\n```")
        await person.page.locator("#send").click()
        await expect(person.replies).to_have_count(2)
        await person.hears_the_end()
        for part in ("ol", ".code", ".text > p"):
            assert await _flows(person.reply, part) == "ltr"
        assert await _flows(person.page, "#title") == "rtl"


async def test_what_the_api_says_is_marked_as_english(chromium: Browser, server: LiveServer) -> None:
    """In a page that is not: for screen readers, and in its own direction."""
    async with somebody(chromium, server.url, locale="ar") as person:
        await person.page.locator("#message").fill("/simulate nonsense\nhello")
        await person.page.locator("#send").click()
        detail = person.note.locator("bdi[lang=en]")
        await expect(detail).to_have_text(re.compile(r"^[\x20-\x7e“”‘’…]+\.$"))
        assert await _flows(person.note, "bdi") == "ltr"


async def test_a_title_turns_nothing_around_it(chromium: Browser, server: LiveServer) -> None:
    """Nor is it empty, if nothing in it is visible."""
    async with somebody(chromium, server.url) as person:
        await person.say("\u202eevil\u2069\u2069 title")
        await person.hears_the_end()
        await expect(person.page.locator("#title")).to_have_text("evil title")
        await expect(person.conversations.first.locator("bdi")).to_have_text("evil title")
        await expect(person.page).to_have_title("evil title · Chat")
        await person.page.get_by_role("button", name="New chat").click()
        await person.say("\u200b\u200d\u2066")
        await person.hears_the_end()
        await expect(person.page.locator("#title")).to_have_text("Untitled chat")
        await expect(person.conversations.first.locator("bdi")).to_have_text("Untitled chat")
        await person.page.get_by_role("button", name="Delete “Untitled chat”").click()
        await expect(person.page.get_by_role("dialog")).to_contain_text("“Untitled chat” and all its messages")
        await person.page.get_by_role("button", name="Cancel").click()
        await person.page.get_by_role("button", name="New chat").click()
        await person.say("👩‍👩‍👧‍👦" * 90)
        await person.hears_the_end()
        title = await person.page.locator("#title").text_content()
        assert title is not None
        assert title.replace("👩‍👩‍👧‍👦", "") in {"", "…"}


_SEEN = """(title) => {
    const first = document.createRange();
    first.setStart(title.firstChild, 0);
    first.setEnd(title.firstChild, 1);
    const [letter, box] = [first, title.closest("a, h1")].map((part) => part.getBoundingClientRect());
    return letter.left >= box.left && letter.right <= box.right;
}"""
"""Whether the first letter of a title is within what is shown of it."""


@pytest.mark.parametrize("locale", ["en-US", "ar"])
@pytest.mark.parametrize("title", ["a long title " * 6, "عنوان طويل جدا " * 6])
async def test_a_title_that_is_too_long_is_cut_at_its_end(
    locale: str, title: str, chromium: Browser, server: LiveServer
) -> None:
    """Where its own script ends, whatever the direction of the page."""
    async with somebody(chromium, server.url, locale=locale, viewport={"width": 800, "height": 600}) as person:
        await person.page.locator("#message").fill(title)
        await person.page.locator("#send").click()
        await person.hears_the_end()
        await expect(person.conversations.first.locator("bdi")).to_contain_text(title[:10])
        assert await person.conversations.first.locator("bdi").evaluate(_SEEN)
        assert await person.page.locator("#title").evaluate(_SEEN)
