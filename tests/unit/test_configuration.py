"""Reading configs: names of libraries, misspelt keys, and no false alarms."""

import itertools
from pathlib import Path

import pytest

from mmsuper import config_history, config_keys, configuration
from mmsuper.compat import hosts
from mmsuper.errors import UserError

HOST_CONFIGS = {
    "mmdet": "retinanet/retinanet_r50_fpn_1x_coco.py",
    "mmseg": "pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py",
    "mmpretrain": "resnet/resnet18_8xb32_in1k.py",
    "mmagic": "edsr/edsr_x2c64b16_1xb16-300k_div2k.py",
}
OURS = """
default_scope = 'mmsuper'
model = dict(type='mmsuper.DLGSANet', upscale=2, dim=12, groups=1, blocks=1)
train_cfg = dict(by_epoch=False, max_iters=3)
helper = 3
"""


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("library", HOST_CONFIGS)
def test_configs_of_libraries_are_bases_by_name(write, library):
    path = write("child.py", f"_base_ = '{library}::{HOST_CONFIGS[library]}'\nextra = 1\n")
    config = configuration.read(path)
    assert config.default_scope == library
    assert config.model["_scope_"] == library
    assert config.extra == 1


def test_our_configs_are_bases_by_name_and_keep_their_own_scope(write):
    path = write("child.py", "_base_ = 'mmsuper::dlgsanet/dlgsanet-tiny_x4_sample.py'\n")
    config = configuration.read(path)
    assert config.default_scope == "mmagic"
    assert config.model.generator.upscale == 4
    assert "_scope_" not in config.model


def test_an_unknown_name_of_ours_is_an_error(write):
    path = write("child.py", "_base_ = 'mmsuper::dlgsanet/no-such.py'\n")
    with pytest.raises(UserError, match=r"no config mmsuper::dlgsanet/no-such\.py"):
        configuration.read(path)


def test_a_missing_file_names_the_nearest_config():
    with pytest.raises(UserError, match=r"did you mean .*dlgsanet-tiny_x4_sample\.py"):
        configuration.read("dlgsanet-tiny_x4_sampel.py")


def test_an_error_inside_a_config_is_one_sentence(write):
    with pytest.raises(UserError, match="cannot be read: NameError"):
        configuration.read(write("broken.py", "a = no_such_name\n"))


def test_a_misspelt_argument_is_named_with_its_line_and_the_nearest(write):
    write("base.py", OURS)
    path = write("child.py", "_base_ = 'base.py'\nmodel = dict(\n    dim=12,\n    upscal=4)\n")
    with pytest.raises(UserError, match=r"child\.py:4: model\.upscal.*'upscale'"):
        configuration.load(path)


def test_a_misspelt_argument_in_a_base_is_blamed_on_the_base(write):
    write("base.py", OURS.replace("dim=12", "dym=12"))
    with pytest.raises(UserError, match=r"base\.py:3: model\.dym.*'dim'"):
        configuration.load(write("child.py", "_base_ = 'base.py'\n"))


@pytest.mark.parametrize(
    ("line", "nearest"),
    [
        ("train_dataloder = dict(batch_size=1)", "train_dataloader"),
        ("modle = dict(dim=24)", "model"),
        ("default_hoks = dict()", "default_hooks"),
    ],
)
def test_a_misspelt_top_level_key_is_an_error(write, line, nearest):
    write("base.py", OURS)
    path = write("child.py", f"_base_ = 'base.py'\n{line}\n")
    with pytest.raises(UserError, match=rf"child\.py:2: nothing reads .*{nearest!r}"):
        configuration.read(path)


def test_a_variable_that_something_reads_may_look_like_a_key(write):
    text = OURS + "train_dataloder = 4\ntrain_dataloader = dict(batch_size=train_dataloder)\n"
    assert configuration.read(write("c.py", text)).train_dataloader.batch_size == 4


def test_a_sound_config_passes_and_options_are_merged(write):
    config = configuration.load(write("c.py", OURS), {"model.dim": 24, "helper": 4})
    assert config.model.dim == 24
    assert config.helper == 4


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("model.upscal", "options model.upscal: mmsuper.DLGSANet takes no key .*'upscale'"),
        ("modle.dim", "a config takes no key 'modle'.*'model'"),
        ("train_cfg.max_iter", "takes no key 'max_iter'.*'max_iters'"),
        ("randomness.sed.x", "takes no key|no key"),
        ("model.dim.x", "model.dim is no dict"),
        ("hepler", "did you mean 'helper'"),
    ],
)
def test_a_misspelt_option_is_an_error(write, option, message):
    with pytest.raises(UserError, match=message):
        configuration.load(write("c.py", OURS), {option: 1})


@pytest.mark.parametrize(
    "option", ["model.img_range", "load_from", "randomness.seed", "train_cfg.val_interval"]
)
def test_an_option_may_add_what_its_target_takes(write, option):
    config = configuration.load(write("c.py", OURS), {option: 1})
    assert config_history.value_at(config.to_dict(), option.split(".")) == 1


class Base:
    def __init__(self, depth: int, width: int = 1) -> None: ...


class Passes(Base):
    def __init__(self, extra: int, **kwargs) -> None:
        super().__init__(**kwargs)


class Keeps(Base):
    def __init__(self, extra: int, **kwargs) -> None:
        self.kept = kwargs
        super().__init__(1)


class Mixed(Passes):
    def __init__(self, **kwargs) -> None:
        kwargs.pop("own", None)
        super().__init__(**kwargs)


def test_parameters_follow_kwargs_to_the_base_and_no_further():
    assert config_keys.parameters(Base) == {"depth", "width"}
    assert config_keys.parameters(Passes) == {"extra", "depth", "width"}
    assert config_keys.parameters(Keeps) is None
    assert config_keys.parameters(Mixed) is None


def test_history_tells_who_set_what_and_where(write):
    write("base.py", OURS)
    middle = write("middle.py", "_base_ = 'base.py'\nwidth = 24\nmodel = dict(\n  dim=width)\n")
    path = write("child.py", "_base_ = 'middle.py'\nmodel = dict(groups=2)\n")
    settings = config_history.history(path, "model.dim")
    assert [(s.file.name, s.line, s.value) for s in settings] == [
        ("base.py", 3, 12),
        ("middle.py", 2, 24),
    ]
    assert settings[-1].file == middle.resolve()
    assert [s.value for s in config_history.history(path, "model.groups")] == [1, 2]
    assert config_history.history(path, "model.nothing") == []


def test_history_shows_a_removal(write):
    write("base.py", OURS)
    text = "_base_ = 'base.py'\nmodel = dict(_delete_=True, type='mmsuper.DLGSANet', upscale=3)\n"
    settings = config_history.history(write("child.py", text), "model.dim")
    assert [s.value for s in settings] == [12, config_history.MISSING]


def _host_configs(library, count=10):
    folder = Path(configuration.locate(f"{library}::{HOST_CONFIGS[library]}")).parents[1]
    families = sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith("_"))
    first = [sorted(family.glob("*.py"))[:1] for family in families]
    flat = list(itertools.chain.from_iterable(first))
    return flat[:: max(1, len(flat) // count)][:count]


@pytest.mark.slow
@pytest.mark.parametrize("library", HOST_CONFIGS)
def test_configs_that_libraries_ship_raise_no_alarm(library):
    # Left out are pure-Python configs, which ours cannot inherit, one that mixes both kinds
    # and that MMEngine cannot read either, and editors that need packages we do not install.
    from mmengine.config import Config

    checked = 0
    for path in _host_configs(library):
        if Config._is_lazy_import(str(path)):
            continue
        try:
            Config.fromfile(path, import_custom_modules=False)
        except RuntimeError:
            continue
        config = configuration.read(path)
        try:
            hosts.prepare(config)
        except UserError:
            continue
        config_keys.check(config, path)
        checked += 1
    assert checked >= 5
