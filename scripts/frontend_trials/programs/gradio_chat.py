"""Gradio's chat page for a server with OpenAI's API, asked through its own client."""

from collections.abc import Iterator

import gradio
from gradio_client import Client
from said import BASE_URL, MESSAGE, tell

page = gradio.load_chat(BASE_URL, model="any", token="any")  # noqa: S106 - any
_, address, _ = page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
client = Client(address, verbose=False)
asked = {"message": {"text": MESSAGE, "files": []}, "api_name": "/open_api_stream"}
job = None


def whole() -> str:
    said = client.predict(
        message={"text": MESSAGE, "files": []} if page.multimodal else MESSAGE, api_name="/open_api_stream"
    )
    return said if isinstance(said, str) else said[-1]


def stream() -> Iterator[str]:
    global job  # noqa: PLW0603 - one job
    job = client.submit(
        message={"text": MESSAGE, "files": []} if page.multimodal else MESSAGE, api_name="/open_api_stream"
    )
    seen = ""
    for said in job:
        yield said[len(seen) :]
        seen = said
    job.result()  # raises what went wrong


def cancel() -> None:
    job.cancel()


tell(whole, stream, cancel)
page.close()
