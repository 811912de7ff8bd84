"""The loops of the compiled selective scan, as numba compiles them; `scan_numba.py` calls them.

What makes them fast: nothing is materialised, the state of one direction (6 kB) stays in the
first-level cache, channels fill the vector registers, exp is a short polynomial with the rates
multiplied by log₂e beforehand, and tokens are fetched two steps ahead, because the order of
columns defeats the hardware. What is written lies in one scratch array at constant distances,
so that the compiler sees that nothing overlaps and vectorises.

Inner loops handle a few states at once: with fewer, Δ and y are loaded too often; with twelve
or more the compiler stops unrolling, and with that stops vectorising, which costs a factor of
ten. Change nothing here without `benchmarks/scan.py` beside it.
"""

# numba infers the types of what it compiles; annotations of Python's types would not be true.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202

import numba
import numpy as np

from .lanes import from_bits, fused, magnitude_bits, plus_any_order, prefetch, raised

CHANNELS = 64
STATES = 24
CHUNK = 16
FIELD = STATES * CHANNELS
NUMBERS = CHANNELS + 2 * STATES

_GROUP = 6
_AHEAD = 2
_LINE = 16
_ZERO, _ONE, _TWO = (np.float32(k) for k in range(3))

# Where things lie in the scratch array: one number a channel …
_DELTA, _INPUT, _Y, _X, _DY, _D_DELTA, _D_INPUT, _D_BIAS, _D_SKIP = range(0, 9 * CHANNELS, CHANNELS)
# … and one a state and channel.
_STATE, _RATE, _CARRIED, _D_RATE = range(9 * CHANNELS, 9 * CHANNELS + 4 * FIELD, FIELD)
_SCRATCH = _D_RATE + FIELD
# The history of a chunk: the states before and after each step, then the decays.
_DECAYS = (CHUNK + 1) * FIELD
_HISTORY = _DECAYS + CHUNK * FIELD

_LOG2_E = np.float32(1.4426950408889634)
# What float32 leaves out of log₂e.
_LOG2_E_REST = np.float32(1.4426950408889634 - float(_LOG2_E))
# Adding this to a float32 between ±2²¹ leaves its nearest whole number in the last bits.
_ROUND = np.float32(12582912.0)
# Exponents below would leave the normal float32 numbers.
_LOWEST = np.float32(-126.0)
_LOWEST_NATURAL = np.float32(-87.0)
# 2^x on −½…½ with equal ripple of 9e-8. The constant term is exactly 1: otherwise each step of a
# scan would gain or lose a little.
_P1, _P2, _P3, _P4, _P5 = (
    np.float32(p)
    for p in (0.6931469775, 0.2402224212, 0.05550733922, 0.009671511509, 0.001326466612)
)
# 2 · atanh(w) / w = 2 + 2w²/3 + 2w⁴/5 + …; w is at most ⅓ here, so that eight terms suffice.
_A0, _A1, _A2, _A3, _A4, _A5, _A6, _A7 = (np.float32(2 / (2 * k + 1)) for k in range(8))


def compiled(function):
    """`function` compiled on its first call; kept on disk where a folder for it can be written."""
    # The file on disk is named after the function alone and remembers its module. The package is
    # loaded as `core` by the worker and inside the plugin's package by tests: to each its own.
    function.__qualname__ = f"{function.__module__}.{function.__qualname__}"
    try:
        return numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:
        # numba found no folder that it may write to; this process compiles for itself.
        return numba.njit(nogil=True, error_model="numpy")(function)


@numba.njit(inline="always")
def _raised_power(f, rounded):
    power = fused(fused(fused(fused(_P5, f, _P4), f, _P3), f, _P2), f, _P1)
    return raised(fused(power, f, _ONE), rounded)


@numba.njit(inline="always")
def _exp2_product(a, b):
    """2^(a · b) for −126 ≤ a · b ≤ 0, three instructions shorter; garbage outside."""
    rounded = fused(a, b, _ROUND)
    return _raised_power(fused(a, b, _ROUND - rounded), rounded)


@numba.njit(inline="always")
def _exp2_any_product(a, b):
    """2^(a · b) for a · b ≤ 0; below −126 it gives 2⁻¹²⁶, and NaN stays NaN."""
    x = a * b
    x = _LOWEST if x < _LOWEST else x
    rounded = x + _ROUND
    return _raised_power(x - (rounded - _ROUND), rounded)


@numba.njit(inline="always")
def _exp_minus_size(x):
    """e^−|x|, to the last bit but one for large x too: the product with log₂e is kept in two."""
    x = -abs(x)
    x = _LOWEST_NATURAL if x < _LOWEST_NATURAL else x
    rounded = fused(x, _LOG2_E, _ROUND)
    f = fused(x, _LOG2_E, _ROUND - rounded)
    return _raised_power(fused(x, _LOG2_E_REST, f), rounded)


@numba.njit(inline="always")
def _softplus(x):
    """log(1 + e^x), as max(x, 0) + 2 · atanh(z / (2 + z)) with z = e^−|x|; NaN stays NaN."""
    z = _exp_minus_size(x)
    w = z / (_TWO + z)
    s = w * w
    series = fused(fused(fused(fused(_A7, s, _A6), s, _A5), s, _A4), s, _A3)
    series = fused(fused(fused(series, s, _A2), s, _A1), s, _A0)
    return fused(series, w, _ZERO if x < _ZERO else x)


@numba.njit(inline="always")
def logistic(x):
    """1 / (1 + e^−x), the derivative of softplus; NaN stays NaN."""
    z = _exp_minus_size(x)
    return (z if x < _ZERO else _ONE) / (_ONE + z)


def _stepper(power):
    """One step of the forward walk, with one of the two ways to take a power of two."""

    @numba.njit(inline="always")
    def step(s, b, r):
        for n in range(0, STATES, _GROUP):
            for c in range(CHANNELS):
                # Summed in parts, and the largest term, Du, last: sums round less that way.
                y = _ZERO
                for j in range(_GROUP):
                    i = (n + j) * CHANNELS + c
                    decay = power(s[_DELTA + c], s[_RATE + i])
                    h = fused(decay, s[_STATE + i], s[_INPUT + c] * b[n + j])
                    s[_STATE + i] = h
                    y = fused(r[n + j], h, y)
                s[_Y + c] += y

    return step


def _recorder(power):
    """One step of the forward walk that writes states and decays into the history."""

    @numba.njit(inline="always")
    def step(s, past, b):
        for n in range(0, STATES, _GROUP):
            for c in range(CHANNELS):
                for j in range(_GROUP):
                    i = (n + j) * CHANNELS + c
                    decay = power(s[_DELTA + c], s[_RATE + i])
                    past[_DECAYS + i] = decay
                    past[FIELD + i] = fused(decay, past[i], s[_INPUT + c] * b[n + j])

    return step


_step, _step_any = _stepper(_exp2_product), _stepper(_exp2_any_product)
_record, _record_any = _recorder(_exp2_product), _recorder(_exp2_any_product)


@numba.njit(inline="always")
def _largest(s, start, stop):
    """The largest magnitude in a part of the scratch array; NaN where there is one.

    Integers, because the order of comparisons of floats is fixed, and with that not vectorised.
    """
    largest = np.int32(0)
    for i in range(start, stop):
        largest = max(largest, magnitude_bits(s[i]))
    return from_bits(largest)


@numba.njit(inline="always")
def _load_rates(s, a):
    """Rates times log₂e, one row a state; the largest magnitude is returned."""
    for n in range(STATES):
        for c in range(CHANNELS):
            s[_RATE + n * CHANNELS + c] = a[c, n] * _LOG2_E
    return _largest(s, _RATE, _RATE + FIELD)


@numba.njit(inline="always")
def _load_token(s, u, p, bias):
    """Δ, Δu and u of a token; the largest Δ is returned."""
    for c in range(CHANNELS):
        delta = _softplus(p[c] + bias[c])
        s[_DELTA + c] = delta
        s[_X + c] = u[c]
        s[_INPUT + c] = delta * u[c]
    return _largest(s, _DELTA, _DELTA + CHANNELS)


@numba.njit(inline="always")
def _fetch(flat, place):
    for line in range(NUMBERS // _LINE):
        prefetch(flat, place + line * _LINE)


@compiled
def walk(u, p, a, d, bias, orders, y, kept, keep, start, stop):
    """Fill y of the scans start…stop (mixer · window), and with `keep` the state of each chunk."""
    windows, tokens, directions = u.shape[1], u.shape[2], orders.shape[0]
    flat = p.reshape(-1)
    s = np.empty(_SCRATCH, np.float32)
    for scan in range(start, stop):
        m, w = scan // windows, scan % windows
        y[m, w] = _ZERO
        for k in range(directions):
            rate = _load_rates(s, a[m, k])
            s[_STATE : _STATE + FIELD] = _ZERO
            for t in range(tokens):
                token = orders[k, t]
                if t + _AHEAD < tokens:
                    ahead = scan * tokens + orders[k, t + _AHEAD]
                    _fetch(flat, (ahead * directions + k) * NUMBERS)
                if keep and t % CHUNK == 0:
                    kept[m, w, k, t // CHUNK] = s[_STATE : _STATE + FIELD]
                of_token = p[m, w, token, k]
                delta = _load_token(s, u[m, w, token], of_token, bias[m, k])
                for c in range(CHANNELS):
                    s[_Y + c] = _ZERO
                b, r = of_token[CHANNELS : CHANNELS + STATES], of_token[CHANNELS + STATES :]
                if rate * delta <= -_LOWEST:
                    _step(s, b, r)
                else:
                    _step_any(s, b, r)
                for c in range(CHANNELS):
                    y[m, w, token, c] += fused(d[m, k, c], s[_X + c], s[_Y + c])


@numba.njit(inline="always")
def _pull(s, past, i, c, b, r):
    """One state and channel on the way back; its terms of the gradients of C and B."""
    g = fused(r, s[_DY + c], s[_CARRIED + i])
    carried = g * past[_DECAYS + i]
    s[_CARRIED + i] = carried
    of_exponent = carried * past[i]
    s[_D_DELTA + c] = fused(of_exponent, s[_RATE + i], s[_D_DELTA + c])
    s[_D_RATE + i] = fused(of_exponent, s[_DELTA + c], s[_D_RATE + i])
    s[_D_INPUT + c] = fused(g, b, s[_D_INPUT + c])
    return s[_DY + c] * past[FIELD + i], g * s[_INPUT + c]


@numba.njit(inline="always")
def _pull_all(s, past, b, r, d_b, d_r):
    """One step back for all states; fills the gradients of B and C of this step."""
    for n in range(0, STATES, 4):
        r0 = r1 = r2 = r3 = b0 = b1 = b2 = b3 = _ZERO
        i = n * CHANNELS
        for c in range(CHANNELS):
            to_r, to_b = _pull(s, past, i + c, c, b[n], r[n])
            r0, b0 = plus_any_order(r0, to_r), plus_any_order(b0, to_b)
            to_r, to_b = _pull(s, past, i + CHANNELS + c, c, b[n + 1], r[n + 1])
            r1, b1 = plus_any_order(r1, to_r), plus_any_order(b1, to_b)
            to_r, to_b = _pull(s, past, i + 2 * CHANNELS + c, c, b[n + 2], r[n + 2])
            r2, b2 = plus_any_order(r2, to_r), plus_any_order(b2, to_b)
            to_r, to_b = _pull(s, past, i + 3 * CHANNELS + c, c, b[n + 3], r[n + 3])
            r3, b3 = plus_any_order(r3, to_r), plus_any_order(b3, to_b)
        d_r[n], d_r[n + 1], d_r[n + 2], d_r[n + 3] = r0, r1, r2, r3
        d_b[n], d_b[n + 1], d_b[n + 2], d_b[n + 3] = b0, b1, b2, b3


@compiled
def walk_back(
    dy,
    kept,
    u,
    p,
    a,
    d,
    bias,
    orders,
    d_u,
    d_p,
    d_rate,
    d_skip,
    d_bias,
    start,
    stop,
):
    """Fill the gradients of the scans start…stop; those of parameters apart for each window."""
    windows, tokens, directions = u.shape[1], u.shape[2], orders.shape[0]
    flat = p.reshape(-1)
    s = np.empty(_SCRATCH, np.float32)
    history = np.empty(_HISTORY, np.float32)
    log2_e = np.float32(_LOG2_E)
    for scan in range(start, stop):
        m, w = scan // windows, scan % windows
        d_u[m, w] = _ZERO
        for k in range(directions):
            rate = _load_rates(s, a[m, k])
            s[_CARRIED:] = _ZERO
            s[_D_BIAS : _D_SKIP + CHANNELS] = _ZERO
            for chunk in range(kept.shape[3] - 1, -1, -1):
                first, last = chunk * CHUNK, min((chunk + 1) * CHUNK, tokens)
                history[:FIELD] = kept[m, w, k, chunk]
                for t in range(first, last):
                    token = orders[k, t]
                    if t + _AHEAD < last:
                        ahead = scan * tokens + orders[k, t + _AHEAD]
                        _fetch(flat, (ahead * directions + k) * NUMBERS)
                    of_token = p[m, w, token, k]
                    delta = _load_token(s, u[m, w, token], of_token, bias[m, k])
                    past = history[(t - first) * FIELD :]
                    b = of_token[CHANNELS : CHANNELS + STATES]
                    if rate * delta <= -_LOWEST:
                        _record(s, past, b)
                    else:
                        _record_any(s, past, b)
                for t in range(last - 1, first - 1, -1):
                    token = orders[k, t]
                    of_token, to_token = p[m, w, token, k], d_p[m, w, token, k]
                    _load_token(s, u[m, w, token], of_token, bias[m, k])
                    for c in range(CHANNELS):
                        s[_DY + c] = dy[m, w, token, c]
                        s[_D_DELTA + c] = _ZERO
                        s[_D_INPUT + c] = _ZERO
                    _pull_all(
                        s,
                        history[(t - first) * FIELD :],
                        of_token[CHANNELS : CHANNELS + STATES],
                        of_token[CHANNELS + STATES :],
                        to_token[CHANNELS : CHANNELS + STATES],
                        to_token[CHANNELS + STATES :],
                    )
                    for c in range(CHANNELS):
                        # The rates in `s` carry log₂e, which the exponent's gradient does not.
                        to_delta = s[_D_DELTA + c] / log2_e + s[_D_INPUT + c] * s[_X + c]
                        to_raw = to_delta * logistic(of_token[c] + bias[m, k, c])
                        to_token[c] = to_raw
                        s[_D_BIAS + c] += to_raw
                        s[_D_SKIP + c] += s[_DY + c] * s[_X + c]
                        d_u[m, w, token, c] += fused(
                            s[_D_INPUT + c], s[_DELTA + c], d[m, k, c] * s[_DY + c]
                        )
            d_rate[m, w, k] = s[_D_RATE : _D_RATE + FIELD]
            d_bias[m, w, k] = s[_D_BIAS : _D_BIAS + CHANNELS]
            d_skip[m, w, k] = s[_D_SKIP : _D_SKIP + CHANNELS]
