"""Folding for deployment: the same results, nothing left to fold."""

import torch
from torch import nn

from mmsuper.projects.svit.deploy import fold
from mmsuper.projects.svit.network import Block, SViT, SViTClassifier


def make():
    torch.manual_seed(0)
    model = SViTClassifier(
        SViT(
            embed_dim=(16, 24, 32, 48),
            depths=(1, 1, 2, 1),
            num_heads=(1, 2, 2, 3),
            stoken_size=(4, 2, 1, 1),
            layerscale=(True, True, False, True),
            init_values=0.3,
            out_indices=(3,),
        ),
        20,
        5,
    )
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.normal_(norm.weight, 1, 0.2), nn.init.normal_(norm.bias)
            nn.init.normal_(norm.running_mean), nn.init.uniform_(norm.running_var, 0.5, 2)
    return model.eval()


def test_folding_keeps_results_and_the_original():
    model, image = make(), torch.rand(2, 3, 50, 70)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    folded = fold(model)
    with torch.no_grad():
        expected = model(image)
        torch.testing.assert_close(folded(image), expected, rtol=1e-5, atol=1e-5)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_only_the_norms_of_the_stem_are_left():
    folded = fold(make())
    norms = [name for name, m in folded.named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(name.startswith("backbone.stem.") for name in norms)
    blocks = [block for block in folded.modules() if isinstance(block, Block)]
    assert all(block.gamma1 is None and block.gamma2 is None for block in blocks)


def test_any_model_that_contains_the_network():
    model = nn.Sequential(make().backbone)
    image = torch.rand(1, 3, 33, 40)
    with torch.no_grad():
        (found,), (expected,) = fold(model)(image), model(image)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
