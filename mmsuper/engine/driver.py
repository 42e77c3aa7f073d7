"""The verbs ``train`` and ``test``: from command line arguments to a finished run."""

from __future__ import annotations

import logging
import os
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mmsuper import configuration
from mmsuper.engine import build_runner, distributed, manifest, options, report
from mmsuper.errors import UserError
from mmsuper.files import write_json

if TYPE_CHECKING:
    from mmengine.config import Config

MANIFEST_FILE = "manifest.json"


def train(arguments: Namespace) -> int:
    """Train; the verb ``train``.

    Raises:
        UserError: If the config, the data, the checkpoint or the disk do not allow it.
    """
    config = _load(arguments)
    if not config.get("train_cfg") or not config.get("train_dataloader"):
        raise UserError(f"{arguments.config} has no training: train_cfg and train_dataloader")
    if arguments.amp:
        options.use_amp(config)
    if arguments.auto_scale_lr:
        options.scale_learning_rate(config)
    if arguments.compile:
        config.compile = config.get("compile") or True
    if arguments.no_validate:
        options.no_validation(config)
    config.work_dir = _work_dir(config, arguments.work_dir)
    with _running(config, ("train_dataloader", "val_dataloader")):
        options.check_amp(config)
        if arguments.dry_run:
            from mmsuper.engine.dry_run import dry_run

            rows = dry_run(config)
            if _is_main():
                report.pairs(rows)
            return 0
        _prepare_resume(config, arguments)
        if config.get("load_from"):
            _check_exists(config.load_from)
        with _recorded(config, "train"):
            runner = build_runner(config)
            runner.train()
        if _is_main():
            report.metrics(config.work_dir, "val")
    return 0


def test(arguments: Namespace) -> int:
    """Evaluate; the verb ``test``.

    Raises:
        UserError: If the config, the data, the checkpoint or the disk do not allow it.
    """
    config = _load(arguments)
    config.work_dir = _work_dir(config, arguments.work_dir, "test")
    config.load_from, config.resume = None, False
    if not options.use_hugging_face(config, arguments.checkpoint):
        _check_exists(arguments.checkpoint)
        config.load_from = arguments.checkpoint
    options.only_test(config)
    if arguments.tta:
        options.use_tta(config)
    metrics_file = arguments.out if arguments.out and arguments.out.endswith(".json") else None
    if arguments.out and not metrics_file:
        options.dump_predictions(config, arguments.out)
    if arguments.show_dir:
        options.show_predictions(config, arguments.show_dir)
    with _running(config, ("test_dataloader",)):
        with _recorded(config, "test"):
            runner = build_runner(config)
            runner.test()
        if _is_main():
            record = report.metrics(config.work_dir, "test")
            if metrics_file:
                write_json(metrics_file, record)
    return 0


def _load(arguments: Namespace) -> Config:
    from mmsuper.compat.mmengine import full_optim, light_optim

    if arguments.local_rank is not None:
        os.environ.setdefault("LOCAL_RANK", str(arguments.local_rank))
    light_optim()
    config = configuration.load(arguments.config, options.parse(arguments.cfg_options))
    full_optim(config.get("optim_wrapper"))
    config.launcher = distributed.choose_launcher(arguments.launcher)
    randomness = {"seed": 0, **(config.get("randomness") or {})}
    if getattr(arguments, "seed", None) is not None:
        randomness["seed"] = arguments.seed
    if randomness["seed"] is None:
        randomness["seed"] = 0
    if getattr(arguments, "deterministic", False):
        randomness["deterministic"] = True
    config.randomness = randomness
    return config


def _work_dir(config: Config, chosen: str | None, *below: str) -> str:
    if chosen:
        return chosen
    folder = config.get("work_dir") or Path("work_dirs") / Path(config.filename).stem
    return str(Path(folder, *below))


def _check_exists(checkpoint: str) -> None:
    if "://" not in checkpoint and not Path(checkpoint).is_file():
        raise UserError(f"no checkpoint at {checkpoint}")


def _prepare_resume(config: Config, arguments: Namespace) -> None:
    """Turn ``--resume`` into the checkpoint to go on from, and its seed."""
    from mmsuper import checkpoint
    from mmsuper.engine import checkpoints

    asked = arguments.resume
    if asked is None and config.get("resume"):
        asked = config.get("load_from") or "auto"
    if asked is None:
        return
    found = checkpoints.find_latest(config.work_dir) if asked == "auto" else Path(asked)
    if found is None:
        report.note(f"no checkpoint in {config.work_dir} yet; starting from the beginning")
        config.resume = False
        return
    content = checkpoint.read(found)
    if "meta" not in content or "optimizer" not in content:
        raise UserError(
            f"{found} holds weights only and cannot be resumed; set load_from in the config to "
            "start from it"
        )
    config.load_from, config.resume = str(found), True
    seed = content["meta"].get("seed")
    if seed is not None and arguments.seed not in (None, seed):
        raise UserError(f"{found} was trained with seed {seed}, not {arguments.seed}")
    if seed is not None:
        config.randomness["seed"] = seed
    report.note(f"resuming from {found}")


@contextmanager
def _recorded(config: Config, verb: str) -> Iterator[None]:
    """Write the manifest when a run begins, and when it ended well."""
    record = manifest.describe(config, verb)
    path = Path(config.work_dir) / MANIFEST_FILE
    if _is_main():
        write_json(path, record)
    yield
    record["finished"] = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    if _is_main():
        write_json(path, record)


@contextmanager
def _running(config: Config, dataloaders: tuple[str, ...]) -> Iterator[None]:
    """Have the data, be one of several processes if so asked, and say in a sentence what failed."""
    from mmsuper.data import samples
    from mmsuper.engine import checkpoints

    checkpoints.install()
    # A log file on a full disk is no reason for a traceback; the checkpoint will tell.
    logging.raiseExceptions = False
    try:
        with distributed.group(config):
            distributed.first_alone(lambda: samples.ensure(config, dataloaders))
            yield
    except OSError as error:
        raise _sentence(error, config) from error
    except KeyError as error:
        if "registry" not in str(error):
            raise
        raise UserError(f"{config.filename}: {str(error.args[0]).split('. ')[0]}") from error
    finally:
        logging.raiseExceptions = True


def _sentence(error: OSError, config: Config) -> UserError:
    from mmsuper.engine import checkpoints

    if error.errno in checkpoints.NO_SPACE:
        last = checkpoints.find_latest(config.work_dir)
        rest = f"the last good checkpoint is {last}" if last else "there is no checkpoint yet"
        return UserError(f"the disk is full, the run has stopped; {rest}")
    if isinstance(error, FileNotFoundError):
        return UserError(
            f"no file {error.filename or error}; docs/data.md says how to lay out data"
        )
    return UserError(f"{error.strerror or error}: {error.filename}")


def _is_main() -> bool:
    from mmengine.dist import is_main_process

    return is_main_process()
