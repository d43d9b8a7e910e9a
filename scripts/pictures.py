"""`scripts/screenshots`: screenshots of the chat page during a reply, for the README."""

import asyncio
import sys
from itertools import product
from pathlib import Path
from typing import Any

from playwright.async_api import Page, expect

from tests.browser.people import PHONE
from tests.support.browser import browser, visitor
from tests.support.completions import begun, chunk, speaks
from tests.support.engine import FakeEngine, engine_beside
from tests.support.server import LiveServer

PLACE = Path(__file__).parent.parent / "app" / "web" / "screenshots"

SCREENS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {**PHONE, "device_scale_factor": 2},
}

EARLIER = ["Who was Ada Lovelace?", "A packing list for Lisbon", "Why is the sky blue?"]

QUESTION = "How do I read a streamed reply in Python?"
MODEL = "gpt-oss-20b"
REPLY = """Send the message, then read **one event a word**:

```python
for word in ask("hello"):
    print(word, end="", flush=True)
```

1. Each word has an *id*, such as `5f0c2ab4…:3`.
2. After a cut, send the last one back as `Last-Event-ID`.
3. Nothing is lost, and nothing is generated twice.

| event | meaning |
|---|---|
| word | the next word, with its white space |
| `done` | the end: the whole reply |

A stream that ends without one of these was"""


async def main() -> None:
    """Take one screenshot per screen and colour scheme."""
    PLACE.mkdir(exist_ok=True)
    async with browser() as chromium:
        for (name, screen), scheme in product(SCREENS.items(), ("light", "dark")):
            async with visitor(chromium, color_scheme=scheme, **screen) as page:
                picture = PLACE / f"{name}-{scheme}.png"
                await take(page, picture)
                print(picture, file=sys.stderr)


async def take(page: Page, picture: Path) -> None:
    """Send a message, regenerate the reply, and take the screenshot before its last word arrives."""
    answers = [speaks("Gladly.") for _ in [*EARLIER, QUESTION]]
    engine = FakeEngine(*answers, begun(chunk(REPLY)))  # then it is silent
    with engine_beside(engine), LiveServer("openai", openai_base_url=engine.url, openai_model=MODEL) as server:
        await page.goto(f"{server.url}/")
        for message in EARLIER:
            await ask(page, message)
            await expect(page.locator(".reply")).to_have_attribute("aria-busy", "false")
            await page.locator("#new").evaluate("(button) => button.click()")  # on a phone it is hidden
        await ask(page, QUESTION)
        await page.get_by_role("button", name="Regenerate this reply").click()
        await expect(page.locator(".reply .text")).to_contain_text("without one of")
        await expect(page.locator("#conversations li")).to_have_count(len(EARLIER) + 1)
        await page.screenshot(path=picture)


async def ask(page: Page, message: str) -> None:
    """Send a message through the page's controls."""
    await page.get_by_label("Message", exact=True).fill(message)
    await page.get_by_role("button", name="Send").click()


if __name__ == "__main__":
    asyncio.run(main())
