"""The clients that are tried: what to install, the program that drives each, and how to connect it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Client:
    """A client, unmodified, as its package is published."""

    name: str
    title: str
    packages: tuple[str, ...]
    """Of the Python package index or, for a program in JavaScript, of npm."""
    versioned: str
    """The package whose version is shown."""
    program: str
    """Below `programs`. It gets the service's base URL, and a trial's name and message."""
    base: str = "/v1"
    """The base URL, without the service's own."""
    asks_at: str = "/v1/chat/completions"
    """The path that it asks for replies."""
    only_streams: bool = False
    runtime: str = ""
    """Below `programs`: what runs in Node between a page and the service, and has the page on its site."""
    has_page: bool = False
    """Whether its program loads a page of its own, or what a page consists of."""

    @property
    def is_node(self) -> bool:
        """Whether it runs in Node."""
        return self.program.endswith(".mjs")

    @property
    def is_page(self) -> bool:
        """Whether it runs in a page of ours, in a browser."""
        return self.program.endswith(".jsx")

    @property
    def can_be_reloaded(self) -> bool:
        """Whether there is a page that can be loaded again."""
        return self.is_page or self.has_page


CLIENTS = (
    Client("openai-python", "`openai` (Python)", ("openai",), "openai", "openai_python.py"),
    Client("openai-node", "`openai` (JavaScript)", ("openai",), "openai", "openai_node.mjs"),
    Client("langchain", "LangChain `ChatOpenAI`", ("langchain-openai",), "langchain-openai", "langchain.py"),
    Client(
        "llamaindex",
        "LlamaIndex `OpenAILike`",
        ("llama-index-llms-openai-like",),
        "llama-index-llms-openai-like",
        "llamaindex.py",
    ),
    Client("litellm", "LiteLLM proxy", ("litellm[proxy]",), "litellm", "litellm_proxy.py"),
    Client(
        "ai-sdk",
        "AI SDK `Chat`, of `useChat`",
        ("ai", "@ai-sdk/react", "react"),
        "ai",
        "ai_sdk.mjs",
        base="/api/ui",
        asks_at="/api/ui/chat",
        only_streams=True,
    ),
    Client(
        "use-chat",
        "AI SDK `useChat`, in Chromium",
        ("ai", "@ai-sdk/react", "react", "react-dom", "esbuild"),
        "@ai-sdk/react",
        "use_chat.jsx",
        base="/api/ui",
        asks_at="/api/ui/chat",
        only_streams=True,
    ),
    Client(
        "ag-ui",
        "AG-UI `HttpAgent`",
        ("@ag-ui/client",),
        "@ag-ui/client",
        "ag_ui.mjs",
        base="/api",
        asks_at="/api/ag-ui",
        only_streams=True,
    ),
    Client(
        "tanstack-ai",
        "TanStack AI `ChatClient`",
        ("@tanstack/ai-client",),
        "@tanstack/ai-client",
        "tanstack_ai.mjs",
        base="/api",
        asks_at="/api/ag-ui",
        only_streams=True,
        has_page=True,
    ),
    Client(
        "copilotkit",
        "CopilotKit `CopilotChat`, in Chromium",
        ("@copilotkit/runtime", "@copilotkit/react-core", "react", "react-dom", "esbuild"),
        "@copilotkit/react-core",
        "copilot_kit.jsx",
        base="/api",
        asks_at="/api/ag-ui",
        only_streams=True,
        runtime="copilot_runtime.mjs",
    ),
    Client(
        "open-webui",
        "Open WebUI, in Chromium",
        ("open-webui", "playwright"),
        "open-webui",
        "open_webui.py",
        only_streams=True,
        has_page=True,
    ),
    Client("gradio", "Gradio `load_chat`", ("gradio", "openai"), "gradio", "gradio_chat.py"),
)
