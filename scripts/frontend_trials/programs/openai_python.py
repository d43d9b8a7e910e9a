"""OpenAI's SDK for Python."""

import openai
from openai_sdk import ask
from said import BASE_URL

ask(openai.OpenAI(base_url=BASE_URL, api_key="any"))
