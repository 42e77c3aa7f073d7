"""Models as ONNX files."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmsuper.apis.recognition import RecognitionInferencer
from mmsuper.errors import CheckFailed, UserError
from mmsuper.files import replacing

# Largest difference to PyTorch that is let pass, of the largest value.
TOLERANCE = 1e-4
# Height and width of the pictures that the file is compared with: one that cells fit, one not.
SIZES = ((64, 128), (101, 75))


class Graph(nn.Module):
    """What is exported: normalization, then a classifier or a backbone."""

    mean: Tensor
    std: Tensor

    def __init__(self, recognizer: RecognitionInferencer) -> None:
        super().__init__()
        preprocessor = recognizer.model.data_preprocessor
        self.register_buffer("mean", preprocessor.mean)
        self.register_buffer("std", preprocessor.std)
        self.whole = recognizer.task == "classification"
        self.network = recognizer.model if self.whole else recognizer.model.backbone

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Scores, or maps, of RGB pictures (N, 3, H, W) in [0, 255]."""
        image = (image - self.mean) / self.std
        return (self.network(image, mode="tensor"),) if self.whole else self.network(image)


def export(
    model: str | Path, target: str | Path, weights: str | Path | None = None, fold: bool = False
) -> tuple[list[str], float]:
    """Write a model as ONNX, if ONNX Runtime then computes what PyTorch does.

    Args:
        model: See :class:`~mmsuper.apis.recognition.RecognitionInferencer`.
        target: File to write.
        weights: Checkpoint; see there.
        fold: See there.

    Returns:
        The names of the outputs, and the largest difference to PyTorch, of the largest value.

    Raises:
        UserError: If the model or the weights are no valid choice, or the extra is missing.
        CheckFailed: If the file computes something else; it is not kept.
    """
    for name in ("onnx", "onnxruntime"):  # imported late, by the exporter and below
        if importlib.util.find_spec(name) is None:
            raise UserError(f"exporting needs {name}: pip install 'mmsuper-lab[export]'")
    graph = Graph(RecognitionInferencer(model, weights, "cpu", fold)).eval()
    with replacing(target) as draft:
        outputs = _write(graph, draft)
        worst = max(_difference(graph, draft, size) for size in SIZES)
        if not worst <= TOLERANCE:
            raise CheckFailed(f"ONNX Runtime differs from PyTorch by {worst:.1e}: nothing written")
    return outputs, worst


def _write(graph: Graph, path: Path) -> list[str]:
    image = _picture(2, *SIZES[1])
    with torch.inference_mode():
        count = len(graph(image))
    outputs = ["scores"] if graph.whole else [f"map{i}" for i in range(count)]
    axes: dict[str, dict[int, str]] = {"image": {0: "batch", 2: "height", 3: "width"}}
    for name in outputs:
        axes[name] = {0: "batch"} if graph.whole else {0: "batch", 2: f"{name}_h", 3: f"{name}_w"}
    options: Any = {"input_names": ["image"], "output_names": outputs, "dynamic_axes": axes}
    with warnings.catch_warnings():
        # The newer exporter reasons about every symbolic size, which takes minutes for a
        # network that pads maps to whole cells; tracing takes seconds. Both were compared.
        warnings.simplefilter("ignore")
        torch.onnx.export(graph, (image,), str(path), dynamo=False, opset_version=17, **options)
    return outputs


def _difference(graph: Graph, path: Path, size: tuple[int, int]) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    image = _picture(1, *size)
    found = session.run(None, {"image": image.numpy()})
    with torch.inference_mode():
        expected = graph(image)
    return max(
        ((torch.from_numpy(a) - b).abs().max() / b.abs().max()).item()
        for a, b in zip(found, expected, strict=True)
    )


def _picture(batch: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return 255 * torch.rand(batch, 3, height, width, generator=generator)
