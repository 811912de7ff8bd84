"""The way back through the steps between matrix products, compiled by numba for training.

Each function is the derivative of one in `token_loops.py`. Gradients of parameters are summed
apart for each window or stretch of tokens, which rounds less.
"""

# numba infers the types of what it compiles; annotations of Python's types would not be true.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202

import numba
import numpy as np

from ...nn.lanes import fused, plus_any_order
from ...nn.scan_loops import compiled, logistic
from .token_loops import norm_token

STRETCH = 64
"""Tokens whose terms of a gradient are summed together."""

_WIDTH = 64
_WIDTH_SINGLE = np.float32(_WIDTH)
_EDGE = 4
_ZERO, _ONE = np.float32(0), np.float32(1)


@numba.njit(inline="always")
def _silu_slope(x, open_share):
    """The derivative of x · σ(x), of x and σ(x)."""
    return open_share * fused(x, _ONE - open_share, _ONE)


@compiled
def gated_back(y, gates, gain, offset, grad, d_y, d_gates, d_gain, d_offset):
    """All gradients of `gated`, of y and gates (token, 64); d_gain, d_offset (stretch, 64)."""
    s = np.empty(_WIDTH, np.float32)
    slope = np.empty(_WIDTH, np.float32)
    d_gain[:] = _ZERO
    d_offset[:] = _ZERO
    for t in range(y.shape[0]):
        scale = norm_token(y[t], s)
        of_gain, of_offset = d_gain[t // STRETCH], d_offset[t // STRETCH]
        mean, tilt = _ZERO, _ZERO
        for c in range(_WIDTH):
            gate = gates[t, c]
            share = logistic(gate)
            affine = grad[t, c] * gate * share
            of_gain[c] = fused(affine, s[c], of_gain[c])
            of_offset[c] += affine
            d_gates[t, c] = grad[t, c] * fused(s[c], gain[c], offset[c]) * _silu_slope(gate, share)
            slope[c] = affine * gain[c]
        for c in range(_WIDTH):
            mean = plus_any_order(mean, slope[c])
            tilt = plus_any_order(tilt, slope[c] * s[c])
        mean /= _WIDTH_SINGLE
        tilt /= _WIDTH_SINGLE
        for c in range(_WIDTH):
            d_y[t, c] = scale * (slope[c] - mean - s[c] * tilt)


@numba.njit(inline="always")
def _spread(x, w, channel, columns, stride, start, plane):
    """A channel of the finer image, written into a plane with room between its lines."""
    for r in range(x.shape[1]):
        for i in range(_EDGE):
            first = (channel * _EDGE + i) * _EDGE
            line = plane[start + (_EDGE * r + i) * stride :]
            for c in range(columns):
                for j in range(_EDGE):
                    line[_EDGE * c + j] = x[w, r, c, first + j]


@numba.njit(inline="always")
def _through_silu(plane, stride, taps, bias, grad):
    """From the gradient of SiLU's answer to that of the convolution's, in place."""
    above, here, below = plane, plane[stride:], plane[2 * stride :]
    for q in range(grad.shape[0]):
        z = bias
        for k in range(3):
            z = fused(taps[k], above[q + k], z)
            z = fused(taps[3 + k], here[q + k], z)
            z = fused(taps[6 + k], below[q + k], z)
        grad[q] *= _silu_slope(z, logistic(z))


@numba.njit(inline="always")
def _through_convolution(plane, stride, taps, answer):
    """The gradient of the convolved image: the same with the taps turned round."""
    above, here, below = plane, plane[stride:], plane[2 * stride :]
    for q in range(answer.shape[0]):
        z = _ZERO
        for k in range(3):
            z = fused(taps[8 - k], above[q + k], z)
            z = fused(taps[5 - k], here[q + k], z)
            z = fused(taps[2 - k], below[q + k], z)
        answer[q] = z


@numba.njit(inline="always")
def _dot(a, b):
    total = _ZERO
    for q in range(a.shape[0]):
        total = plus_any_order(total, a[q] * b[q])
    return total


@compiled
def local_back(x, taps, bias, grad, d_x, d_taps, d_bias):
    """All gradients of `local` without a norm; d_taps (window, 4, 9), d_bias (window, 4).

    Planes as in `token_loops.local`. What the convolution gives between the lines has no gradient,
    and these places stay zero.
    """
    windows, rows, columns = x.shape[:3]
    stride = _EDGE * columns + 2
    count = _EDGE * rows * stride
    plane = np.zeros(count + 2 * stride + 2, np.float32)
    back = np.zeros(count + 2 * stride + 2, np.float32)
    of_answer = np.zeros(count, np.float32)
    answer = np.empty(count, np.float32)
    for w in range(windows):
        for channel in range(_EDGE):
            _spread(x, w, channel, columns, stride, stride + 1, plane)
            _spread(grad, w, channel, columns, stride, 0, of_answer)
            _through_silu(plane, stride, taps[channel], bias[channel], of_answer)
            total = _ZERO
            for q in range(count):
                total = plus_any_order(total, of_answer[q])
            d_bias[w, channel] = total
            for k in range(9):
                d_taps[w, channel, k] = _dot(of_answer, plane[k // 3 * stride + k % 3 :])
            back[stride + 1 : stride + 1 + count] = of_answer
            _through_convolution(back, stride, taps[channel], answer)
            for r in range(rows):
                for i in range(_EDGE):
                    first = (channel * _EDGE + i) * _EDGE
                    line = answer[(_EDGE * r + i) * stride :]
                    for c in range(columns):
                        for j in range(_EDGE):
                            d_x[w, r, c, first + j] = line[_EDGE * c + j]
