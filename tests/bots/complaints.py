"""Errors of engines and hosted APIs, each in its own words; a CANARY stands for possible secrets."""

from typing import Any

from tests.bots.faults import CANARY
from tests.support.completions import answer, begun, event, stream
from tests.support.engine import Script


def _error(message: str, **more: object) -> dict[str, Any]:
    return {"error": {"message": f"{message} {CANARY}"} | more}


_LM_STUDIO = (
    "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context"
)

TOO_LONG: dict[str, Script] = {
    "OpenAI": answer(400, _error("no", code="context_length_exceeded")),
    "OpenAI, in words": answer(
        400,
        _error("This model's maximum context length is 4097 tokens. However, your messages resulted in 5000 tokens."),
    ),
    "llama.cpp": answer(
        400, _error("no", code=400, type="exceed_context_size_error", n_prompt_tokens=5000, n_ctx=4096)
    ),
    "llama-cpp-python": answer(400, _error("Requested tokens (5000) exceed context window of 4096")),
    "vLLM": answer(400, _error("The decoder prompt (length 5000) is longer than the maximum model length of 4096.")),
    "vLLM, newer": answer(
        400,
        {
            "object": "error",
            "message": "This model's maximum context length is 4096 tokens. However, you requested 0 output tokens and "
            "your prompt contains at least 4097 input tokens, for a total of at least 4097 tokens.",
        },
    ),
    "SGLang": begun(event(_error("The input (5000 tokens) is longer than the model's context length (4096 tokens)."))),
    "LM Studio": stream(b"event: error\n" + event(_error(f"{_LM_STUDIO} length of only 4096 tokens"))),
    "TGI": answer(422, {"error": "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000"}),
    "Ollama": answer(500, {"error": "the input length exceeds the context length"}),
    "Gemini": answer(
        400,
        [_error("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", code=400)],
    ),
    "Anthropic": answer(400, {"type": "error", **_error("prompt is too long: 208310 tokens > 200000 maximum")}),
    "Groq": answer(
        413,
        _error(
            "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 7000, please reduce",
            type="tokens",
            code="rate_limit_exceeded",
        ),
    ),
    "xAI": answer(400, _error("This model's maximum prompt length is 131072 but the request contains 537812 tokens.")),
    "Mistral": answer(
        400, {"message": "Prompt contains 40000 tokens, too large for model with 32768 maximum context length"}
    ),
    "Qwen": answer(400, _error("Range of input length should be [1, 30720]", code="invalid_parameter_error")),
    "MiniMax": answer(200, {"base_resp": {"status_code": 2013, "status_msg": "context window exceeds limit"}}),
    "Moonshot": answer(400, _error("Your request exceeded model token limit: 8192 (requested: 9000)")),
    "GitHub Copilot": answer(400, _error("prompt token count of 168929 exceeds the limit of 168000")),
    "Bedrock": answer(400, {"message": "Input is too long for requested model."}),
    "a proxy, in plain text": answer(413, b"Request Entity Too Large", {"Content-Type": "text/plain"}),
    "413 without a word": answer(413),
    "in a string, while streaming": begun(event({"error": "maximum context length exceeded"})),
}

FILTERED: dict[str, Script] = {
    "Azure": answer(
        400,
        _error(
            "The response was filtered due to the prompt triggering the content management policy.",
            code="content_filter",
            innererror={"code": "ResponsibleAIPolicyViolation"},
        ),
    ),
    "Qwen": answer(400, _error("<400> InternalError.Algo.DataInspectionFailed", code="data_inspection_failed")),
    "DeepSeek": answer(400, _error("Content Exists Risk", type="invalid_request_error")),
    "xAI": answer(403, {"code": "The caller does not have permission", "error": "Content violates usage guidelines."}),
    "OpenAI": answer(
        400, _error("Invalid prompt: limited access to this content for safety reasons", code="invalid_prompt")
    ),
    "Zhipu": answer(400, _error("系统检测到输入或生成内容可能包含不安全或敏感内容", code="1301")),
    "OpenRouter": answer(403, _error("m requires moderation on p. Your input was flagged", code=403)),
    "MiniMax": answer(200, {"base_resp": {"status_code": 1026, "status_msg": "input new_sensitive"}}),
    "LiteLLM": answer(500, _error("litellm.ContentPolicyViolationError: AzureException")),
    "while streaming": begun(event(_error("blocked", code="content_filter"))),
}

MISCONFIGURED: dict[str, Script] = {
    "OpenAI, key": answer(401, _error("Incorrect API key provided", code="invalid_api_key")),
    "Gemini, key": answer(400, [_error("API key not valid. Please pass a valid API key.", status="INVALID_ARGUMENT")]),
    "LiteLLM, key": answer(400, _error("No connected db.")),
    "LiteLLM, the key behind it": answer(
        500, _error("litellm.AuthenticationError: AuthenticationError: OpenAIException")
    ),
    "llama.cpp, key": answer(401, _error("Invalid API Key", type="authentication_error", code=401)),
    "FastAPI, key": answer(403, {"detail": "Not authenticated"}),
    "key, in plain text": answer(401, b"Unauthorized", {"Content-Type": "text/plain"}),
    "key, while streaming": begun(event({"error": "invalid api key"})),
    "vLLM, model": answer(404, {"object": "error", "message": f"The model `{CANARY}` does not exist.", "code": 404}),
    "Ollama, model": answer(404, _error('model "m" not found, try pulling it first')),
    "Mistral, model": answer(400, {"object": "error", "message": "Invalid model: m", "code": "1500"}),
    "transformers, model": answer(400, {"detail": f"Server is pinned to {CANARY}"}),
    "no such path": answer(404, {"detail": "Not Found"}),
    "DeepSeek, credit": answer(402, _error("Insufficient Balance")),
    "OpenAI, credit": answer(429, _error("You exceeded your current quota", code="insufficient_quota")),
    "a page behind a redirect": answer(307, b"", {"Location": "https://sign-in.example"}),
}

UNREACHABLE: dict[str, Script] = {
    "LiteLLM": answer(
        500,
        _error(
            "litellm.InternalServerError: InternalServerError: OpenAIException - Connection error.\n\nLiteLLM: model "
            "group 'local' failed with the error above. No fallback was attempted.",
            type="internal_server_error",
            param=None,
            code="500",
        ),
    ),
    "LiteLLM, with aiohttp": answer(500, _error("Cannot connect to host 10.0.0.1:8000 ssl:default [None]", code="500")),
    "One API": answer(
        500, _error('do request failed: Post "http://10.0.0.1/v1": dial tcp: connect: connection refused')
    ),
    "a gateway with httpx": answer(502, {"detail": "All connection attempts failed"}),
    "a service mesh": answer(503, b"no healthy upstream", {"Content-Type": "text/plain"}),
    "LiteLLM, while streaming": begun(event(_error("OpenAIException - Connection error.", code="500"))),
}
