"""What the recorded cases compare: sequences, toy models, their training, theory, an LM."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmsuper.parity import Case
from mmsuper.projects.active_dormant import measure, probe, theory
from mmsuper.projects.active_dormant.convert import from_official
from mmsuper.projects.active_dormant.data import EXACT, sample, sample_plain
from mmsuper.projects.active_dormant.model import split_loss
from mmsuper.projects.active_dormant.task import Counts, Task


def outputs(case: Case) -> dict[str, Any]:
    """Compute every output that the case records."""
    spec = case.spec
    if "sequences" in spec:
        return _sequences(spec)
    if "equations" in spec:
        return _flow(case)
    if "config" in spec:
        return _language_model(case)
    return _training(case) if "optimizer" in spec else _toy_model(case)


# What is recorded of a language model and not of a toy one.
_OF_LANGUAGE_MODEL = {
    "attn_logits",
    "attn_weights",
    "column_entropy",
    "delta_logit_all_keys",
    "residual_norm_last_after_ablation",
    "row_entropy",
    "sink_attention",
    "value_norm",
    "value_norm_o",
}
# Both kinds record these; of the two tolerances that are stated, the smaller.
_OF_BOTH = {"loss": "atol 1e-5", "logits": "atol 2e-4", "residual_norm": "rtol 1e-4"}


def tolerance_key(output: str) -> str:
    """Which of a case's tolerances an output has."""
    if output in _OF_BOTH:
        return _OF_BOTH[output]
    if output in ("tokens", "unique_tokens", "input_ids"):
        return "exact"
    if output in _OF_LANGUAGE_MODEL:
        return "float"
    if output.startswith(("attn_logits", "delta_logit")):
        return "logits"  # some are near 0, where a share of the value is less than rounding
    return "losses" if output.startswith("loss_head") else "norms, risks"


def _sequences(spec: dict) -> dict[str, np.ndarray]:
    length, found = spec["seq_length"] + 1, {}
    for name, one in spec["sequences"].items():
        options = {key: one[key] for key in ("delimiter_p", "bos_num") if key in one}
        task = Task(Counts.read(), one["task"], one["k"], mix_p=one["mix_p"], **options)
        if task.kind in EXACT:
            found[name] = sample(task, length, spec["batch_size"], spec["seed"])
        else:
            generator = np.random.default_rng(spec["seed"])
            found[name] = sample_plain(task, length, spec["batch_size"], generator)
    return found


def _batch(spec: dict, batch: dict, start: int = 0) -> tuple[Task, Tensor]:
    """The law of a case's sequences, and (B, L + 1) of them."""
    task = Task(Counts.read(), k=spec["k"])
    tokens = sample(task, batch["seq_length"] + 1, batch["size"], batch["seed"], start)
    return task, torch.from_numpy(tokens)


def _toy_model(case: Case) -> dict[str, Any]:
    task, tokens = _batch(case.spec, case.spec["batch"])
    inputs = tokens[:, :-1]
    triggered = task.triggered(inputs)
    network = from_official(case.weights(), **_arguments(case.spec["model"]))
    logits, layers = measure.record(network, inputs)
    losses = split_loss(logits, tokens[:, 1:], triggered)
    found: dict[str, Any] = {
        "tokens": tokens,
        "logits": logits,
        "loss": torch.stack([losses[name] for name in ("loss", "backcopy", "bigram")]),
        "attn_weights": layers[0].weights[:, 0] if layers[0].weights.numel() else None,
    }
    if "risk" not in case.expected:
        return found

    def risks(network: measure.Network) -> measure.Risk:
        return measure.Risk.of(network(inputs), task.law(tokens), triggered)

    with torch.no_grad():
        found["risk"], found["oracle_risk"] = _pairs(risks(network))
        for name, part in (("no_mlp_layer0", "ff"), ("layer0_removed", "layer")):
            with measure.without(network, part, 0):
                found[f"risk_{name}"], _ = _pairs(risks(network))
        for i in layers:  # attention of all layers
            for handle in [network.layers[i].attention]:
                handle.register_forward_hook(lambda module, args, out: torch.zeros_like(out))
        found["risk_no_attention"], _ = _pairs(risks(network))
    for i, layer in layers.items():
        if layer.weights.numel():
            found[f"attn_weights_{i}"] = layer.weights
            found[f"attn_logits_{i}"] = layer.scores.masked_fill(layer.scores.isinf(), 0)
            found[f"value_norm_{i}"] = layer.values.norm(dim=-1)
            found[f"value_norm_wo_{i}"] = layer.outputs[:, 0].norm(dim=-1)
            sink = measure.sink_attention(layer.weights, triggered)
            found[f"bos_attention_nontrigger_{i}"] = sink[0]
    found["residual_norm"] = torch.stack([one.residual.norm(dim=-1) for one in layers.values()])
    found["unique_tokens"], found["delta_logit_by_token"] = measure.sink_gap(
        layers[0].scores, inputs
    )
    return found


def _arguments(model: dict) -> dict:
    """The case's arguments by our names; the reduced model has one layer anyway."""
    left_out = ("n_layers",) if "use_vo" in model else ()
    return {name: value for name, value in model.items() if name not in left_out}


def _pairs(risk: measure.Risk) -> tuple[np.ndarray, np.ndarray]:
    """Mean risks after triggers and elsewhere, and those of the law itself."""
    counts = np.array([risk.triggered, risk.others])
    sums = [risk.backcopy, risk.bigram], [risk.backcopy_oracle, risk.bigram_oracle]
    return sums[0] / counts, sums[1] / counts


def _training(case: Case) -> dict[str, Any]:
    spec, batches = case.spec, case.spec["batches"]
    settings = {name: value for name, value in spec["optimizer"].items() if name != "name"}
    network = from_official(case.weights(), **spec["model"]).train()
    optimizer = torch.optim.AdamW(network.parameters(), **settings)
    losses = []
    for step in range(len(case.expected["losses"])):
        task, tokens = _batch(spec, batches, start=step * batches["size"])
        found = split_loss(network(tokens[:, :-1]), tokens[:, 1:], task.triggered(tokens[:, :-1]))
        losses.append([found[name].item() for name in ("loss", "backcopy", "bigram")])
        optimizer.zero_grad()
        found["loss"].backward()
        optimizer.step()
    return {"losses": np.array(losses)}


def _flow(case: Case) -> dict[str, np.ndarray]:
    given, spec, found = case.expected, case.spec, {}
    problem = theory.Problem(given["p"], given["pi"], given["wxi"], spec["W"])
    for tag, value_moves, logits_move in (
        ("joint", True, True),
        ("value_fixed", False, True),
        ("logit_fixed", True, False),
    ):
        beta = given["beta0"] if value_moves else np.ones(problem.laws.shape[1])
        path = theory.descend(
            problem,
            given["alpha0"],
            beta,
            spec["steps"],
            spec["step_size"],
            logits_move,
            value_moves,
        )
        found |= {f"{tag}_alpha": path.a, f"{tag}_beta": path.beta, f"{tag}_loss": path.loss}
    # What the case gives is recorded among what it expects.
    return {**found, **{name: given[name] for name in ("p", "pi", "wxi", "alpha0", "beta0")}}


@torch.no_grad()
def _language_model(case: Case) -> dict[str, Any]:
    from transformers import LlamaConfig, LlamaForCausalLM

    model = LlamaForCausalLM(LlamaConfig(**case.spec["config"], attn_implementation="sdpa")).eval()
    model.load_state_dict(case.weights())
    ids = torch.from_numpy(case.expected["input_ids"]).long()
    layers, heads = len(probe.decoder_layers(model)), probe.head_count(model)
    seen: list[probe.Seen] = []
    norms: list[Tensor] = []
    with (
        probe.tapped(model, seen.append),
        probe.residuals(model, lambda layer, states: norms.append(states.norm(dim=-1))),
    ):
        out = model(ids, labels=ids)

    def loss(layer: int, head: int, change: probe.Change) -> float:
        with probe.tapped(model, heads={(layer, head): change}):
            return float(model(ids, labels=ids).loss)

    def last_norm(layer: int, component: probe.Component) -> Tensor:
        with (
            probe.zeroed(model, [layer], component),
            probe.residuals(model, lambda number, states: last.append(states.norm(dim=-1))),
        ):
            model(ids)
        return last.pop()

    last: list[Tensor] = []
    columns = [probe.output_columns(one, heads) for one in probe.decoder_layers(model)]
    by_layer = {
        "attn_logits": [one.scores for one in seen],
        "attn_weights": [one.weights for one in seen],
        "residual_norm": norms,
        "value_norm": [one.values.norm(dim=-1) for one in seen],
        "value_norm_o": [probe.value_norms(one.values, columns[one.layer]) for one in seen],
        "sink_attention": [probe.sink_attention(one.weights) for one in seen],
        "row_entropy": [probe.row_entropy(one.weights) for one in seen],
        "column_entropy": [probe.column_entropy(one.weights) for one in seen],
        "delta_logit_all_keys": [probe.sink_gap(one.scores, all_keys=True) for one in seen],
        "residual_norm_last_after_ablation": [
            torch.stack([last_norm(i, part) for part in ("attention", "mlp", "both")])
            for i in range(layers)
        ],
    }
    found: dict[str, Any] = {name: torch.stack(values) for name, values in by_layer.items()}
    for change, name in (("zero", "zeroed"), ("first", "moved_to_first")):
        losses = [[loss(i, head, change) for head in range(heads)] for i in range(layers)]
        found[f"loss_head_{name}"] = np.array(losses)
    return {**found, "input_ids": ids, "logits": out.logits, "loss": out.loss}
