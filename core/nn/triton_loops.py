"""The loops of the selective scan for a card, as Triton compiles them; `scan_triton.py` calls them.

One program a scan (mixer · window): one launch for everything, all directions in turn, sums in a
fixed order. The state stays in registers as three tiles (channel, 8 states), since tiles must be
powers of two and 32 states would waste a quarter; the tiles are summed before lanes exchange
anything. States vary fastest, so that a channel stays within a warp.

Backward walks chunks of tokens back. The states within a chunk are made once more and wait in a
scratch array of the program, 98 kB, which the card's cache is to hold.

Not yet run on a card: the numbers were checked in Triton's interpreter alone.
"""

# Triton infers the types of what it compiles; annotations of Python's types would not be true.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202

import triton
import triton.language as tl

_LOG2_E = tl.constexpr(1.4426950408889634)
_TILE = tl.constexpr(8)


@triton.jit
def _exp_minus_size(x):
    """e^−|x|; the comparison keeps NaN."""
    return tl.exp2(tl.where(x < 0, x, -x) * _LOG2_E)


@triton.jit
def _softplus(x):
    """log(1 + e^x) as max(x, 0) + 2 · atanh(z / (2 + z)), z = e^−|x|: exact for small answers."""
    z = _exp_minus_size(x)
    w = z / (2.0 + z)
    s = w * w
    series = 2.0 / 15 * s + 2.0 / 13
    series = series * s + 2.0 / 11
    series = series * s + 2.0 / 9
    series = series * s + 2.0 / 7
    series = series * s + 2.0 / 5
    series = series * s + 2.0 / 3
    series = series * s + 2.0
    return tl.where(x < 0, 0.0, x) + series * w


@triton.jit
def _logistic(x):
    """1 / (1 + e^−x)."""
    z = _exp_minus_size(x)
    return tl.where(x < 0, z, 1.0) / (1.0 + z)


@triton.jit
def _step(h, delta, entry, rates, b):
    """The state (channel, 8) after a step; `entry` is Δu, `rates` carry log₂e."""
    return tl.exp2(delta[:, None] * rates) * h + entry[:, None] * b[None, :]


@triton.jit
def _pull(h, carried, to_rate, delta, entry, dy, rates, b, r):
    """One step back for 8 states: what is carried on, and the terms of all gradients."""
    decay = tl.exp2(delta[:, None] * rates)
    after = decay * h + entry[:, None] * b[None, :]
    g = r[None, :] * dy[:, None] + carried
    carried = g * decay
    of_exponent = carried * h
    to_rate += of_exponent * delta[:, None]
    to_delta = of_exponent * (rates / _LOG2_E)
    to_r = tl.sum(dy[:, None] * after, axis=0)
    to_b = tl.sum(g * entry[:, None], axis=0)
    return carried, to_rate, to_delta, g * b[None, :], to_b, to_r


@triton.jit
def walk(
    u, p, a, d, bias, orders, y, kept, windows, tokens, chunks,
    KEEP: tl.constexpr, CHUNK: tl.constexpr, DIRECTIONS: tl.constexpr,
    CHANNELS: tl.constexpr, STATES: tl.constexpr,
):  # fmt: skip
    """Fill y of one scan, and with KEEP the state before each chunk (…, channel, state)."""
    scan = tl.program_id(0).to(tl.int64)
    mixer = scan // windows
    channel, state = tl.arange(0, CHANNELS), tl.arange(0, _TILE)
    field = channel[:, None] * STATES + state[None, :]
    numbers = CHANNELS + 2 * STATES
    for k in range(DIRECTIONS):
        # The direction before has written y; other threads of this program go on from there.
        tl.debug_barrier()
        of_direction = mixer * DIRECTIONS + k
        rates = a + of_direction * CHANNELS * STATES + field
        rates0 = tl.load(rates) * _LOG2_E
        rates1 = tl.load(rates + _TILE) * _LOG2_E
        rates2 = tl.load(rates + 2 * _TILE) * _LOG2_E
        skip = tl.load(d + of_direction * CHANNELS + channel)
        offset = tl.load(bias + of_direction * CHANNELS + channel)
        h0 = tl.zeros((CHANNELS, _TILE), tl.float32)
        h1 = tl.zeros((CHANNELS, _TILE), tl.float32)
        h2 = tl.zeros((CHANNELS, _TILE), tl.float32)
        for t in range(tokens):
            # Two conditions: the first is decided by the compiler.
            if KEEP:  # noqa: SIM102
                if t % CHUNK == 0:
                    place = (scan * DIRECTIONS + k) * chunks + t // CHUNK
                    to = kept + place * CHANNELS * STATES + field
                    tl.store(to, h0)
                    tl.store(to + _TILE, h1)
                    tl.store(to + 2 * _TILE, h2)
            at = scan * tokens + tl.load(orders + k * tokens + t)
            x = tl.load(u + at * CHANNELS + channel)
            numbers_at = p + (at * DIRECTIONS + k) * numbers
            delta = _softplus(tl.load(numbers_at + channel) + offset)
            entry = delta * x
            b = numbers_at + CHANNELS + state
            r = b + STATES
            h0 = _step(h0, delta, entry, rates0, tl.load(b))
            h1 = _step(h1, delta, entry, rates1, tl.load(b + _TILE))
            h2 = _step(h2, delta, entry, rates2, tl.load(b + 2 * _TILE))
            read = tl.load(r)[None, :] * h0
            read += tl.load(r + _TILE)[None, :] * h1
            read += tl.load(r + 2 * _TILE)[None, :] * h2
            answer = tl.sum(read, axis=1) + skip * x
            to = y + at * CHANNELS + channel
            if k > 0:
                answer += tl.load(to)
            tl.store(to, answer)


@triton.jit
def walk_back(
    dy, kept, u, p, a, d, bias, orders, history, d_u, d_p, d_rate, d_skip, d_bias,
    windows, tokens, chunks,
    CHUNK: tl.constexpr, DIRECTIONS: tl.constexpr, CHANNELS: tl.constexpr, STATES: tl.constexpr,
):  # fmt: skip
    """Fill the gradients of one scan; those of parameters apart for each window."""
    scan = tl.program_id(0).to(tl.int64)
    mixer = scan // windows
    channel, state = tl.arange(0, CHANNELS), tl.arange(0, _TILE)
    field = channel[:, None] * STATES + state[None, :]
    numbers = CHANNELS + 2 * STATES
    size = CHANNELS * STATES
    past = history + scan * CHUNK * size + field
    for k in range(DIRECTIONS):
        of_direction = mixer * DIRECTIONS + k
        rates = a + of_direction * size + field
        rates0 = tl.load(rates) * _LOG2_E
        rates1 = tl.load(rates + _TILE) * _LOG2_E
        rates2 = tl.load(rates + 2 * _TILE) * _LOG2_E
        skip = tl.load(d + of_direction * CHANNELS + channel)
        offset = tl.load(bias + of_direction * CHANNELS + channel)
        carried0 = tl.zeros((CHANNELS, _TILE), tl.float32)
        carried1 = tl.zeros((CHANNELS, _TILE), tl.float32)
        carried2 = tl.zeros((CHANNELS, _TILE), tl.float32)
        to_rate0 = tl.zeros((CHANNELS, _TILE), tl.float32)
        to_rate1 = tl.zeros((CHANNELS, _TILE), tl.float32)
        to_rate2 = tl.zeros((CHANNELS, _TILE), tl.float32)
        to_skip = tl.zeros((CHANNELS,), tl.float32)
        to_bias = tl.zeros((CHANNELS,), tl.float32)
        for i in range(chunks):
            chunk = chunks - 1 - i
            first = chunk * CHUNK
            count = tl.minimum(CHUNK, tokens - first)
            begin = kept + ((scan * DIRECTIONS + k) * chunks + chunk) * size + field
            h0 = tl.load(begin)
            h1 = tl.load(begin + _TILE)
            h2 = tl.load(begin + 2 * _TILE)
            # The scratch array was read a moment ago, and d_u may be from another direction.
            tl.debug_barrier()
            for t in range(count):
                tl.store(past + t * size, h0)
                tl.store(past + t * size + _TILE, h1)
                tl.store(past + t * size + 2 * _TILE, h2)
                at = scan * tokens + tl.load(orders + k * tokens + first + t)
                numbers_at = p + (at * DIRECTIONS + k) * numbers
                delta = _softplus(tl.load(numbers_at + channel) + offset)
                entry = delta * tl.load(u + at * CHANNELS + channel)
                b = numbers_at + CHANNELS + state
                h0 = _step(h0, delta, entry, rates0, tl.load(b))
                h1 = _step(h1, delta, entry, rates1, tl.load(b + _TILE))
                h2 = _step(h2, delta, entry, rates2, tl.load(b + 2 * _TILE))
            tl.debug_barrier()
            for j in range(count):
                t = count - 1 - j
                at = scan * tokens + tl.load(orders + k * tokens + first + t)
                x = tl.load(u + at * CHANNELS + channel)
                grad = tl.load(dy + at * CHANNELS + channel)
                numbers_at = p + (at * DIRECTIONS + k) * numbers
                raw = tl.load(numbers_at + channel) + offset
                delta = _softplus(raw)
                entry = delta * x
                b = numbers_at + CHANNELS + state
                r = b + STATES
                to_numbers = d_p + (at * DIRECTIONS + k) * numbers
                to_b = to_numbers + CHANNELS + state
                to_r = to_b + STATES
                carried0, to_rate0, to_delta, to_entry, of_b, of_r = _pull(
                    tl.load(past + t * size), carried0, to_rate0, delta, entry, grad, rates0,
                    tl.load(b), tl.load(r),
                )  # fmt: skip
                tl.store(to_b, of_b)
                tl.store(to_r, of_r)
                carried1, to_rate1, more_delta, more_entry, of_b, of_r = _pull(
                    tl.load(past + t * size + _TILE), carried1, to_rate1, delta, entry, grad,
                    rates1, tl.load(b + _TILE), tl.load(r + _TILE),
                )  # fmt: skip
                tl.store(to_b + _TILE, of_b)
                tl.store(to_r + _TILE, of_r)
                to_delta += more_delta
                to_entry += more_entry
                carried2, to_rate2, more_delta, more_entry, of_b, of_r = _pull(
                    tl.load(past + t * size + 2 * _TILE), carried2, to_rate2, delta, entry, grad,
                    rates2, tl.load(b + 2 * _TILE), tl.load(r + 2 * _TILE),
                )  # fmt: skip
                tl.store(to_b + 2 * _TILE, of_b)
                tl.store(to_r + 2 * _TILE, of_r)
                entry_grad = tl.sum(to_entry + more_entry, axis=1)
                delta_grad = tl.sum(to_delta + more_delta, axis=1) + entry_grad * x
                raw_grad = delta_grad * _logistic(raw)
                tl.store(to_numbers + channel, raw_grad)
                to_bias += raw_grad
                to_skip += grad * x
                answer = entry_grad * delta + skip * grad
                to = d_u + at * CHANNELS + channel
                if k > 0:
                    answer += tl.load(to)
                tl.store(to, answer)
        place = scan * DIRECTIONS + k
        tl.store(d_rate + place * size + field, to_rate0)
        tl.store(d_rate + place * size + field + _TILE, to_rate1)
        tl.store(d_rate + place * size + field + 2 * _TILE, to_rate2)
        tl.store(d_skip + place * CHANNELS + channel, to_skip)
        tl.store(d_bias + place * CHANNELS + channel, to_bias)
