"""What happens between the matrix products of folded inference, compiled by numba.

Each function is the twin of one in `tokens.py`, which says what it computes.
"""

# numba infers the types of what it compiles; annotations of Python's types would not be true.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202

import numba
import numpy as np

from ...nn.lanes import fused, plus_any_order
from ...nn.scan_loops import compiled, logistic

_WIDTH = 64
_PART = 16
_EDGE = 4
_WIDTH_SINGLE = np.float32(_WIDTH)
_SHARE = np.float32(1 / _PART)
_EPSILON = np.float32(1e-5)
_ZERO, _ONE = np.float32(0), np.float32(1)


@numba.njit(inline="always")
def norm_token(x, out):
    """Takes the mean out of 64 numbers and brings them to deviation one; gives the factor."""
    total = _ZERO
    for c in range(_WIDTH):
        total = plus_any_order(total, x[c])
    mean = total / _WIDTH_SINGLE
    squares = _ZERO
    for c in range(_WIDTH):
        centred = x[c] - mean
        squares = plus_any_order(squares, centred * centred)
    scale = _ONE / np.sqrt(squares / _WIDTH_SINGLE + _EPSILON)
    for c in range(_WIDTH):
        out[c] = (x[c] - mean) * scale
    return scale


@compiled
def normalised(x, out):
    """`tokens.normalised` of x (token, 64)."""
    for t in range(x.shape[0]):
        norm_token(x[t], out[t])


@compiled
def gated(y, gates, first, gain, offset, out):
    """`tokens.gated` of y (token, 64) with the gates from column `first` on."""
    s = np.empty(_WIDTH, np.float32)
    for t in range(y.shape[0]):
        norm_token(y[t], s)
        gate = gates[t, first : first + _WIDTH]
        for c in range(_WIDTH):
            open_share = gate[c] * logistic(gate[c])
            out[t, c] = fused(s[c], gain[c], offset[c]) * open_share


@compiled
def local(x, gain, offset, taps, bias, out):
    """`tokens.local` of x (window, row, column, 64); taps (4, 9), bias (4).

    Each channel of the finer image is one padded plane, and the convolution one long loop over it:
    what it gives for the padding is never read.
    """
    windows, rows, columns = x.shape[:3]
    stride = _EDGE * columns + 2
    count = _EDGE * rows * stride
    # Two numbers more than the padded plane: the last window of the loop ends there.
    plane = np.zeros(count + 2 * stride + 2, np.float32)
    answer = np.empty(count, np.float32)
    for w in range(windows):
        for channel in range(_EDGE):
            for r in range(rows):
                for i in range(_EDGE):
                    first = (channel * _EDGE + i) * _EDGE
                    line = plane[(_EDGE * r + i + 1) * stride + 1 :]
                    for c in range(columns):
                        for j in range(_EDGE):
                            n = first + j
                            line[_EDGE * c + j] = fused(x[w, r, c, n], gain[n], offset[n])
            _convolve(plane, stride, taps[channel], bias[channel], answer)
            for r in range(rows):
                for i in range(_EDGE):
                    first = (channel * _EDGE + i) * _EDGE
                    line = answer[(_EDGE * r + i) * stride :]
                    for c in range(columns):
                        for j in range(_EDGE):
                            out[w, r, c, first + j] = line[_EDGE * c + j]


@numba.njit(inline="always")
def _convolve(plane, stride, taps, bias, answer):
    """SiLU of the 3×3 convolution, at the upper left corner of each window."""
    above, here, below = plane, plane[stride:], plane[2 * stride :]
    for q in range(answer.shape[0]):
        z = bias
        for k in range(3):
            z = fused(taps[k], above[q + k], z)
            z = fused(taps[3 + k], here[q + k], z)
            z = fused(taps[6 + k], below[q + k], z)
        answer[q] = z * logistic(z)


# Fusion handles the four quarters of sixteen tokens at once, one in each lane, so that norms and
# gates need no sum across lanes. The scratch array has one row of lanes for each of 16 numbers of
# both inputs, of both after their norm, of the answer; then two rows for a norm's statistics.
_BLOCK = 16
_LANES = 4 * _BLOCK
_FIELD = _PART * _LANES
_A, _B, _NORMED_A, _NORMED_B, _ANSWER = range(0, 5 * _FIELD, _FIELD)
_MEAN = 5 * _FIELD
_SCALE = _MEAN + _LANES
_SCRATCH = _SCALE + _LANES


@numba.njit(inline="always")
def _norm_lanes(s, source, target, gain, offset):
    """LN over 16 numbers in every lane."""
    for q in range(_LANES):
        total = _ZERO
        for n in range(_PART):
            total += s[source + n * _LANES + q]
        mean = total * _SHARE
        squares = _ZERO
        for n in range(_PART):
            centred = s[source + n * _LANES + q] - mean
            squares = fused(centred, centred, squares)
        s[_MEAN + q] = mean
        s[_SCALE + q] = _ONE / np.sqrt(squares * _SHARE + _EPSILON)
    for n in range(_PART):
        for q in range(_LANES):
            normed = (s[source + n * _LANES + q] - s[_MEAN + q]) * s[_SCALE + q]
            s[target + n * _LANES + q] = fused(normed, gain[n], offset[n])


@numba.njit(inline="always")
def _gate(s, weight, bias, n, q):
    """One number of G = σ(W [a; b] + bias) in lane q; weight (32, 16) is transposed."""
    z = bias[n]
    for m in range(_PART):
        z = fused(s[_NORMED_A + m * _LANES + q], weight[m, n], z)
        z = fused(s[_NORMED_B + m * _LANES + q], weight[_PART + m, n], z)
    return logistic(z)


@numba.njit(inline="always")
def _convex(s, weight, bias):
    for n in range(_PART):
        for q in range(_LANES):
            b = s[_B + n * _LANES + q]
            share = _gate(s, weight, bias, n, q)
            s[_ANSWER + n * _LANES + q] = fused(share, s[_A + n * _LANES + q] - b, b)


@numba.njit(inline="always")
def _product(s, weight, bias):
    for q in range(_LANES):
        s[_MEAN + q] = _ZERO
    for n in range(_PART):
        for q in range(_LANES):
            gated_a = _gate(s, weight, bias, n, q) * s[_NORMED_A + n * _LANES + q]
            s[_MEAN + q] = fused(gated_a, _SHARE, s[_MEAN + q])
    for n in range(_PART):
        for q in range(_LANES):
            s[_ANSWER + n * _LANES + q] = s[_MEAN + q] * s[_NORMED_B + n * _LANES + q]


@numba.njit(inline="always")
def _load_dominant(s, f, g, c, d, start, block, gain, offset):
    """Lanes A and B with the dominant features f − c and g − d, and both normed."""
    for t in range(block):
        for n in range(_PART):
            for j in range(4):
                at, to = n * 4 + j, n * _LANES + t * 4 + j
                s[_A + to] = f[start + t, at] - c[start + t, at]
                s[_B + to] = g[start + t, at] - d[start + t, at]
    _norm_lanes(s, _A, _NORMED_A, gain, offset)
    _norm_lanes(s, _B, _NORMED_B, gain, offset)


@numba.njit(inline="always")
def _load_common(s, common, start, block, gain, offset):
    """Lanes A with the answer so far and B with the common features, and both normed."""
    s[_A : _A + _FIELD] = s[_ANSWER : _ANSWER + _FIELD]
    for t in range(block):
        for n in range(_PART):
            for j in range(4):
                s[_B + n * _LANES + t * 4 + j] = common[start + t, n * 4 + j]
    _norm_lanes(s, _A, _NORMED_A, gain, offset)
    _norm_lanes(s, _B, _NORMED_B, gain, offset)


@numba.njit(inline="always")
def _store(s, out, start, block):
    for t in range(block):
        for n in range(_PART):
            for j in range(4):
                out[start + t, n * 4 + j] = s[_ANSWER + n * _LANES + t * 4 + j]


# Two functions that differ in one call: a closure over it would compile anew in every process,
# since numba cannot recognise a function it holds from one run to the next.
@compiled
def _convex_fusion(f, g, c, d, common, gain, offset, weights, biases, out):
    s = np.zeros(_SCRATCH, np.float32)
    for start in range(0, f.shape[0], _BLOCK):
        block = min(_BLOCK, f.shape[0] - start)
        _load_dominant(s, f, g, c, d, start, block, gain, offset)
        _convex(s, weights[0], biases[0])
        _load_common(s, common, start, block, gain, offset)
        _convex(s, weights[1], biases[1])
        _store(s, out, start, block)


@compiled
def _published_fusion(f, g, c, d, common, gain, offset, weights, biases, out):
    s = np.zeros(_SCRATCH, np.float32)
    for start in range(0, f.shape[0], _BLOCK):
        block = min(_BLOCK, f.shape[0] - start)
        _load_dominant(s, f, g, c, d, start, block, gain, offset)
        _product(s, weights[0], biases[0])
        _load_common(s, common, start, block, gain, offset)
        _product(s, weights[1], biases[1])
        _store(s, out, start, block)


FUSIONS = {"convex": _convex_fusion, "published": _published_fusion}
