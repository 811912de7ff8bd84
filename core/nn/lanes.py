"""The few machine operations that numba has no words for, as functions for compiled loops.

All of them vectorise. Bit patterns are read and written as numbers of the same width; `fused`
is one instruction where the processor has it and two elsewhere. Compiled loops are kept on disk
until *their* file changes: after a change here, touch `scan_loops.py` too.
"""

# numba infers the types of what it compiles; annotations of Python's types would not be true.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic
def fused(typing, a, b, c):
    """The number a · b + c."""

    def code(context, builder, signature, values):
        single = ir.FloatType()
        kind = ir.FunctionType(single, [single] * 3)
        function = builder.module.declare_intrinsic("llvm.fmuladd", [single], kind)
        return builder.call(function, values)

    return types.float32(types.float32, types.float32, types.float32), code


@intrinsic
def plus_any_order(typing, a, b):
    """The number a + b, as a term of a sum whose order does not matter."""

    def code(context, builder, signature, values):
        return builder.fadd(*values, flags=("reassoc", "contract"))

    return types.float32(types.float32, types.float32), code


@intrinsic
def raised(typing, x, rounded):
    """The number x times two to the whole number in the last bits of `rounded`, in float32."""

    def code(context, builder, signature, values):
        word = ir.IntType(32)
        mantissa, number = (builder.bitcast(value, word) for value in values)
        exponent = builder.shl(number, word(23))
        return builder.bitcast(builder.add(mantissa, exponent), ir.FloatType())

    return types.float32(types.float32, types.float32), code


@intrinsic
def magnitude_bits(typing, x):
    """|x| as an integer of the same order: largest for NaN, then for infinity."""

    def code(context, builder, signature, values):
        word = ir.IntType(32)
        return builder.and_(builder.bitcast(values[0], word), word(0x7FFFFFFF))

    return types.int32(types.float32), code


@intrinsic
def from_bits(typing, bits):
    """The float32 that an integer of 32 bits stands for."""

    def code(context, builder, signature, values):
        return builder.bitcast(values[0], ir.FloatType())

    return types.float32(types.int32), code


@intrinsic
def prefetch(typing, array, index):
    """Ask for the cache line of array.flat[index], which is going to be read."""

    def code(context, builder, signature, values):
        view = context.make_array(signature.args[0])(context, builder, values[0])
        pointer = builder.gep(view.data, [values[1]])
        address = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, word, word, word])
        function = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
        builder.call(function, [address, word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), code
