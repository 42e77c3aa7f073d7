"""The report on attention heads as one HTML page, JSON and CSV."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Sequence
from contextlib import ExitStack
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmsuper.errors import UserError
from mmsuper.files import replacing
from mmsuper.projects.active_dormant.quantization import PEAK, Hints
from mmsuper.projects.active_dormant.report import DORMANT, SINK, Domain, Report, Sink
from mmsuper.visualization.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write(reports: Sequence[Report], path: str | Path) -> list[Path]:
    """Write the page and, beside it, the numbers as JSON and CSV.

    All three are complete on the disk before the first gets its name; if one cannot be
    written, none is.

    Args:
        reports: Of one model, or of several checkpoints of it.
        path: Of the page; the others have its name and their own suffix.

    Returns:
        What was written.

    Raises:
        UserError: If it cannot be.
    """
    page = Path(path).with_suffix(".html")
    contents = {
        page: html(reports),
        page.with_suffix(".json"): json.dumps([as_json(one) for one in reports], indent=1) + "\n",
        page.with_suffix(".csv"): as_csv(reports),
    }
    try:
        with ExitStack() as stack:
            for file, text in contents.items():
                stack.enter_context(replacing(file)).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {page}: {error.strerror or error}") from error
    return list(contents)


# ------------------------------------------------------------------------------------------
# Numbers

_BY_HEAD = ("gap", "output_norm", "value_ratio")
_BY_LAYER = ("residual_sinks", "residual_others", "median")


def as_json(report: Report) -> dict[str, Any]:
    """Everything but the single texts' numbers and all channels, as JSON can hold it."""
    domains = {
        kind: {
            "texts": len(one.losses),
            "loss": float(one.losses.mean()),
            "sink_weight": _plain(one.sink_weight.mean(0)),
            "sink_weight_spread": _plain(one.sink_weight.std(0)),
            **{name: _plain(getattr(one, name)) for name in (*_BY_HEAD, *_BY_LAYER)},
            "top_channels": one.massive(),
            "sinks_by_position": [vars(sink) for sink in one.positions],
            "sinks_by_text": [vars(sink) for sink in one.texts],
        }
        for kind, one in report.domains.items()
    }
    candidates = [
        {
            "layer": one.layer,
            "head": one.head,
            "score": one.score,
            "loss_change": {kind: _plain(change) for kind, change in one.change.items()},
            "active_dormant": one.proof(report.domains),
            "sink_weight": {
                kind: _plain(domain.sink_weight[:, one.layer, one.head])
                for kind, domain in report.domains.items()
            },
        }
        for one in report.candidates
    ]
    hints = report.quantization
    return {
        "model": report.name,
        "read": report.read,
        "domains": domains,
        "active_dormant_score": _plain(report.score()),
        "candidates": candidates,
        "quantization": hints
        and {
            "losses": hints.losses,
            "kept_share": hints.share,
            "left": hints.left,
            "layers": [{**vars(one), "bits": one.bits} for one in hints.layers],
        },
    }


def _plain(values: np.ndarray) -> Any:
    """Nested lists in which what is not known is None."""
    kept = np.where(np.isfinite(values), values.round(6), 0).astype(object)
    kept[~np.isfinite(values)] = None
    return kept.tolist()


def as_csv(reports: Sequence[Report]) -> str:
    """A line for each model, kind of text, layer and head."""
    out = io.StringIO()
    columns = ["model", "domain", "layer", "head", "sink_weight", "sink_weight_spread"]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*columns, *_BY_HEAD, "active_dormant_score", "loss_change"])
    for report in reports:
        score = report.score()
        changes = {(one.layer, one.head): one.change for one in report.candidates}
        for kind, domain in report.domains.items():
            mean, spread = domain.sink_weight.mean(0), domain.sink_weight.std(0)
            for place in np.ndindex(score.shape):
                numbers = [mean[place], spread[place]]
                numbers += [getattr(domain, name)[place] for name in _BY_HEAD]
                change = changes[place][kind].mean() if place in changes else np.nan
                cells = [_cell(number) for number in [*numbers, score[place], change]]
                writer.writerow([report.name, kind, *place, *cells])
    return out.getvalue()


def _cell(number: float) -> str:
    return f"{number:.6g}" if np.isfinite(number) else ""


# ------------------------------------------------------------------------------------------
# Figures


def draw_maps(report: Report) -> Figure:
    """Sink weight by layer and head, a panel for each kind of text, and the difference."""
    maps = {kind: one.sink_weight.mean(0) for kind, one in report.domains.items()}
    title = "difference" if len(maps) > 1 else "spread between texts"
    layers, heads = report.score().shape
    width, height = min(1.6 + 0.22 * heads, 6), min(1.4 + 0.22 * layers, 7)
    figure = new_figure(max(width, 2.8) * (len(maps) + 1), max(height, 2.6))
    axes = figure.subplots(1, len(maps) + 1, sharey=True)
    for axis, (kind, values) in zip(axes, maps.items(), strict=False):
        picture = axis.imshow(values, vmin=0, vmax=1, cmap="magma", aspect="auto", origin="lower")
        axis.set(title=kind, xlabel="head")
    figure.colorbar(picture, ax=axes[-2], label="weight on sink tokens")
    score = axes[-1].imshow(report.score(), vmin=0, cmap="viridis", aspect="auto", origin="lower")
    axes[-1].set(title=title, xlabel="head")
    figure.colorbar(score, ax=axes[-1], label="active-dormant score")
    for one in report.candidates:
        axes[-1].plot(one.head, one.layer, "o", mfc="none", mec="red", ms=7)
    axes[0].set_ylabel("layer")
    for axis in axes:
        axis.locator_params(integer=True, min_n_ticks=1)
    return figure


def draw_scatter(report: Report, number: int = 4) -> Figure:
    """Loss without a head less the loss against its sink weight, a point for each text."""
    shown = report.candidates[:number]
    figure = new_figure(3.2 * len(shown), 3)
    axes = np.atleast_1d(figure.subplots(1, len(shown)))
    for axis, one in zip(axes, shown, strict=True):
        for kind, domain in report.domains.items():
            weight = domain.sink_weight[:, one.layer, one.head]
            axis.plot(weight, one.change[kind], ".", alpha=0.7, label=kind)
        axis.axhline(0, color="gray", lw=0.7)
        axis.set(title=f"layer {one.layer}, head {one.head}", xlabel="weight on sink tokens")
        axis.set_xlim(-0.03, 1.03)
    axes[0].set_ylabel("loss without it, less loss")
    axes[0].legend(fontsize=8)
    return figure


def draw_layers(report: Report) -> Figure:
    """Curves over layers: residual norms, largest channel, value norms and sink logits."""
    figure = new_figure(14, 3.2)
    first, second, third, fourth = figure.subplots(1, 4)
    for number, (kind, one) in enumerate(report.domains.items()):
        color = f"C{number}"
        first.plot(one.residual_sinks, "o-", color=color, ms=3, label=f"{kind}, sink tokens")
        first.plot(one.residual_others, "o:", color=color, ms=3, label=f"{kind}, others")
        ratio = one.channels.max(1) / one.median
        second.plot(ratio, "o-", color=color, ms=3, label=kind)
        third.plot(one.value_ratio, ".", color=color, alpha=0.5)
        third.plot(one.value_ratio.mean(1), "-", color=color, label=kind)
        fourth.plot(one.gap, ".", color=color, alpha=0.5)
        fourth.plot(one.gap.mean(1), "-", color=color, label=kind)
    second.axhline(1000, color="gray", lw=0.7, ls=":")
    third.axhline(1, color="gray", lw=0.7)
    fourth.axhline(0, color="gray", lw=0.7)
    first.set(title="norm of residual states", yscale="log")
    second.set(title="largest channel over the median", yscale="log")
    third.set(title="value norm, sinks over others")
    fourth.set(title="sink-logit gap")
    for axis in (first, second, third, fourth):
        axis.set_xlabel("layer")
        axis.locator_params("x", integer=True, min_n_ticks=1)
        axis.legend(fontsize=7)
    return figure


def draw_sweep(reports: Sequence[Report]) -> Figure:
    """What becomes of sinks, drains and peaks from checkpoint to checkpoint."""
    rows = [summary(report) for report in reports]
    names = [name for name in next(iter(rows[0].values())) if name != "heads with a sink"]
    figure = new_figure(3 * len(names), 3)
    for axis, name in zip(figure.subplots(1, len(names)), names, strict=True):
        for kind in rows[0]:
            axis.plot([row[kind][name] for row in rows], "o-", ms=3, label=kind)
        axis.set_title(name, fontsize=9)
        axis.set_xticks(
            range(len(reports)), [one.name[-12:] for one in reports], rotation=60, fontsize=7
        )
        axis.legend(fontsize=7)
    return figure


def summary(report: Report) -> dict[str, dict[str, float]]:
    """By kind of text the few numbers that say most."""
    found = {}
    for kind, one in report.domains.items():
        weight = one.sink_weight.mean(0)
        ratio = one.residual_sinks / one.residual_others
        found[kind] = {
            "loss": float(one.losses.mean()),
            "mean weight on sinks": float(weight.mean()),
            "heads with a sink": float((weight > SINK).mean()),
            "median value ratio": _median(one.value_ratio),
            "median sink-logit gap": _median(one.gap),
            "largest residual ratio": float(np.nanmax(ratio)) if np.isfinite(ratio).any() else 0.0,
        }
    return found


def _median(values: np.ndarray) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")


# ------------------------------------------------------------------------------------------
# The page

# What pictures are called for who cannot see them.
_MAPS = "weight on sink tokens by layer and head"
_SCATTER = "loss change against sink weight"
_LAYERS = "curves over layers"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff; }
img { max-width: 100%; } h2 { margin-top: 2.5rem; border-top: 2px solid #ddd; padding-top: 1rem; }
table { border-collapse: collapse; margin: .8rem 0; font-size: 14px; }
th, td { border-bottom: 1px solid #ddd; padding: .15rem .7rem; text-align: right; }
th:first-child, td:first-child { text-align: left; }
mark { background: #ffd54a; } pre { white-space: pre-wrap; background: #f6f6f6; padding: .7rem; }
.side { display: flex; flex-wrap: wrap; gap: 0 3rem; align-items: flex-start; }
"""


def html(reports: Sequence[Report]) -> str:
    """The whole page, pictures and style within."""
    parts = [
        "<h1>Attention heads</h1>",
        f"<p>A <b>sink token</b> draws more than {SINK:.0%} of some head's attention, averaged "
        "over the queries that can see it. A head is <b>dormant</b> on texts where its weight "
        "lies on sink tokens and taking it out changes nothing, <b>active</b> on others. The "
        "score of a head is how much its mean sink weight differs between the kinds of text; "
        "it is proved active-dormant if the loss without it rises where that weight is least, by "
        f"more than twice the standard error, and changes by less than {DORMANT:.0%} of that "
        "where it is most.</p>",
    ]
    if len(reports) > 1:
        parts += ["<h2>Checkpoints</h2>", _picture(draw_sweep(reports), "by checkpoint")]
    for report in reports:
        parts += _model(report)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Attention heads</title><style>{_STYLE}</style></head><body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def _model(report: Report) -> list[str]:
    rows = summary(report)
    names = list(next(iter(rows.values())))
    parts = [f"<h2>{escape(report.name)}</h2>", f"<p>{escape(report.read)}</p>"]
    parts.append(
        _table(
            ["text", "texts", *names],
            [
                [kind, str(len(report.domains[kind].losses)), *(f"{v:.4g}" for v in row.values())]
                for kind, row in rows.items()
            ],
        )
    )
    parts += [
        "<h3>Heads</h3>",
        _picture(draw_maps(report), _MAPS),
    ]
    if report.candidates:
        parts += [
            _candidates(report),
            _picture(draw_scatter(report), _SCATTER),
        ]
    parts += [
        "<h3>Layers</h3>",
        _picture(draw_layers(report), _LAYERS),
        _channels(report),
    ]
    parts += ["<h3>Sink tokens</h3>"]
    for kind, one in report.domains.items():
        parts += _sink_tokens(kind, one)
    if report.quantization:
        parts += _quantization(report.quantization)
    return parts


def _candidates(report: Report) -> str:
    head = ["head", "score", "proved"]
    for kind in report.domains:
        head += [f"{what}, {kind}" for what in ("sink weight", "loss without it", "output norm")]
    rows = []
    for one in report.candidates:
        proof = one.proof(report.domains)
        proved = f"active on {proof[0]}, dormant on {proof[1]}" if proof else "no"
        row = [f"layer {one.layer}, head {one.head}", f"{one.score:.3f}", proved]
        for kind, domain in report.domains.items():
            weight = domain.sink_weight[:, one.layer, one.head]
            row += [
                f"{weight.mean():.3f} ± {weight.std():.3f}",
                f"{one.change[kind].mean():+.4f}",
                f"{domain.output_norm[one.layer, one.head]:.3g}",
            ]
        rows.append(row)
    return _table(head, rows)


def _channels(report: Report) -> str:
    rows = []
    for kind, domain in report.domains.items():
        for layer, top in enumerate(domain.massive(3)):
            marked = [
                f"{channel}: {size:.3g} ({ratio:.0f}x"
                + (", massive)" if size > 100 and ratio > 1000 else ")")
                for channel, size, ratio in top
            ]
            ratio = domain.residual_sinks[layer] / domain.residual_others[layer]
            rows.append([f"{kind}, layer {layer}", f"{ratio:.3g}", *marked])
    head = ["", "norm, sinks over others", "largest channel (over median)", "second", "third"]
    body = _table(head, rows)
    return f"<details><summary>Norms and top channels of each layer</summary>{body}</details>"


def _sink_tokens(kind: str, domain: Domain) -> list[str]:
    if not domain.positions:
        return [f"<h4>{escape(kind)}</h4><p>No token of these texts is a sink of any head.</p>"]

    def table(what: str, sinks: Sequence[Sink]) -> str:
        return _table(
            [what, "a sink", "of", "of heads"],
            [[one.what, str(one.found), str(one.occurs), f"{one.heads:.1f}"] for one in sinks[:10]],
        )

    marked = "".join(
        f"<mark>{escape(text)}</mark>" if sink else escape(text) for text, sink in domain.example
    )
    by_text = [Sink(repr(one.what), one.found, one.occurs, one.heads) for one in domain.texts]
    return [
        f"<h4>{escape(kind)}</h4><div class=side>",
        table("position", domain.positions),
        table("token", by_text),
        f"</div><p>The first text, sink tokens marked:</p><pre>{marked}</pre>",
    ]


def _quantization(hints: Hints) -> list[str]:
    ways = list(next(iter(hints.losses.values())))
    losses = [[kind, *(f"{row[way]:.4f}" for way in ways)] for kind, row in hints.losses.items()]
    peaks = [
        [
            one.name,
            f"{one.bits:.2f}",
            f"{one.peak:.3g}",
            f"{one.rest:.3g}",
            ", ".join(f"{channel} ({size:.3g})" for channel, size in one.kept[:6])
            + (f" and {len(one.kept) - 6} more" if len(one.kept) > 6 else ""),
        ]
        for one in hints.layers
        if one.kept
    ]
    return [
        "<h3>Eight bits</h3>",
        "<p>Loss with linear layers' weights (a scale for each output) and inputs (one scale) "
        "rounded to eight bits, and with the channels kept whose peak is more than "
        f"{PEAK:.0f} times the median channel's: {hints.share:.2%} of input channels in "
        f"{len(peaks)} of {len(hints.layers)} layers.</p>",
        _table(["mean loss", *ways], losses),
        _table(["input of", "bits lost", "peak", "others up to", "channels to keep"], peaks[:20]),
        f"<p>Left as they are: {escape(', '.join(hints.left)) or 'none'}.</p>",
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{line(head, 'th')}{''.join(line(row, 'td') for row in rows)}</table>"


def _picture(figure: Figure, what: str) -> str:
    out = io.BytesIO()
    figure.savefig(out, dpi=110, format="png")
    content = base64.b64encode(out.getvalue()).decode()
    return f'<img alt="{what}" src="data:image/png;base64,{content}">'
