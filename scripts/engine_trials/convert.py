"""`convert.py MODEL.gguf FOLDER`: writes a model as transformers, vLLM and mlx-lm read it.

Runs in the environment of transformers, and so imports nothing of this project.
"""

import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig


def main() -> None:
    """Weights in bfloat16, the tokenizer, and its template."""
    source, target = Path(sys.argv[1]), sys.argv[2]
    where = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    whole = GgufConfig(gguf_file=source.name, dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.bfloat16, quantization_config=whole)
    model.config.__dict__.pop("quantization_config", None)  # it is none any more
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(**where).save_pretrained(target)


if __name__ == "__main__":
    main()
