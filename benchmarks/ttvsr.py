"""Time and memory of TTVSR by the length of the clip, against a plain formulation of it.

    python benchmarks/ttvsr.py                                   # everything, hours on a CPU
    python benchmarks/ttvsr.py --sizes 64x64 --frames 10 50 --ways plain whole
    python benchmarks/ttvsr.py --sizes 64x64 --frames 50 500 --ways stored bounded
    python benchmarks/ttvsr.py --device cuda --blocks 60 --sizes 180x320 --frames 100 --compile

The plain network has the paper's steps one by one: flow of all frames at once, maps channels
first, the tokens of all key frames stacked at every frame, sampled at four scales and
normalised, and of these all but the most similar thrown away. It is the same network, which
is checked first. ``whole`` is ours with the clip in memory; for the others see
:mod:`mmsuper.projects.ttvsr.streaming`; ``stored`` and ``recomputed`` keep on the disk what
is not the device's. Ways are timed in turns in one process. Memory is the growth of the
resident size during one pass in a process of its own (on CUDA: the allocator's peak).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from measure import medians, peak_megabytes
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from mmsuper.compat import mmagic
from mmsuper.parity import fill
from mmsuper.projects.ttvsr import streaming
from mmsuper.projects.ttvsr.convert import from_official, official_names, to_official
from mmsuper.projects.ttvsr.network import TTVSR

WAYS = ("plain", "whole", "stored", "recomputed", "bounded")


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    check_equal(arguments)
    title = f"TTVSR, {arguments.blocks} blocks, {arguments.device}, torch {torch.__version__}"
    table = Table("frame", "frames", "way", "s a frame", "of plain", "MB", title=title)
    console = Console(stderr=True, width=100)
    cases = [(size, frames) for size in arguments.sizes for frames in arguments.frames]
    for size, frames in track(cases, "measuring", console=console):
        for cells in rows(size, frames, arguments):
            console.print(" | ".join(cells))  # a long run that is stopped has not run for nothing
            table.add_row(*cells)
    Console(width=100).print(table)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--sizes", nargs="+", default=["64x64", "180x320"], metavar="HxW")
    parser.add_argument("--frames", nargs="+", type=int, default=[10, 50, 200])
    parser.add_argument("--blocks", type=int, default=2, help="residual blocks; the paper's are 60")
    parser.add_argument("--runs", type=int, default=1, help="timed runs of each")
    parser.add_argument("--threads", type=int, help="by default all cores")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="compile the convolutional parts")
    return parser.parse_args()


def rows(size: str, frames: int, arguments: argparse.Namespace) -> Iterator[list[str]]:
    """The lines of one clip."""
    recipes = [
        (way, size, frames, arguments.blocks, arguments.device, arguments.compile)
        for way in arguments.ways
    ]
    memory = [peak_megabytes(Subject, recipe) for recipe in recipes]
    subjects = [Subject(*recipe) for recipe in recipes]
    runs = [subject.run for subject in subjects]
    # On a CPU a pass is long, and each way has had a short one.
    warm = arguments.device == "cpu"
    seconds = medians(runs, arguments.runs, arguments.device, warm)
    plain = dict(zip(arguments.ways, seconds, strict=True)).get("plain")
    for way, time, megabytes in zip(arguments.ways, seconds, memory, strict=True):
        share = f"{time / plain:.2f}" if plain else ""
        yield [size, str(frames), way, f"{time / frames:.3f}", share, f"{megabytes:.0f}"]


class Subject:
    """A network, a clip and a way; made anew in another process."""

    def __init__(
        self, way: str, size: str, frames: int, blocks: int, device: str, compile_parts: bool
    ) -> None:
        height, width = map(int, size.split("x"))
        with torch.device("meta"):
            layout = to_official(TTVSR(num_blocks=blocks))
        gain = 1.0 if blocks < 10 else 0.5
        weights = {key: torch.from_numpy(fill.fill(key, layout[key].shape, gain)) for key in layout}
        self.network = from_official(weights).to(device)
        if way == "plain":
            self.network.__class__ = PlainTTVSR
            self.network.theirs = mmagic_flow(self.network).to(device)
        if compile_parts:
            for part in (self.network.features, self.network.trunk, self.network.enlarge):
                part.compile()
        self.way, self.frames, self.device = way, frames, device
        self.image = torch.from_numpy(fill.image(0, (1, 3, height, width))).to(device)

    def clip(self) -> Iterator[Tensor]:
        """The picture, moving; of a picture too small to count, a short clip."""
        frames = self.frames if self.image.shape[-1] > 8 else 4
        return (self.image.roll((i, 2 * i), (2, 3)) for i in range(frames))

    def run(self) -> Tensor:
        """One pass; what streams is dropped, but for the last frame."""
        with torch.inference_mode():
            if self.way in ("plain", "whole"):
                return self.network(torch.stack([*self.clip()], dim=1))
            with tempfile.TemporaryDirectory() as folder:
                options = {} if self.way == "bounded" else {"folder": folder}
                for frame in getattr(streaming, self.way)(self.network, self.clip(), **options):
                    last = frame
            return last


def check_equal(arguments: argparse.Namespace) -> None:
    """Compare all ways on a short clip."""
    outs = {
        way: Subject(way, "64x70", 7, arguments.blocks, arguments.device, False).run()
        for way in arguments.ways
    }
    outs = {way: out[:, -1] if out.dim() == 5 else out for way, out in outs.items()}
    first = next(iter(outs.values()))
    for way, out in outs.items():
        difference = (out - first).abs().max().item()
        if difference > 1e-3:
            raise SystemExit(f"{way} differs by {difference:.1e}: no comparison")


# ------------------------------------------------------------------- the plain formulation


def mmagic_flow(network: TTVSR) -> torch.nn.Module:
    """Mmagic's SPyNet with the network's weights."""
    mmagic.apply()
    mmagic.load_editor("BasicVSR")
    from mmagic.models.editors.basicvsr.basicvsr_net import SPyNet

    theirs = SPyNet(None)
    names = official_names(network.spynet)
    own = network.spynet.state_dict()
    theirs.load_state_dict({names[key]: own[key] for key in own}, strict=False)
    return theirs.eval()


class PlainTTVSR(TTVSR):
    """The same network with every step written out."""

    def forward(self, lrs: Tensor) -> Tensor:
        n, t, _, height, width = lrs.shape
        features = self.features(lrs.flatten(0, 1)).view(n, t, -1, height, width)
        one, other = lrs[:, :-1].flatten(0, 1), lrs[:, 1:].flatten(0, 1)
        to_next = self.theirs(one, other).view(n, t - 1, 2, height, width)
        to_previous = self.theirs(other, one).view(n, t - 1, 2, height, width)
        order = range(t - 1, -1, -1)
        keys = [i for i in order[::3] if i > 0]
        backward = self.go(features, order, {i: to_next[:, i] for i in order[1:]}, keys)
        order = range(t)
        flows = {i: to_previous[:, i - 1] for i in order[1:]}
        forward = self.go(features, order, flows, list(order[::3]))
        frames = [
            self.reconstruct(lrs[:, i], backward[i], features[:, i], forward[i]) for i in order
        ]
        return torch.stack(frames, dim=1)

    def go(self, features: Tensor, order: range, flows: dict, keys: list[int]) -> dict:
        height, width = features.shape[-2:]
        rows, columns = torch.meshgrid(
            torch.arange(height // 4.0), torch.arange(width // 4.0), indexing="ij"
        )
        identity = torch.stack([columns, rows]).to(features)[None]
        state, locations = torch.zeros_like(features[:, 0]), identity
        bank: list[list[Tensor]] = [[], [], [], []]
        states = {}
        for i in order:
            feature = features[:, i]
            if i in flows:
                state = plain_warp(state, flows[i], "bilinear")
                shift = F.adaptive_avg_pool2d(flows[i], identity.shape[-2:]) / 4
                locations = plain_warp(locations, shift, "nearest")
                state = self.attend(feature, bank, state, locations)
                if i in keys:
                    locations = torch.cat([locations, identity], dim=1)
            state = self.trunk(torch.cat([feature, state], dim=1))
            states[i] = state
            if i in keys:
                tokens = [blocks(x) for x in (feature, state, shrunk(state, 6), shrunk(state, 8))]
                for entries, entry in zip(bank, tokens, strict=True):
                    entries.append(entry)
            torch.stack([*states.values()], dim=1)  # as the authors do, for nothing
        return states

    def attend(self, feature: Tensor, bank: list, state: Tensor, locations: Tensor) -> Tensor:
        (n, _, height, width), (h, w) = state.shape, locations.shape[-2:]
        at = locations.view(-1, 2, h, w).permute(0, 2, 3, 1)
        at = 2 * at / torch.tensor([w - 1, h - 1]).to(at) - 1
        keys, *values = [
            F.grid_sample(
                torch.stack(entries, dim=1).flatten(0, 1), at, "nearest", "border", True
            ).view(n, len(entries), -1, h * w)
            for entries in bank
        ]
        queries = F.normalize(blocks(feature).flatten(2), dim=1)
        similarity = torch.einsum("ndr,nkdr->nkr", queries, F.normalize(keys, dim=2))
        similarity, winner = similarity.max(1)
        chosen = winner[:, None, None].expand(-1, 1, keys.shape[2], -1)
        maps = [joined(v.gather(1, chosen)[:, 0], (height, width)) for v in values]
        weight = similarity[:, None].expand(-1, 16, -1)
        return self.attention.fusion(torch.cat(maps, 1)) * joined(weight, (height, width)) + state


def plain_warp(x: Tensor, flow: Tensor, mode: str) -> Tensor:
    from mmagic.models.utils import flow_warp

    return flow_warp(x, flow.permute(0, 2, 3, 1), mode, "border")


def blocks(x: Tensor) -> Tensor:
    return F.unfold(x, 4, stride=4).view(len(x), -1, x.shape[2] // 4, x.shape[3] // 4)


def joined(tokens: Tensor, size: tuple[int, int]) -> Tensor:
    covered = (size[0] // 4 * 4, size[1] // 4 * 4)
    x = F.fold(tokens, covered, 4, stride=4)
    return F.pad(x, (0, size[1] - covered[1], 0, size[0] - covered[0]))


def shrunk(x: Tensor, window: int) -> Tensor:
    height, width = x.shape[-2:]
    mosaic = F.unfold(x, window, padding=(window - 4) // 2, stride=4)
    size = (height * window // 4, width * window // 4)
    whole = (height // 4 * window, width // 4 * window)
    mosaic = F.fold(mosaic, whole, window, stride=window)
    mosaic = F.pad(mosaic, (0, size[1] - whole[1], 0, size[0] - whole[0]))
    return F.adaptive_avg_pool2d(mosaic, (height, width))


if __name__ == "__main__":
    main()
