import torch
from torch import nn

from mmsuper.engine.tta import SelfEnsemble, flip, unflip


def test_ways_are_the_eight_of_a_square_and_invertible():
    images = torch.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    turned = [flip(images, way) for way in range(8)]
    assert len({tuple(one.flatten().tolist()) for one in turned}) == 8
    for way, one in enumerate(turned):
        assert torch.equal(unflip(one, way), images)


class Model(nn.Module):
    def __init__(self, generator):
        super().__init__()
        self.generator = generator

    def test_step(self, data):
        return self.generator(data)


def test_an_equivariant_network_gives_the_same():
    network = nn.Upsample(scale_factor=2, mode="nearest")
    images = torch.rand(1, 3, 5, 7)
    torch.testing.assert_close(SelfEnsemble(Model(network)).test_step(images), network(images))


def test_another_is_averaged_and_put_back():
    class Ramp(nn.Module):
        def forward(self, images):
            return images + torch.arange(images.shape[-1])

    model = Model(Ramp())
    output = SelfEnsemble(model).test_step(torch.zeros(1, 1, 4, 4))
    torch.testing.assert_close(output, torch.full((1, 1, 4, 4), 1.5))
    assert isinstance(model.generator, Ramp)
