import pytest
import torch
from torch import nn

from baselines.audiosep.config import AudioSepConfig
from baselines.audiosep.model import AudioSep
from baselines.queries.encoder import QueryEncoder

#: Small sizes of every kind; 8 numbers make a condition.
SMALL = AudioSepConfig(n_fft=128, hop=32, channels=(2, 3, 4, 5, 6, 6), encoder={"kind": "none"})
BANDS = SMALL.model_copy(
    update={"n_fft": 256, "hop": 80, "bands": 64, "compression": "log", "phase_bias": 1.0}
)


class NoEncoder(QueryEncoder):
    """Stands for an encoder where conditions are drawn."""

    kind = "none"

    def __init__(self, dim):
        super().__init__()
        self.dim = dim


@pytest.fixture
def small():
    return SMALL


@pytest.fixture
def build():
    """Make a network of a configuration, with all weights and statistics away from their start."""

    def make(config, dim=8, seed=0):
        torch.manual_seed(seed)
        return stir(AudioSep(config, NoEncoder(dim)))

    return make


@pytest.fixture(params=[SMALL, BANDS], ids=["bins", "bands"])
def model(request, build):
    return build(request.param).eval()


@pytest.fixture(name="stir")
def stir_fixture():
    return stir


def stir(module):
    """Draw what normalisations start with as 0 and 1, so that mistakes in it show."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, 0.0, 0.2)
            nn.init.normal_(norm.running_mean, 0.0, 0.2)
            nn.init.uniform_(norm.running_var, 0.5, 1.5)
    return module
