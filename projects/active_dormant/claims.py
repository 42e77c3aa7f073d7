"""What the paper says of the toy task, claim by claim: the authors' numbers beside a run's.

The authors' are those of their stored results, of the runs of paper size at 10,000 steps if
nothing else is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mmsuper.projects.active_dormant.figures import Run

Line = dict[str, Any]


class Claim(NamedTuple):
    """One row of the table.

    Attributes:
        what: What is claimed.
        run: Short name of the run that shows it, see :func:`short`.
        authors: Their numbers.
        measured: Makes ours from the run.
    """

    what: str
    run: str
    authors: str
    measured: Callable[[Run], str]


def short(name: str) -> str:
    """Name of a run without what all of them have: ``toy-3l_sgd_bb-small`` is ``3l_sgd``."""
    for part in ("toy-", "_adamw", "_bb", "-small"):
        name = name.replace(part, "")
    return name


def table(runs: Sequence[Run]) -> str:
    """All claims with the numbers of these runs, as Markdown."""
    by_name = {short(run.name): run for run in runs}
    lines = ["| claim | run | authors | measured |", "|---|---|---|---|"]
    for claim in CLAIMS:
        run = by_name.get(claim.run)
        measured = "not run" if run is None else claim.measured(run)
        lines.append(f"| {claim.what} | {claim.run} | {claim.authors} | {measured} |")
    return "\n".join(lines)


#: The authors' one-layer run by step: risks, attention on ``<s>``, its value norm, sink-logit gap.
ONE_LAYER = {
    0: "4.30 / 4.427 / .023 / 5.20 / -0.1",
    100: "2.62 / 2.381 / .027 / 8.71 / -0.1",
    200: "1.05 / 2.296 / .223 / 8.73 / 0.6",
    500: ".190 / 2.240 / .648 / 4.85 / 4.9",
    1_000: "7.4e-3 / 2.2324 / .779 / 3.51 / 9.1",
    10_000: "7.8e-5 / 2.2292 / .811 / 1.42 / 15.4",
    100_000: "5.5e-6 / 2.2299 / .870 / .47 / 33.4",
}


def steps_table(run: Run) -> str:
    """The one-layer run step by step beside the authors', as Markdown."""
    lines = ["| step | authors | measured |", "|---|---|---|"]
    ours = {line["step"]: line for line in run.lines}
    last = run.lines[-1]["step"]
    for step in sorted({*ONE_LAYER, last}):
        if step <= max(last, 10_000):
            found = _one_layer(ours[step]) if step in ours else "-"
            lines.append(f"| {step:,} | {ONE_LAYER.get(step, '-')} | {found} |")
    return "\n".join(lines)


# ------------------------------------------------------------------------------------------
# Numbers of a run


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:.3g}"


def _joined(values: Sequence[float | None], between: str = " / ") -> str:
    return between.join(map(_number, values))


def _risks(line: Mapping[str, float]) -> str:
    return f"{_number(line.get('backcopy'))} / {line['bigram']:.4f}"


def _one_layer(line: Line) -> str:
    names = ("sink_attention", "value_norm_sink", "sink_gap")
    return f"{_risks(line)} / {_joined([line['layers'][0][name] for name in names])}"


def _carrier(run: Run) -> dict[str, float]:
    """Last numbers of the layer that carries the sink."""
    return run.lines[-1]["layers"][run.layer()]


def _last(*names: str) -> Callable[[Run], str]:
    return lambda run: _joined([_carrier(run).get(name) for name in names])


def _last_risks(run: Run) -> str:
    return _risks(run.lines[-1])


def _at(run: Run, step: float) -> Line:
    """The logged line next to a step."""
    return min(run.lines, key=lambda line: abs(line["step"] - step))


def _learned(run: Run) -> str:
    """Steps at which the risks are down to a tenth of their beginning."""

    def when(name: str) -> int | None:
        enough = run.lines[0][name] / 10
        return next((line["step"] for line in run.lines if line[name] < enough), None)

    return " / ".join(str(when(name) or "not yet") for name in ("bigram_excess", "backcopy_excess"))


def _second_phase(run: Run) -> str:
    lines = (_at(run, 500), run.lines[-1])
    gap, value = (
        [line["layers"][run.layer()][name] for line in lines]
        for name in ("sink_gap", "value_norm_sink")
    )
    return f"{_joined(gap, ' to ')}; {_joined(value, ' to ')}"


def _without(what: str) -> Callable[[Run], str]:
    return lambda run: _risks(run.intervention(what))


def _growth(run: Run) -> str:
    """Norm of the first token's residual state after layer 0 over the run."""
    end = run.lines[-1]["step"]
    lines = [_at(run, end * part) for part in (0, 1 / 10, 1 / 2, 1)]
    norms = [line["layers"][0]["residual_norm_sink"] for line in lines]
    others = lines[-1]["layers"][0]["residual_norm_others"]
    return f"{_joined(norms, ' to ')}; others {_number(others)}"


def _by_layer(name: str) -> Callable[[Run], str]:
    return lambda run: _joined([layer.get(name) for layer in run.lines[-1]["layers"]])


def _peak(run: Run) -> str:
    return _number(run.lines[-1]["layers"][0]["residual_peak"])


def _layer_removed(run: Run) -> str:
    def numbers(line: Line) -> list[float]:
        first, carrier = line["layers"][0], line["layers"][run.layer()]
        risks = [line["backcopy"], line["bigram"]]
        return [first["residual_peak"], carrier["sink_gap"], carrier["value_norm_sink"], *risks]

    removed = run.intervention("no layer 0")
    pairs = zip(numbers(run.lines[-1]), numbers(removed), strict=True)
    return "; ".join(_joined(pair, " to ") for pair in pairs)


def _value_growth(run: Run) -> str:
    values = [line["layers"][0]["value_norm_sink"] for line in (run.lines[0], run.lines[-1])]
    others = run.lines[-1]["layers"][0]["value_norm_others"]
    return f"{_joined(values, ' to ')}; others {_number(others)}"


CLAIMS = (
    Claim(
        "bigrams are learned first, then copying: step at which the excess risk is down to a tenth",
        "1l",
        "100 / 500",
        _learned,
    ),
    Claim(
        "the excess elsewhere is the first position's: with it, without it",
        "1l",
        ".010 / about 0",
        lambda run: _joined(
            [run.lines[-1][name] for name in ("bigram_excess", "bigram_excess_after_first")]
        ),
    ),
    Claim(
        "at flat risks the sink-logit gap grows on, the value of `<s>` shrinks: step 500 to last",
        "1l",
        "4.9 to 15.4; 4.85 to 1.42",
        _second_phase,
    ),
    Claim(
        "the feed-forward network holds the bigrams: risks without attention",
        "1l",
        "7.69 / 2.230 (100k)",
        _without("layer 0 without attention"),
    ),
    Claim(
        "risks without the feed-forward network",
        "1l",
        "3.17 / 4.21 (100k)",
        _without("layer 0 without ff"),
    ),
    Claim(
        "risks with attention put where the theory has it",
        "1l",
        "-",
        _without("layer 0 with clean attention"),
    ),
    Claim(
        "dormant queries look at `<s>`, triggers' at the token before: mean weights",
        "1l",
        "about 1 / about 1",
        _last("sink_attention", "back_attention"),
    ),
    Claim(
        "the sink logit hardly depends on the query: spread of logits on `<s>`, on other keys",
        "1l",
        "2.1 / 9.1 (100k)",
        _last("logit_spread_sink", "logit_spread_others"),
    ),
    Claim(
        "value norms of `<s>`, triggers, other tokens",
        "1l",
        "0.5 / 6 to 7 / 18 to 27 (100k)",
        _last("value_norm_sink", "value_norm_triggers", "value_norm_others"),
    ),
    Claim(
        "one layer has no residual peak: norms of `<s>`, triggers, all others",
        "1l",
        "620 / below 100 / 470 to 1090 (100k)",
        _last("residual_norm_sink", "residual_norm_triggers", "residual_norm_others"),
    ),
    Claim("three layers: risks", "3l", "5.0e-5 / 2.2294", _last_risks),
    Claim(
        "residual norm of `<s>` after layer 0 grows linearly with AdamW: start, 1/10, 1/2, end",
        "3l",
        "24 to 34 to 85 (6k) to 141",
        _growth,
    ),
    Claim("with SGD it does not", "3l_sgd", "24 to 29 to 20", _growth),
    Claim("with ReLU attention it does not", "3l_relu", "23 to 24.5", _growth),
    Claim(
        "residual peak (norm of `<s>` less the others') of layers 0 / 1 / 2",
        "3l",
        "1030 / 700 / -80 (100k)",
        _by_layer("residual_peak"),
    ),
    Claim(
        "layer 0 attends broadly, layer 1 carries the sink: weight on `<s>`",
        "3l",
        "layer 1 (100k)",
        _by_layer("sink_attention"),
    ),
    Claim(
        "and layer 2 has its sink on newline: weight on newline",
        "3l",
        "layer 2 (100k)",
        _by_layer("newline_attention"),
    ),
    Claim("peak after layer 0: three layers", "3l", "115", _peak),
    Claim("two layers, then feed-forward alone", "2tf-mlp", "106", _peak),
    Claim("two layers", "2tf", "15", _peak),
    Claim("one layer between two of feed-forward alone", "mlp-tf-mlp", "11", _peak),
    Claim("the same, the first one linear", "lin-tf-mlp", "-", _peak),
    Claim("the same, both linear", "lin-tf-lin", "-", _peak),
    Claim("attention alone, a layer, feed-forward alone", "attn-tf-mlp", "about 0", _peak),
    Claim("one layer between two of attention alone", "attn-tf-attn", "-", _peak),
    Claim(
        "without layer 0 the peak goes, and with it sink and drain: peak; sink-logit gap; value "
        "norm of `<s>`; risk after triggers; elsewhere",
        "2tf-mlp",
        "106 to 0.7; 18.9 to 1.9; 0.73 to 10.6; 4e-5 to 2.44; 2.229 to 2.474",
        _layer_removed,
    ),
    Claim("SGD: risks", "3l_sgd", "0.056 / 2.230", _last_risks),
    Claim(
        "SGD keeps the sink: weight on `<s>`, its value norm, others'",
        "3l_sgd",
        "present",
        _last("sink_attention", "value_norm_sink", "value_norm_others"),
    ),
    Claim(
        "ReLU attention, three layers: residual peak of layers 0 / 1 / 2",
        "3l_relu",
        "about 0 / - / -",
        _by_layer("residual_peak"),
    ),
    Claim("ReLU attention, three layers: risks", "3l_relu", "3.5e-5 / 2.2306", _last_risks),
    Claim("ReLU attention, one layer: risks", "1l_relu", "3.9e-6 / 2.2284", _last_risks),
    Claim("no sink: weight on `<s>`", "1l_relu", "0", _last("sink_attention")),
    Claim("no drain: value norm of `<s>` over the run", "1l_relu", "grows", _value_growth),
    Claim("no `<s>`: risks", "1l_no-bos", "8.6e-5 / 2.2154", _last_risks),
    Claim(
        "newline becomes the sink: weight on newlines, on the first token",
        "1l_no-bos",
        "newline",
        _last("newline_attention", "sink_attention"),
    ),
    Claim(
        "value norms of newline, triggers, other tokens",
        "1l_no-bos",
        "small / small / large",
        _last("value_norm_newline", "value_norm_triggers", "value_norm_others"),
    ),
    Claim(
        "bigram-skip: triggers look at the token before, others at `<s>`: mean weights",
        "1l_dormant-markov",
        "the same picture",
        _last("back_attention", "sink_attention"),
    ),
    Claim("the reduced model: risks", "reduced", "2.1e-7 / 2.2299", _last_risks),
    Claim(
        "and the same phases: sink-logit gap, value norm of `<s>`: step 500 to last",
        "reduced",
        "up; down",
        _second_phase,
    ),
)
