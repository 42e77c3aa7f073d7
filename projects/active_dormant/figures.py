"""Figures of toy runs and of the theory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from mmsuper import checkpoint, configuration
from mmsuper.analysis import network as config_network
from mmsuper.errors import UserError
from mmsuper.projects.active_dormant import claims, hooks, measure, theory
from mmsuper.projects.active_dormant.convert import network_of
from mmsuper.projects.active_dormant.data import sample
from mmsuper.projects.active_dormant.task import Counts, Task
from mmsuper.visualization.figures import new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Curves of the dynamics figure: name in a line of the log, label, whether of a layer.
_CURVES = (
    ("backcopy", "backcopy risk", False),
    ("bigram_excess", "bigram excess risk", False),
    ("sink_attention", "attention on the first token", True),
    ("value_norm_sink", "its value norm", True),
    ("sink_gap", "sink-logit gap", True),
)


class Run(NamedTuple):
    """A finished training of a toy model.

    Attributes:
        name: Of its config.
        lines: What the hook logged.
        folder: Its work dir.
    """

    name: str
    lines: list[dict[str, Any]]
    folder: Path

    @classmethod
    def read(cls, folder: str | Path) -> Run:
        """Read a work dir.

        Raises:
            UserError: If it is not that of a toy run.
        """
        return cls(Path(folder).resolve().name, hooks.read(folder), Path(folder))

    def layer(self) -> int:
        """The layer that carries the sink, or the first: where the last gap is largest."""
        gaps = [layer.get("sink_gap", -np.inf) for layer in self.lines[-1]["layers"]]
        return int(np.argmax(gaps))

    def intervention(self, name: str) -> dict[str, Any]:
        """What was found at the end with a part taken out.

        Raises:
            UserError: If the run is not at its end, where this is measured.
        """
        try:
            return self.lines[-1]["interventions"][name]
        except KeyError:
            raise UserError(f"{self.folder} has nothing on {name!r}: is it finished?") from None

    def curve(self, name: str, layer: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Steps and values of a number, of a layer or of the whole."""
        found = [
            (line["step"], (line if layer is None else line["layers"][layer]).get(name))
            for line in self.lines
        ]
        steps, values = zip(*[(s, v) for s, v in found if v is not None] or [(0, 0)], strict=True)
        return np.array(steps), np.array(values)

    def model(self) -> tuple[measure.Network, Task]:
        """The trained network and its task, from the work dir's config and last checkpoint.

        Raises:
            UserError: If one is missing.
        """
        pointer = self.folder / "last_checkpoint"
        if not pointer.is_file():
            raise UserError(f"no checkpoint in {self.folder}")
        config = configuration.load(self.folder / "config.py")
        model = config_network.build(config)
        checkpoint.load_weights(model, self.folder / Path(pointer.read_text().strip()).name)
        options = {**config.val_dataloader.dataset}
        kept = ("kind", "k", "offset", "mix_p", "delimiter_p", "bos_num")
        path = options.get("counts") and Path(options.get("data_root", ""), options["counts"])
        return network_of(model), Task(
            Counts.read(path), **{key: options[key] for key in kept if key in options}
        )


def draw_dynamics(runs: Sequence[Run], path: str | Path) -> None:
    """Risks, sink and drain over the training, each over its largest value; a panel a run."""
    figure, axes = _panels(len(runs))
    for axis, run in zip(axes, runs, strict=True):
        layer = run.layer()
        for name, label, of_layer in _CURVES:
            steps, values = run.curve(name, layer if of_layer else None)
            if len(values) > 1 and values.max() > 0:
                axis.plot(steps, values / values.max(), label=label)
        axis.set_title(f"{run.name}\nlayer {layer}", fontsize=9)
        axis.set(xlabel="step", ylim=(-0.1, 1.05))
    axes[0].set_ylabel("share of the largest value")
    axes[0].legend(fontsize=7)
    save_figure(figure, path)


def draw_norms(runs: Sequence[Run], path: str | Path) -> None:
    """Norm of the first token's residual state by layer over the training, and the others'."""
    figure, axes = _panels(len(runs))
    for axis, run in zip(axes, runs, strict=True):
        for layer in range(len(run.lines[0]["layers"])):
            for name, style in (("sink", "-"), ("others", ":")):
                steps, values = run.curve(f"residual_norm_{name}", layer)
                label = f"layer {layer}, {'first' if name == 'sink' else 'other tokens'}"
                axis.plot(steps, values, style, color=f"C{layer}", label=label)
        axis.set_title(run.name, fontsize=9)
        axis.set(xlabel="step", ylim=(0, None))
        axis.legend(fontsize=7)
    axes[0].set_ylabel("norm of the residual state")
    save_figure(figure, path)


def draw_peaks(runs: Sequence[Run], path: str | Path) -> None:
    """Residual peak after layer 0 over the training: which parts of a network it takes."""
    figure = new_figure(7, 4)
    axis = figure.subplots()
    for number, run in enumerate(runs):
        style = "-" if number < 10 else ":"  # there are ten colours
        axis.plot(*run.curve("residual_peak", 0), style, label=claims.short(run.name))
    axis.axhline(0, color="gray", lw=0.7)
    axis.set(xlabel="step", ylabel="norm of the first token less the others'")
    axis.set_title("residual peak after layer 0")
    axis.legend(fontsize=8)
    save_figure(figure, path)


def draw_mitigations(runs: Sequence[Run], removed: str, path: str | Path) -> None:
    """Sink, drain, peak and risk of finished runs side by side, and of one without a layer.

    Sink and drain are of the layer that carries the sink, the peak is that after layer 0.

    Args:
        runs: Finished runs; the first is the one without a mitigation.
        removed: Which of the first run's interventions to show beside them.
        path: Of the picture.
    """
    bars = [(claims.short(run.name), run.lines[-1], run.layer()) for run in runs]
    name = f"{claims.short(runs[0].name)}, {removed}"
    bars.append((name, runs[0].intervention(removed), runs[0].layer()))
    carriers = [line["layers"][carrier] for _, line, carrier in bars]
    panels = {
        "sink: weight on the first token": [layer["sink_attention"] for layer in carriers],
        "drain: its value norm over others'": [
            layer["value_norm_sink"] / layer["value_norm_others"] for layer in carriers
        ],
        "peak: its residual norm less others'": [
            line["layers"][0]["residual_peak"] for _, line, _ in bars
        ],
        "risk after triggers": [line["backcopy"] for _, line, _ in bars],
    }
    figure = new_figure(14, 3.4)
    axes = figure.subplots(1, len(panels))
    for axis, (title, values) in zip(axes, panels.items(), strict=True):
        axis.bar([name for name, _, _ in bars], values, color=[f"C{i}" for i in range(len(bars))])
        axis.axhline(0, color="gray", lw=0.7)
        axis.set_title(title, fontsize=9)
        axis.tick_params("x", rotation=30, labelsize=8)
    axes[-1].set_yscale("log")
    save_figure(figure, path)


def draw_attention(runs: Sequence[Run], path: str | Path, length: int = 40) -> None:
    """Attention of one sequence in the layer that carries the sink; triggers are red."""
    figure = new_figure(6.4 * len(runs), 6)
    axes = np.atleast_1d(figure.subplots(1, len(runs)))
    for axis, run in zip(axes, runs, strict=True):
        network, task = run.model()
        layer = run.layer()
        tokens = torch.from_numpy(sample(task, length, 1, (42, 27)))
        _, layers = measure.record(network, tokens)
        weights = layers[layer].weights[0, 0].float().numpy()
        names = [task.name(token) for token in tokens[0].tolist()]
        shown = [{"\n": "\\n", " ": "␣"}.get(name, name) for name in names]
        picture = axis.imshow(weights, cmap="magma", vmin=0)
        figure.colorbar(picture, shrink=0.8, label="weight")
        axis.set_xticks(range(length), shown, fontsize=7)
        axis.set_yticks(range(length), shown, fontsize=7)
        for label, trigger in zip(axis.get_yticklabels(), task.triggered(tokens)[0], strict=True):
            if trigger:
                label.set(color="tab:red", fontweight="bold")
        axis.set(title=f"{run.name}, layer {layer}", xlabel="key", ylabel="query (triggers red)")
    save_figure(figure, path)


def _panels(count: int) -> tuple[Figure, Sequence[Axes]]:
    """A figure of some panels, three in a row."""
    rows, columns = -(-count // 3), min(count, 3)
    figure = new_figure(4.4 * columns, 3.4 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[count:]:
        axis.set_visible(False)
    return figure, axes[:count]


def draw_theory(path: str | Path) -> dict[str, tuple[float, float]]:
    """Prediction and simulation of every law, in one figure.

    Returns:
        ``{what: (predicted, simulated)}``: of each law the number that it is fitted to; of
        several tokens the one that is farthest off.
    """
    problem = theory.Problem.of_task(Task(Counts.read()))
    growth, drain = theory.sink_growth(problem), theory.value_drain(problem)
    together, peak = theory.concentration(problem), theory.peak_growth()
    figure = new_figure(15, 3.6)
    first, second, third, fourth = figure.subplots(1, 4)
    for i in range(len(problem.shares)):
        first.plot(growth.path.times, growth.path.a[:, i], color=f"C{i % 10}", lw=1)
        first.plot(growth.path.times, growth.predicted[:, i], ":", color=f"C{i % 10}", lw=2)
        third.plot(together.path.times, together.path.a[:, i], lw=1)
    first.set(xscale="log", ylim=(-1, None), xlabel="time", ylabel="sink logit")
    first.set_title("value held: (log t + c) / 2, dotted")
    second.plot(drain.a, drain.simulated, "o", label="simulated")
    second.plot(drain.a, drain.predicted, ":", label="exp(-a) |s|")
    second.set(yscale="log", xlabel="sink logit a, held", ylabel="norm of the value")
    second.set_title("sink logits held")
    third.set(xscale="log", xlabel="time", ylabel="sink logit")
    third.set_title("together: they concentrate")
    for name, values, style in (
        ("Adam", peak.adam, "-"),
        ("gradient descent", peak.descent, "-"),
        ("its closed form", peak.predicted, ":"),
    ):
        fourth.plot(peak.steps, values, style, label=name)
    fourth.set(xlabel="step", ylabel="norm m", ylim=(0, None))
    fourth.set_title("residual peak, heuristic")
    for axis in (second, fourth):
        axis.legend(fontsize=8)
    save_figure(figure, path)
    ratios = drain.slopes * np.exp(drain.a)
    return {
        "sink logit against log t": (0.5, _farthest(growth.slopes, 0.5)),
        "value against context, times exp(a)": (-1.0, _farthest(ratios, -1.0)),
        "value against context, together": (together.predicted_slope, together.slope),
        "spread of sink logits at last": (0.0, float(together.spread[-1])),
        "norm by descent at last": (float(peak.predicted[-1]), float(peak.descent[-1])),
    }


def _farthest(values: np.ndarray, law: float) -> float:
    return float(values[np.abs(values - law).argmax()])
