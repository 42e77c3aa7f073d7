"""Memory and time of the report on attention heads, by length and number of texts.

    python benchmarks/heads.py                               # some minutes
    python benchmarks/heads.py --size 8b --device cuda       # where there is a GPU

"Maps" is the plain way to the same sink weights: the model gives the attention of all its
layers (`output_attentions`), one text at a time. Models are LLaMAs with random weights.
Memory is what a pass adds to the model's own, in a fresh process. The report measures much
more, with two passes over each text; no head is taken out here.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch
from measure import peak_megabytes
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from mmsuper.projects.active_dormant import report

SIZES = {
    "small": {
        "hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 8,
        "num_attention_heads": 16, "num_key_value_heads": 4, "vocab_size": 8192,
    },
    "8b": {
        "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256,
    },
}  # fmt: skip


class Words:
    """As much of a tokenizer as the report asks for."""

    def decode(self, ids: list[int]) -> str:
        return f"<{ids[0]}>"


class Subject:
    """One way to measure a model's heads on some texts."""

    def __init__(self, way: str, size: str, texts: int, length: int, device: str) -> None:
        from transformers import LlamaConfig, LlamaForCausalLM

        self.way, self.device = way, device
        torch.manual_seed(0)
        config = LlamaConfig(**SIZES[size], max_position_embeddings=8192)
        dtype = torch.float32 if device == "cpu" else torch.bfloat16
        with torch.device(device):
            self.network = LlamaForCausalLM._from_config(
                config, dtype=dtype, attn_implementation="eager" if way == "maps" else "sdpa"
            ).eval()
        self.image = torch.randint(3, config.vocab_size, (texts, length))

    def run(self) -> object:
        if self.way == "maps":
            return [self.maps(ids) for ids in self.image.split(1)]
        texts = {"text": self.image}
        return report.report(self.network, Words(), texts, batch=1, candidates=0)

    @torch.inference_mode()
    def maps(self, ids: Tensor) -> Any:
        out = self.network(ids.to(self.device), use_cache=False, output_attentions=True)
        return [one[:, :, :, 0].mean(-1).cpu() for one in out.attentions]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--cases", nargs="+", default=["4x128", "16x128", "4x512", "4x1024", "4x2048"]
    )
    arguments = parser.parse_args()
    table = Table("texts", "tokens", "maps MB", "report MB", "seconds a text", title=arguments.size)
    for case in track(arguments.cases, "cases", console=Console(stderr=True)):
        texts, length = map(int, case.split("x"))
        given = (arguments.size, texts, length, arguments.device)
        cells = []
        for way in ("maps", "report"):
            cells.append(f"{peak_megabytes(Subject, (way, *given)):.0f}")
        subject = Subject("report", *given)
        start = time.perf_counter()
        subject.run()
        seconds = (time.perf_counter() - start) / texts
        table.add_row(str(texts), str(length), *cells, f"{seconds:.2f}")
        del subject
    Console().print(table)


if __name__ == "__main__":
    main()
