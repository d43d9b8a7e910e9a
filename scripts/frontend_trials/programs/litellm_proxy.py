"""LiteLLM's proxy in front of the service, asked with OpenAI's SDK."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import openai
from openai_sdk import ask
from said import BASE_URL

KEY = f"sk-{secrets.token_hex(32)}"
"""The proxy does not start without one."""

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
config = Path(tempfile.mkdtemp(), "config.yaml")
config.write_text(
    "model_list:\n"
    "  - model_name: chat\n"
    f'    litellm_params: {{model: openai/any, api_base: "{BASE_URL}", api_key: any}}\n'
    "litellm_settings: {telemetry: false}\n"
)
proxy = subprocess.Popen(
    [
        str(Path(sys.executable).with_name("litellm")),
        "--config",
        str(config),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ],
    env=os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": KEY},
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
    start_new_session=True,
)
try:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/health/liveliness").status_code == 200:  # noqa: PLR2004 - OK
                break
        time.sleep(0.3)
    ask(openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY, max_retries=0))
finally:
    os.killpg(proxy.pid, signal.SIGKILL)
