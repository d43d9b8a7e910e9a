"""Code in replies is coloured when it is complete, and stays the text that it is."""

from playwright.async_api import Browser, expect

from tests.browser.people import somebody
from tests.support.server import LiveServer

_SAMPLES = {
    "c": "int main(void) { return 0; } // end",
    "c++": 'auto x = std::string("a");',
    "c#": 'public class A { string b = "c"; }',
    "css": "a:hover { color: #fff; }",
    "dart": "void main() { print('a'); }",
    "diff": "-old\n+new",
    "dockerfile": "FROM debian\nRUN ls # all",
    "go": 'func main() { fmt.Println("a") }',
    "html": '<a href="b">c</a>',
    "ini": "[a]\nb=c",
    "java": "public final class A {}",
    "js": "const a = /b/g; // c",
    "json": '{"a": [1, true, null]}',
    "kotlin": 'fun main() { println("a") }',
    "less": "@a: 1px; b { c: @a; }",
    "lua": "local a = 1 -- b",
    "perl": "my $a = 'b';",
    "powershell": "foreach ($a in $b) { 'c' }",
    "python": "def f(a):\n    return 'b'  # c\n\n\nx = 1",
    "r": "f <- function(a) TRUE",
    "ruby": "def a; :b; end",
    "rust": "fn main() { let a = 1; }",
    "scala": "object A extends App",
    "scss": "$a: 1px; b { c: $a; }",
    "sh": "if true; then echo 'a'; fi",
    "sql": "SELECT a FROM b WHERE c = 'd'",
    "swift": "func a() -> Int { return 1 }",
    "toml": '[a]\nb = "c"',
    "ts": "interface A { b: string }",
    "xml": "<a b='c'>d</a>",
    "yaml": "a: 'b' # c",
}


async def test_each_language_is_coloured(chromium: Browser, server: LiveServer) -> None:
    """And the text is the same, to read and to copy."""
    async with somebody(chromium, server.url) as person:
        said = "\n\n".join(f"```{language}\n{code}\n```" for language, code in _SAMPLES.items())
        await person.say(said)
        await person.hears_the_end()
        for n, (language, code) in enumerate(_SAMPLES.items()):
            shown = person.text.locator("code").nth(n)
            await shown.scroll_into_view_if_needed()
            await expect(shown.locator("span").first, language).to_be_attached()
            await expect(shown, language).to_have_js_property("textContent", code)
        assert await person.copied() == said
        assert await person.page.evaluate("violations") == []


async def test_what_is_not_coloured(chromium: Browser, server: LiveServer) -> None:
    """Other languages, code without one, code that is not complete, and very long code."""
    async with somebody(chromium, server.url) as person:
        asked: list[str] = []
        person.page.on("request", lambda request: asked.append(request.url))
        await person.say("```\nif (a) b();\n```\n\n```brainfuck\n+[->+<]\n```")
        await person.hears_the_end()
        await person.say("/simulate repeat=2\n```js\n" + "let a = 1;\n" * 1_300)
        await expect(person.replies).to_have_count(2)
        await person.hears_the_end()
        await person.say("/simulate stall_after=10\n```js\nlet a = 1;\nlet b = 2;\nlet c = 3;\n```")
        await person.hears("let b")
        await person.page.wait_for_timeout(300)
        assert await person.page.locator("pre span").count() == 0
        assert not [url for url in asked if "/vendor/modes/" in url]
        await person.stop.click()
        await expect(person.text.locator(".keyword").first).to_have_text("let")


_SELECT = """async () => {
    const { GrowingText } = await import("/page/markdown.js");
    const { highlight } = await import("/page/highlight.js");
    const root = document.createElement("div");
    root.className = "text";
    document.querySelector("#log").append(root);
    const text = new GrowingText(root);
    text.append("```js\\nlet a = 1;\\n```");
    text.finish();
    document.activeElement.blur();
    getSelection().selectAllChildren(root.querySelector("code"));
    highlight(root);
    await new Promise((resolve) => setTimeout(resolve, 300));
    return [String(getSelection()), root.querySelectorAll("pre span").length];
}"""


async def test_code_that_is_selected_is_coloured_afterwards(chromium: Browser, server: LiveServer) -> None:
    """So the selection is kept."""
    async with somebody(chromium, server.url) as person:
        assert await person.page.evaluate(_SELECT) == ["let a = 1;", 0]
        await person.page.evaluate("getSelection().removeAllRanges()")
        await expect(person.page.locator("pre .keyword")).to_have_text("let")
