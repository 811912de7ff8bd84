"""Takes over checkpoints of the published code: its names for weights, and ours."""

import pickle  # nosec B403 - for the name of its error alone; nothing is unpickled
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ...errors import InputError, ModelFileError
from .network import Architecture, Das2f

# Beside the weights, profilers leave such counters in a checkpoint.
_COUNTERS = ("total_ops", "total_params")
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net")


def import_published(state: Mapping[str, Tensor]) -> tuple[Architecture, dict[str, Tensor]]:
    """The architecture and our state dict of a checkpoint under the published names.

    Levels, bands, classes, ratio and window are read off the shapes.

    Raises:
        ModelFileError: a weight is missing, unknown, of another shape, or not finite.
    """
    given = {_bare(name): value for name, value in state.items() if not _is_counter(name)}
    architecture = _architecture(given)
    with torch.device("meta"):
        expected = Das2f(architecture).state_dict()
    names = published_names(architecture.levels)
    for name in given:
        if name not in names:
            raise ModelFileError(
                f"The checkpoint has a weight “{name}” that the published DAS²F lacks; "
                "choose a checkpoint of that network."
            )
    converted = {
        ours: _converted(_weight(given, published), expected[ours], published)
        for published, ours in names.items()
    }
    return architecture, converted


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors in a `.safetensors` file or a torch file; nothing in it is executed.

    Raises:
        InputError: the file cannot be read.
        ModelFileError: it holds something else than named tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(
            f"The checkpoint {path.name} cannot be read ({error.strerror or error})."
        ) from error
    except (pickle.UnpicklingError, SafetensorError, RuntimeError, EOFError, ValueError) as error:
        raise ModelFileError(
            f"The checkpoint {path.name} is damaged, or holds more than plain weights; save its "
            "state_dict with torch.save and choose that file."
        ) from error
    return _tensors(content, path.name)


def _tensors(content: object, name: str) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise ModelFileError(f"The checkpoint {name} holds no weights; choose a state_dict.")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise ModelFileError(
                f"The checkpoint {name} holds “{key}”, which is not a weight; choose a state_dict."
            )
    return dict(content)


def published_names(levels: int) -> dict[str, str]:
    """Our name of every published weight of a network of one or two levels."""
    return dict(_pairs(levels))


def _pairs(levels: int) -> Iterator[tuple[str, str]]:
    yield from _both("R1.conv", "lift.pan")
    for image in ("ms", "pan"):
        yield from _both(f"scan_161664_{image}.0", f"lift.embed_{image}.patch")
        yield from _both(f"scan_161664_{image}.2", f"lift.embed_{image}.norm")
    for level in range(levels):
        yield from _level_pairs(level)
    # Fused from the deepest level outwards; the published code counts in that order.
    blocks = ["FusionBlock"] if levels == 1 else ["FusionBlock3", "FusionBlock2"]
    for level, block in enumerate(blocks):
        yield from _both(f"{block}.norm", f"fusions.{level}.norm")
        yield from _both(f"{block}.fusion_1.get_G.mlp", f"fusions.{level}.modalities.map")
        yield from _both(f"{block}.fusion_2.get_G.mlp", f"fusions.{level}.common.map")
    yield from _both("classifier.classifier_1", "head.first")
    yield from _both("classifier.classifier_2", "head.second")


def _level_pairs(level: int) -> Iterator[tuple[str, str]]:
    here = f"levels.{level}"
    for i, image in enumerate(("ms", "pan")):
        block = f"mamba_{image}_{level + 1}"
        yield from _norm_pairs(block, "mamba", f"{here}.norms.{i}")
        yield from _mixer_pairs(f"{block}.mamba", "", "patch", f"{here}.mixers.{image}")
        yield from _mlp_pairs(f"{block}.mlp", f"{here}.mixers.{image}")
    block = f"cromamba_{level + 1}"
    yield from _norm_pairs(block, "cromamba", f"{here}.norms.2")
    for image, suffix in (("ms", ""), ("pan", "_pan")):
        mixer = f"{here}.mixers.cross_{image}"
        yield from _mixer_pairs(f"{block}.cromamba", suffix, f"patch_{image}", mixer)
        yield from _mlp_pairs(f"{block}.mlp_{image}", mixer)


def _norm_pairs(block: str, inner: str, norms: str) -> Iterator[tuple[str, str]]:
    yield from _both(f"{block}.norm", f"{norms}.tokens")
    yield from _both(f"{block}.{inner}.out_norm", f"{norms}.scanned")


def _mixer_pairs(block: str, suffix: str, patch: str, mixer: str) -> Iterator[tuple[str, str]]:
    yield f"{block}.in_proj{suffix}.weight", f"{mixer}.gate.weight"
    yield f"{block}.out_proj{suffix}.weight", f"{mixer}.out.weight"
    yield from _both(f"{block}.conv2d{suffix}", f"{mixer}.local.depthwise")
    yield from _both(f"{block}.{patch}.0", f"{mixer}.local.patch")
    yield from _both(f"{block}.{patch}.1", f"{mixer}.local.norm")
    for part in ("running_mean", "running_var", "num_batches_tracked"):
        yield f"{block}.{patch}.1.{part}", f"{mixer}.local.norm.{part}"
    yield f"{block}.x_proj_weight{suffix}", f"{mixer}.space.project"
    yield f"{block}.dt_projs_weight{suffix}", f"{mixer}.space.delta_weight"
    yield f"{block}.dt_projs_bias{suffix}", f"{mixer}.space.delta_bias"
    yield f"{block}.A_logs{suffix}", f"{mixer}.space.a_log"
    yield f"{block}.Ds{suffix}", f"{mixer}.space.skip"


def _mlp_pairs(published: str, mixer: str) -> Iterator[tuple[str, str]]:
    for layer in (0, 2):
        yield from _both(f"{published}.{layer}", f"{mixer}.mlp.{layer}")


def _both(published: str, ours: str) -> Iterator[tuple[str, str]]:
    for part in ("weight", "bias"):
        yield f"{published}.{part}", f"{ours}.{part}"


def _bare(name: str) -> str:
    """The name without what training on several cards puts before it."""
    return name.removeprefix("module.")


def _is_counter(name: str) -> bool:
    return name.rpartition(".")[2] in _COUNTERS


def _architecture(given: Mapping[str, Tensor]) -> Architecture:
    embedding = _weight(given, "scan_161664_ms.0.weight")
    first = _weight(given, "classifier.classifier_1.weight")
    second = _weight(given, "classifier.classifier_2.weight")
    for name, weight, dimensions in (
        ("scan_161664_ms.0.weight", embedding, 4),
        ("classifier.classifier_1.weight", first, 2),
        ("classifier.classifier_2.weight", second, 2),
    ):
        if weight.ndim != dimensions:
            raise ModelFileError(
                f"The checkpoint's weight “{name}” has {weight.ndim} dimensions instead of "
                f"{dimensions}; choose a checkpoint of the published DAS²F."
            )
    tokens = first.shape[1] // embedding.shape[0] if embedding.shape[0] else 0
    return Architecture(
        ms_bands=embedding.shape[1],
        classes=second.shape[0],
        window=round(tokens**0.5),
        ratio=embedding.shape[-1],
        levels=2 if any(name.startswith("cromamba_2.") for name in given) else 1,
        fusion="published",
        head="published",
        dropout=0.0,
    )


def _weight(given: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in given:
        raise ModelFileError(
            f"The checkpoint lacks the weight “{name}”; choose a checkpoint of the published DAS²F."
        )
    return given[name]


def _converted(value: Tensor, expected: Tensor, name: str) -> Tensor:
    """`value` in our shape and type; only the first two dimensions may be merged in it."""
    merged = expected.flatten(0, 1).shape if name.rpartition(".")[2][:2] in ("A_", "Ds") else None
    if value.shape not in (expected.shape, merged):
        raise ModelFileError(
            f"The checkpoint's weight “{name}” has shape {tuple(value.shape)} instead of "
            f"{tuple(merged or expected.shape)}; choose a checkpoint of the published DAS²F."
        )
    if not bool(torch.isfinite(value).all()):
        raise ModelFileError(f"The checkpoint's weight “{name}” holds NaN or infinity.")
    return value.detach().to(expected.dtype).reshape(expected.shape).contiguous()
