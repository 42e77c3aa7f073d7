"""Parameters and multiply-adds of a network, by module.

Operations are counted as they are dispatched, on tensors without data where the network
allows it, so that any input size costs nothing. Convolutions and matrix products count,
and custom operations that registered a formula with :mod:`torch.utils.flop_counter`; norms,
activations, biases and sums do not, as is the custom of the papers. Products of two
activations, which is what attention adds to its layers, are also told apart: many papers
count without them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from mmsuper.analysis import network


@dataclass(frozen=True)
class ModuleCost:
    """What one module costs, with everything below it.

    Attributes:
        name: Dotted name in the network; empty for the network itself.
        kind: Name of its class.
        parameters: Number of parameters.
        multiply_adds: Multiplications with the addition that goes with them.
        attention_products: Those of them that multiply activations with activations.
    """

    name: str
    kind: str
    parameters: int
    multiply_adds: int
    attention_products: int


def count(
    build: Callable[[], torch.nn.Module], shape: tuple[int, ...], depth: int = 2
) -> list[ModuleCost]:
    """Count the cost of one forward pass of a model's network.

    Args:
        build: Makes the model.
        shape: (C, H, W) of the one picture, or (T, C, H, W) of the one clip, that goes in.
        depth: How many levels of modules to list.

    Returns:
        The network itself, then its modules down to ``depth`` in the order of definition.

    Raises:
        UserError: If the network does not take such an input.
    """
    model = build()
    try:
        operations = _operations(model.to("meta"), torch.empty(1, *shape, device="meta"))
    except (NotImplementedError, RuntimeError):
        # Something in it looks at values, as non-maximum suppression does.
        model = build()
        try:
            operations = _operations(model, torch.rand(1, *shape))
        except (NotImplementedError, RuntimeError, ValueError) as error:
            raise network.misfit((1, *shape), model, error) from error
    root, _ = network.as_function(model)
    costs = []
    for name, module in root.named_modules():
        if name.count(".") < depth:
            parameters = sum(p.numel() for p in module.parameters())
            done = operations.get(f"{type(root).__name__}.{name}" if name else "Global", {})
            if parameters or done:
                attention = sum(n for operation, n in done.items() if _is_attention(operation))
                kind = type(module).__name__
                costs.append(ModuleCost(name, kind, parameters, sum(done.values()), attention))
    return costs


def _operations(model: torch.nn.Module, inputs: torch.Tensor) -> dict[str, dict[str, int]]:
    """Multiply-adds by qualified module name and operation; ``Global`` is the sum."""
    _, function = network.as_function(model)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        function(inputs)
    # PyTorch counts a multiplication and an addition as two.
    return {
        name: {str(operation): count // 2 for operation, count in by.items()}
        for name, by in counter.get_flop_counts().items()
    }


def _is_attention(operation: str) -> bool:
    """Layers multiply by one matrix (``mm``), products of activations are one a sample."""
    return "bmm" in operation or "scaled_dot_product" in operation
