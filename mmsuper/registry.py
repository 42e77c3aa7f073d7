"""Registries of scope ``mmsuper``.

Each is a child of MMEngine's root registry of the same name, so a config of any default
scope can name our classes as ``mmsuper.DLGSANet``, without ``custom_imports``: MMEngine
imports this module when it meets the scope, and the locations on first use. All locations
of a registry load together, so what they name must be cheap to import; a test looks.
"""

from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import PARAM_SCHEDULERS as MMENGINE_PARAM_SCHEDULERS
from mmengine.registry import RUNNERS as MMENGINE_RUNNERS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

MODELS = Registry(
    "model",
    parent=MMENGINE_MODELS,
    scope="mmsuper",
    locations=[
        "mmsuper.projects.dlgsanet.network",
        "mmsuper.projects.svit.network",
        "mmsuper.projects.ttvsr.network",
        "mmsuper.projects.ttvsr.editor",
        "mmsuper.projects.active_dormant.network",
        "mmsuper.projects.active_dormant.model",
        "mmsuper.projects.superposed_decoding.evaluation",
        "mmsuper.engine.tta",
        "mmsuper.llm.causal_lm",
    ],
)
DATASETS = Registry(
    "dataset",
    parent=MMENGINE_DATASETS,
    scope="mmsuper",
    locations=[
        "mmsuper.data",
        "mmsuper.llm.texts",
        "mmsuper.projects.active_dormant.data",
        "mmsuper.projects.superposed_decoding.prompts",
    ],
)
TRANSFORMS = Registry(
    "transform", parent=MMENGINE_TRANSFORMS, scope="mmsuper", locations=["mmsuper.data.transforms"]
)
METRICS = Registry(
    "metric",
    parent=MMENGINE_METRICS,
    scope="mmsuper",
    locations=[
        "mmsuper.evaluation",
        "mmsuper.llm.metrics",
        "mmsuper.projects.active_dormant.model",
        "mmsuper.projects.superposed_decoding.metrics",
    ],
)
HOOKS = Registry(
    "hook",
    parent=MMENGINE_HOOKS,
    scope="mmsuper",
    locations=[
        "mmsuper.engine.hooks",
        "mmsuper.engine.checkpoints",
        "mmsuper.engine.seeding",
        "mmsuper.engine.pictures",
        "mmsuper.llm.hooks",
        "mmsuper.llm.harness",
        "mmsuper.projects.active_dormant.hooks",
    ],
)
LOOPS = Registry("loop", parent=MMENGINE_LOOPS, scope="mmsuper", locations=["mmsuper.engine.loops"])
OPTIM_WRAPPERS = Registry(
    "optim_wrapper",
    parent=MMENGINE_OPTIM_WRAPPERS,
    scope="mmsuper",
    locations=["mmsuper.engine.amp"],
)
PARAM_SCHEDULERS = Registry(
    "parameter scheduler",
    parent=MMENGINE_PARAM_SCHEDULERS,
    scope="mmsuper",
    locations=["mmsuper.engine.schedulers"],
)
RUNNERS = Registry(
    "runner", parent=MMENGINE_RUNNERS, scope="mmsuper", locations=["mmsuper.engine.runners"]
)
