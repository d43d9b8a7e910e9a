"""`scripts/screenshots`: screenshots of the chat page during a reply, for the README."""

import asyncio
import sys
from dataclasses import dataclass
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

MODEL = "gpt-oss-20b"


@dataclass(frozen=True, slots=True)
class Talk:
    """What is said, in one language."""

    locale: str
    earlier: tuple[str, ...]
    question: str
    reply: str
    seen: str
    """The end of the reply that is waited for: its last word waits for more."""


ENGLISH = Talk(
    "en-US",
    ("Who was Ada Lovelace?", "A packing list for Lisbon", "Why is the sky blue?"),
    "How do I read a streamed reply in Python?",
    """Send the message, then read **one event a word**:

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

A stream that ends without one of these was""",
    "without one of",
)
ARABIC = Talk(
    "ar-EG",
    ("من هي آدا لوفلايس؟", "قائمة أمتعة لرحلة إلى لشبونة", "لماذا السماء زرقاء؟"),
    "كيف أقرأ ردًا متدفقًا في بايثون؟",
    """أرسل الرسالة، ثم اقرأ **حدثًا لكل كلمة**:

```python
for word in ask("hello"):
    print(word, end="", flush=True)
```

1. لكل كلمة *معرّف*، مثل `5f0c2ab4…:3`.
2. بعد انقطاع الاتصال، أرسل آخر معرّف في `Last-Event-ID`.
3. لا يضيع شيء، ولا يُولَّد شيء مرتين.

| الحدث | معناه |
|---|---|
| كلمة | الكلمة التالية مع المسافة بعدها |
| `done` | النهاية: الرد كاملًا |

إذا انتهى التدفق دون أحدها فقد""",
    "التدفق دون",
)

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
SCREENS: dict[str, tuple[Talk, dict[str, Any]]] = {
    "desktop": (ENGLISH, DESKTOP),
    "phone": (ENGLISH, {**PHONE, "device_scale_factor": 2}),
    "arabic": (ARABIC, DESKTOP),
}


async def main() -> None:
    """Take one screenshot per screen and colour scheme."""
    PLACE.mkdir(exist_ok=True)
    async with browser() as chromium:
        for (name, (talk, screen)), scheme in product(SCREENS.items(), ("light", "dark")):
            async with visitor(chromium, color_scheme=scheme, locale=talk.locale, **screen) as page:
                picture = PLACE / f"{name}-{scheme}.png"
                await take(page, talk, picture)
                print(picture, file=sys.stderr)


async def take(page: Page, talk: Talk, picture: Path) -> None:
    """Send a message, regenerate the reply, and take the screenshot before its last word arrives."""
    answers = [speaks("Gladly.") for _ in [*talk.earlier, talk.question]]
    engine = FakeEngine(*answers, begun(chunk(talk.reply)))  # then it is silent
    with engine_beside(engine), LiveServer("openai", openai_base_url=engine.url, openai_model=MODEL) as server:
        await page.goto(f"{server.url}/")
        for message in talk.earlier:
            await ask(page, message)
            await expect(page.locator(".reply")).to_have_attribute("aria-busy", "false")
            await page.locator("#new").evaluate("(button) => button.click()")  # on a phone it is hidden
        await ask(page, talk.question)
        await page.locator(".reply button", has=page.locator("use[href='#icon-again']")).click()
        await expect(page.locator(".reply .text")).to_contain_text(talk.seen)
        await expect(page.locator("#conversations li")).to_have_count(len(talk.earlier) + 1)
        await expect(page.locator("pre .keyword").first).to_be_visible()  # code is coloured when the browser is idle
        await page.screenshot(path=picture)


async def ask(page: Page, message: str) -> None:
    """Send a message through the page's controls."""
    await page.locator("#message").fill(message)
    await page.locator("#send").click()


if __name__ == "__main__":
    asyncio.run(main())
