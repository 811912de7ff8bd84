"""HPCL-Net and MineC2FNet: what blending costs beyond the bare network.

    python -m benchmarks.segmentation_inference [--rounds 5] [--rows 512]

A scene in memory is mapped by `core/segmentation/blending.py`, and, beside it in the same run, the
same network sees the same windows, cut beforehand, in the same batches: a row of windows at once.
All numbers are processor time of one thread, medians of interleaved rounds. Weights are random:
the arithmetic is that of trained ones.
"""

import argparse
import math

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.measure import core_seconds, write
from core.families.hpclnet import architecture as hpclnet
from core.families.hpclnet.network import HpclNet
from core.families.hpclnet.statistics import Statistics as TerrainStatistics
from core.families.hpclnet.view import TerrainView
from core.families.minec2fnet import architecture as minec2fnet
from core.families.minec2fnet.network import FootprintNet
from core.families.minec2fnet.statistics import Statistics
from core.families.minec2fnet.view import ImageView
from core.scene.grid import Shape, Window
from core.segmentation.blending import Axis, blended, read_array
from core.segmentation.segmenter import TrainedSegmenter

EDGE = 128
_PIXELS_AT_ONCE = 2**19


def families() -> dict[str, tuple[TrainedSegmenter, nn.Module, int]]:
    """Segmenter, its bare network and channels of each family's small profile."""
    torch.manual_seed(0)
    bands = 4
    terrain = HpclNet(hpclnet.Architecture(image_bands=bands)).eval()
    footprint = FootprintNet(minec2fnet.Architecture(bands=bands)).eval()
    view, image = TerrainView(bands), ImageView(bands)
    moments = torch.zeros(bands), torch.ones(bands)
    return {
        "hpclnet": (
            TrainedSegmenter(view, terrain, TerrainStatistics(*moments, 1.0)),
            terrain,
            view.channels,
        ),
        "minec2fnet": (
            TrainedSegmenter(image, footprint, Statistics(*moments)),
            footprint,
            image.channels,
        ),
    }


def windows_of(values: Tensor, shape: Shape, step: int) -> Tensor:
    """The windows (n, channel, row, column) that blending asks for, mirrored at the edges."""
    down, across = Axis(shape.rows, EDGE, step), Axis(shape.columns, EDGE, step)
    read = read_array(values.numpy(), np.ones((shape.rows, shape.columns), bool))
    return torch.stack(
        [
            torch.from_numpy(read(Window(top, left, EDGE, EDGE)).values)
            for top in down.touching(0, shape.rows)
            for left in across.touching(0, shape.columns)
        ]
    )


def measured(name: str, rows: int, rounds: int) -> dict[str, object]:
    """Processor time of both ways."""
    segmenter, network, channels = families()[name]
    shape, step = Shape(rows, rows), EDGE // 2
    values = torch.randn(channels, rows, rows)
    known = np.ones((rows, rows), bool)
    windows = windows_of(values, shape, step)
    of_row = len(Axis(rows, EDGE, step).touching(0, rows))
    size = math.ceil(of_row / math.ceil(of_row / (_PIXELS_AT_ONCE // EDGE**2)))
    region = Window(0, 0, rows, rows)

    @torch.inference_mode()
    def bare() -> None:
        for part in windows.split(size):
            torch.sigmoid(network(part))

    def blend() -> None:
        read = read_array(values.numpy(), known)
        blended(read, segmenter, region, shape, window=EDGE, overlap=EDGE - step)

    times = core_seconds({"bare": bare, "blended": blend}, rounds)
    return {
        "family": name,
        "windows": len(windows),
        "at once": size,
        "bare, core-ms a window": 1e3 * times["bare"] / len(windows),
        "blended, core-ms a window": 1e3 * times["blended"] / len(windows),
        "blended over bare": times["blended"] / times["bare"],
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=512, help="rows and columns of the scene")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measured(name, options.rows, options.rounds) for name in families()]
    write("segmentation_inference", {"blending": rows})


if __name__ == "__main__":
    main()
