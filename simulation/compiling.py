"""How functions are compiled here, and what the compiler has no words for: memory at an address, and single bits.

Code that keeps its whole state behind one address is called from outside with that address alone.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba import extending, types

# mypy: disable-error-code="untyped-decorator"

_F = TypeVar("_F", bound=Callable[..., object])

_njit: Any = numba.njit
_intrinsic: Any = extending.intrinsic
_unliteral: Any = types.unliteral
_INSIDE: Final = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "error_model": "numpy"}


def _once(made: Any) -> Any:  # noqa: ANN401 - the compiler's own type
    """Let a constant count as any other number: else a function is compiled again for each that it is called with."""
    choose = made.get_call_template

    def plain(args: Any, named: Any) -> Any:  # noqa: ANN401
        return choose(
            [_unliteral(each) for each in args], {name: _unliteral(each) for name, each in named.items()}
        )

    made.get_call_template = plain
    return made


def compiled(function: _F) -> _F:
    """Compile a function for use by compiled functions.

    Nothing in it makes arrays, so that nobody has to count who uses them; counting would take most of the time.
    """
    result: _F = _once(_njit(_nrt=False, forceinline=False, **_INSIDE)(function))
    return result


def written_in(function: _F) -> _F:
    """Compile a function that is written into those that call it, by the machine's compiler: it costs no call."""
    result: _F = _once(_njit(_nrt=False, forceinline=True, **_INSIDE)(function))
    return result


def opening(function: _F) -> _F:
    """Compile a function that makes views of arrays, which have to be counted; it calls those that do the work."""
    result: _F = _once(_njit(**_INSIDE)(function))
    return result


def inlined(function: _F) -> _F:
    """Write a function into those that call it."""
    result: _F = _njit(inline="always", _nrt=False)(function)
    return result


# ---------------------------------------------------------------------- what has no words


def _at(builder: Any, address: Any, kind: Any) -> Any:  # noqa: ANN401 - the compiler's own types
    return builder.inttoptr(address, kind.as_pointer())


def _place(builder: Any, args: Any, kind: Any) -> Any:  # noqa: ANN401
    """Pointer to one of the numbers of eight bytes behind an address."""
    return builder.gep(_at(builder, args[0], kind), [args[1]])


_BYTE: Final = ir.IntType(8)
_HALF: Final = ir.IntType(32)
_WORD: Final = ir.IntType(64)
_REAL: Final = ir.DoubleType()


@_intrinsic
def get(_typing: Any, address: Any, place: Any) -> Any:  # noqa: ANN401
    """One of the 64-bit numbers that lie behind an address."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        return builder.load(_place(builder, args, _WORD))

    return types.int64(types.int64, types.int64), generate


@_intrinsic
def get_fixed(_typing: Any, address: Any, place: Any) -> Any:  # noqa: ANN401
    """One of them that nobody changes as long as compiled code runs: it is read once."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        read = builder.load(_place(builder, args, _WORD))
        read.set_metadata("invariant.load", builder.module.add_metadata([]))
        return read

    return types.int64(types.int64, types.int64), generate


@_intrinsic
def put(_typing: Any, address: Any, place: Any, value: Any) -> Any:  # noqa: ANN401
    """Write one of them."""

    def generate(context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        builder.store(args[2], _place(builder, args, _WORD))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


@_intrinsic
def get_real(_typing: Any, address: Any, place: Any) -> Any:  # noqa: ANN401
    """One of the doubles that lie behind an address."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        return builder.load(_place(builder, args, _REAL))

    return types.float64(types.int64, types.int64), generate


@_intrinsic
def put_real(_typing: Any, address: Any, place: Any, value: Any) -> Any:  # noqa: ANN401
    """Write one of them."""

    def generate(context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        builder.store(args[2], _place(builder, args, _REAL))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.float64), generate


@_intrinsic
def load(_typing: Any, address: Any) -> Any:  # noqa: ANN401
    """64-bit number at an address."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        return builder.load(_at(builder, args[0], _WORD))

    return types.int64(types.int64), generate


@_intrinsic
def store(_typing: Any, address: Any, value: Any) -> Any:  # noqa: ANN401
    """Write a 64-bit number at an address."""

    def generate(context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        builder.store(args[1], _at(builder, args[0], _WORD))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@_intrinsic
def load32(_typing: Any, address: Any) -> Any:  # noqa: ANN401
    """32-bit number at an address, with its sign."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        return builder.sext(builder.load(_at(builder, args[0], _HALF)), _WORD)

    return types.int64(types.int64), generate


@_intrinsic
def store32(_typing: Any, address: Any, value: Any) -> Any:  # noqa: ANN401
    """Write the lower 32 bits of a number at an address."""

    def generate(context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        builder.store(builder.trunc(args[1], _HALF), _at(builder, args[0], _HALF))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@_intrinsic
def lowest_bit(_typing: Any, value: Any) -> Any:  # noqa: ANN401
    """Number of the lowest bit that is set; of 0 it says nothing."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate


@_intrinsic
def highest_bit(_typing: Any, value: Any) -> Any:  # noqa: ANN401
    """Number of the highest bit that is set; of 0 it says nothing."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        zeros = builder.ctlz(args[0], ir.Constant(ir.IntType(1), 1))
        return builder.xor(zeros, ir.Constant(_WORD, 63))

    return types.int64(types.int64), generate


@_intrinsic
def turned(_typing: Any, value: Any, bits: Any) -> Any:  # noqa: ANN401
    """Turn the 64 bits of a number to the left."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        kind = ir.FunctionType(_WORD, [_WORD, _WORD, _WORD])
        turn = builder.module.declare_intrinsic("llvm.fshl", [_WORD], kind)
        return builder.call(turn, [args[0], args[0], args[1]])

    return types.int64(types.int64, types.int64), generate


@_intrinsic
def prefetch(_typing: Any, address: Any) -> Any:  # noqa: ANN401
    """Have a line of memory brought near that will be needed soon; any address will do."""

    def generate(context: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        line = _at(builder, args[0], _BYTE)
        kind = ir.FunctionType(ir.VoidType(), [line.type, _HALF, _HALF, _HALF])
        wish = builder.module.declare_intrinsic("llvm.prefetch", [line.type], kind)
        builder.call(wish, [line, _HALF(1), _HALF(3), _HALF(1)])
        return context.get_dummy_value()

    return types.void(types.int64), generate
