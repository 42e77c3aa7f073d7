import pytest
from mmengine.config import Config

from mmsuper.engine import options
from mmsuper.engine.dry_run import _shorten
from mmsuper.errors import UserError


def test_parse_reads_values():
    found = options.parse(["a.b=1", "c=[1,x]", "d=True", "e=text", "f=a=b"])
    assert found == {"a.b": 1, "c": [1, "x"], "d": True, "e": "text", "f": "a=b"}
    with pytest.raises(UserError, match="KEY=VALUE"):
        options.parse(["a"])


def test_amp_refuses_other_wrappers():
    config = Config({"optim_wrapper": {"type": "OptimWrapperConstructor"}})
    with pytest.raises(UserError, match="OptimWrapper"):
        options.use_amp(config)


def test_amp_twice_is_once():
    config = Config({"optim_wrapper": {"type": "OptimWrapper"}})
    options.use_amp(config)
    first = config.optim_wrapper.type
    options.use_amp(config)
    assert config.optim_wrapper.type == first != "OptimWrapper"


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_float16_takes_a_gpu(monkeypatch, device):
    monkeypatch.setattr("mmengine.device.get_device", lambda: device)
    options.check_amp(Config({"optim_wrapper": {"type": "OptimWrapper"}}))
    config = Config({"optim_wrapper": {"type": "AmpOptimWrapper"}})
    if device == "cuda":
        options.check_amp(config)
    else:
        with pytest.raises(UserError, match=r"takes a GPU.*optim_wrapper\.type=OptimWrapper"):
            options.check_amp(config)


def test_tta_takes_model_and_pipeline():
    config = Config(
        {
            "model": {"type": "A"},
            "tta_model": {"type": "T"},
            "tta_pipeline": [{"type": "P"}],
            "test_dataloader": {"dataset": {"dataset": {"pipeline": []}}},
        }
    )
    options.use_tta(config)
    assert config.model == {"type": "T", "module": {"type": "A"}}
    assert config.test_dataloader.dataset.dataset.pipeline == [{"type": "P"}]


@pytest.mark.parametrize(
    "metrics", [{"type": "M"}, [{"type": "M"}], {"type": "Evaluator", "metrics": {"type": "M"}}]
)
def test_predictions_are_dumped_beside_any_metrics(metrics):
    config = Config({"test_dataloader": {}, "test_evaluator": metrics})
    options.dump_predictions(config, "a.pkl")
    found = config.test_evaluator
    found = found["metrics"] if isinstance(found, dict) else found
    assert [one["type"] for one in found] == ["M", "DumpResults"]


@pytest.mark.parametrize(
    "loop", [{"by_epoch": True, "max_epochs": 9}, {"type": "EpochBasedTrainLoop", "max_epochs": 9}]
)
def test_a_dry_run_counts_iterations(loop):
    config = Config({"train_cfg": loop})
    _shorten(config)
    assert config.train_cfg.type == "IterBasedTrainLoop"
    assert config.train_cfg.max_iters == 2
    assert "max_epochs" not in config.train_cfg
