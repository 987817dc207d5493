"""Functions of numbers as the interpreter calls its own: from objects to numbers and back, in machine code."""

from collections.abc import Mapping
from typing import Any, Final

from llvmlite import ir  # type: ignore[import-untyped]

_NUMBER: Final = ir.IntType(64)
_OBJECT: Final = ir.IntType(8).as_pointer()
_NOBODY: Final = ir.Constant(_OBJECT, None)


def method_code(
    symbol: str, symbols: Mapping[str, str], numbers: Mapping[str, int], optional: Mapping[str, int]
) -> str:
    """Write methods around functions, in the compiler's own language.

    Parameters
    ----------
    symbol
        Name of a method's code, with a place for the function's name.
    symbols
        Names of the functions' code.
    numbers
        For each function how many numbers it is given; the first is the method's object.
    optional
        The functions wanted, and how many of their last numbers may be left out; those are 0 then.
    """
    interpreter = _Interpreter(ir.Module())
    for name, missing in optional.items():
        given = numbers[name]
        function = interpreter.outside(symbols[name], _NUMBER, *[_NUMBER] * given)
        interpreter.write_method(symbol.format(name), name, function, given - 1, missing)
    return str(interpreter.module)


class _Interpreter:
    """What the interpreter offers to machine code, and the methods that call it."""

    def __init__(self, module: Any) -> None:  # noqa: ANN401 - not typed
        self.module = module
        self._number = self.outside("PyLong_AsLongLong", _NUMBER, _OBJECT)
        self._object = self.outside("PyLong_FromLongLong", _OBJECT, _NUMBER)
        self._failed = self.outside("PyErr_Occurred", _OBJECT)
        self._module = self.outside("PyImport_ImportModule", _OBJECT, _OBJECT)
        self._attribute = self.outside("PyObject_GetAttrString", _OBJECT, _OBJECT, _OBJECT)
        self._raise = self.outside("PyErr_SetString", ir.VoidType(), _OBJECT, _OBJECT)

    def outside(self, name: str, result: Any, *given: Any) -> Any:  # noqa: ANN401
        """Declare a function."""
        return ir.Function(self.module, ir.FunctionType(result, given), name)

    def write_method(self, symbol: str, name: str, function: Any, most: int, missing: int) -> None:  # noqa: ANN401
        """Write one; what goes wrong is an exception, and NULL."""
        least = most - missing
        method = self.outside(symbol, _OBJECT, _OBJECT, _OBJECT.as_pointer(), _NUMBER)
        itself, given, count = method.args
        builder = ir.IRBuilder(method.append_basic_block("begin"))
        bad_count, bad_number = (
            method.append_basic_block("bad_count"),
            method.append_basic_block("bad_number"),
        )
        counted = method.append_basic_block("counted")
        above = builder.sub(count, ir.Constant(_NUMBER, least))
        builder.cbranch(builder.icmp_unsigned("<=", above, ir.Constant(_NUMBER, missing)), counted, bad_count)
        builder.position_at_end(counted)
        values = [builder.call(self._number, [itself])]
        values += [
            self._argument(builder, given, count if place >= least else None, place, bad_number)
            for place in range(most)
        ]
        builder.ret(builder.call(self._object, [builder.call(function, values)]))
        builder.position_at_end(bad_count)
        how_many = str(most) if missing == 0 else f"{least} to {most}"
        builtins = builder.call(self._module, [self._words(builder, "builtins")])
        error = builder.call(self._attribute, [builtins, self._words(builder, "TypeError")])
        builder.call(self._raise, [error, self._words(builder, f"{name} takes {how_many} whole numbers")])
        builder.branch(bad_number)
        builder.position_at_end(bad_number)
        builder.ret(_NOBODY)

    def _argument(self, builder: Any, given: Any, count: Any, place: int, bad: Any) -> Any:  # noqa: ANN401
        """Number at a place; 0 where fewer are counted."""
        method, before = builder.function, builder.block
        following = method.append_basic_block(f"after_{place}")
        if count is not None:
            there = method.append_basic_block(f"given_{place}")
            builder.cbranch(builder.icmp_signed(">", count, ir.Constant(_NUMBER, place)), there, following)
            builder.position_at_end(there)
        item = builder.load(builder.gep(given, [ir.Constant(_NUMBER, place)]))
        value = builder.call(self._number, [item])
        asked = method.append_basic_block(f"asked_{place}")
        read = builder.block
        builder.cbranch(builder.icmp_signed("==", value, ir.Constant(_NUMBER, -1)), asked, following)
        builder.position_at_end(asked)
        error = builder.call(self._failed, [])
        builder.cbranch(builder.icmp_unsigned("!=", error, _NOBODY), bad, following)
        builder.position_at_end(following)
        chosen = builder.phi(_NUMBER)
        chosen.add_incoming(value, read)
        chosen.add_incoming(value, asked)
        if count is not None:
            chosen.add_incoming(ir.Constant(_NUMBER, 0), before)
        return chosen

    def _words(self, builder: Any, text: str) -> Any:  # noqa: ANN401
        data = bytearray(text.encode() + b"\0")
        kept = ir.GlobalVariable(
            self.module, ir.ArrayType(ir.IntType(8), len(data)), self.module.get_unique_name("words")
        )
        kept.global_constant, kept.linkage = True, "private"
        kept.initializer = ir.Constant(kept.value_type, data)
        return builder.bitcast(kept, _OBJECT)
