"""Authors' DLGSANet checkpoints: recognised, read, loaded strictly, and written back."""

import pytest
import torch

from mmsuper.errors import UserError
from mmsuper.projects.dlgsanet.convert import (
    from_official,
    infer_arguments,
    is_official,
    load_official,
    to_official,
)
from mmsuper.projects.dlgsanet.network import DLGSANet

BASE = {"dim": 24, "groups": 2, "blocks": 2, "idynamic_num_heads": 6, "restormer_num_heads": 4}
VARIANTS = [
    {"upscale": 2},
    {"upscale": 3, "in_chans": 1},
    {"upscale": 4, "upsampler": "pixelshuffle"},
    {"upscale": 3, "upsampler": "pixelshuffle"},
    {"upsampler": ""},
    {"body_norm": True},
    {"window_size": 5, "idynamic_num_heads": 3},
    {"idynamic": False, "window_size": 5},
    {"buildblock_type": "idynamic", "idynamic_ffn_type": "BaseFFN"},
    {"buildblock_type": "restormer", "restormer_ffn_type": "BaseFFN"},
    {"buildblock_type": "edge", "idynamic_ffn_expansion_factor": 1.5},
    {"groups": 1, "blocks": 3, "restormer_ffn_expansion_factor": 3.0},
]


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_there_and_back(variant):
    network = DLGSANet(**{**BASE, **variant}).eval()
    theirs = to_official(network)
    assert is_official(theirs)
    again = from_official(
        theirs, **({"buildblock_type": "edge"} if "edge" in variant.values() else {})
    )
    assert {k: v.tolist() for k, v in to_official(again).items()} == {
        k: v.tolist() for k, v in theirs.items()
    }
    image = torch.rand(1, network.embed.in_channels, 9, 8)
    with torch.inference_mode():
        torch.testing.assert_close(again(image), network(image))
    assert not again.training


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_shapes_tell_the_arguments(variant):
    arguments = {**BASE, **variant}
    found = infer_arguments(to_official(DLGSANet(**arguments)))
    if arguments.get("buildblock_type") == "edge":  # the same tensors as sparseedge
        arguments["buildblock_type"] = "sparseedge"
    told = arguments.keys() & found.keys()
    assert {key: found[key] for key in told} == {key: arguments[key] for key in told}
    assert {"dim", "groups", "blocks", "upsampler"} <= found.keys()


def test_window_side_follows_the_scale():
    theirs = to_official(DLGSANet(2, **BASE))
    assert from_official(theirs).deep[0].body[1].attention.window == 96
    assert from_official(theirs, tlc_kernel=20).deep[0].body[1].attention.window == 20


def test_contradictions_are_named():
    theirs = to_official(DLGSANet(2, **BASE))
    with pytest.raises(UserError, match="upscale is 2, not 4"):
        from_official(theirs, upscale=4)


def test_missing_unknown_and_misshapen_tensors_are_named():
    network = DLGSANet(**BASE)
    theirs = to_official(network)
    with pytest.raises(UserError, match=r"1 tensors are missing.*upsample.0.bias"):
        load_official(network, {k: v for k, v in theirs.items() if k != "upsample.0.bias"})
    with pytest.raises(UserError, match=r"1 unknown.*extra"):
        load_official(network, {**theirs, "extra": torch.zeros(1)})
    with pytest.raises(UserError, match=r"upsample.0.bias is \(7,\)"):
        load_official(network, {**theirs, "upsample.0.bias": torch.zeros(7)})
    with pytest.raises(UserError, match="not DLGSANet"):
        from_official({"conv.weight": torch.zeros(1)})
