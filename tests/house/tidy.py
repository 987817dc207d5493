"""The safety style of the house as rules over syntax trees: never about size or taste.

A rule takes one parsed module and yields what is wrong with it, with the line. Exceptions are written here,
each with its reason.
"""

import ast
import gc
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar, cast

ROOT: Final = Path(__file__).resolve().parents[2]
ROOMS: Final = (
    "executor",
    "strategies",
    "impact",
    "risk",
    "simulation",
    "config",
    "sandbox",
    "backtest",
    "docs",
    "tests",
)
PURE: Final = (
    *("executor/domain/", "executor/engine/", "executor/advice/"),
    *("strategies/", "impact/", "risk/", "simulation/"),
)
DAEMON: Final = ("executor/", "strategies/", "impact/", "risk/", "simulation/", "config/", "backtest/")
PORTS: Final = "executor/domain/ports.py"
CLOCK: Final = "executor/runtime/clock.py"

STATISTICS: Final = {
    "risk/circuit.py": "running statistics; they come back through its own to_decimal",
}
CATCHES_ALL: Final = {
    "executor/runtime/live.py": "the outermost task of the daemon: stops, cancels and raises again",
    "executor/sentinel/watcher.py": "a sweep that breaks off is told and begun again: giving up leaves orders open",
    "executor/interfaces/guard.py": "the outermost frame of a request: logged, answered with an id only",
    "executor/app/messengers.py": "whatever a way to people does is a try that failed: trading goes on",
    "executor/adviser/counsel.py": "whatever a model's library does is a failed call: the orders go on",
    "executor/adviser/client.py": "whatever the SDK does is a failed call",
    "executor/adviser/news.py": "whatever a feed does is no news: the orders go on",
    "simulation/compiled_market/called.py": "what stands in an agent's answer may be code of its own: it is refused",
    "simulation/compiled_market/market.py": "whatever an agent's code does is its own failure, as in the engine",
    "simulation/market/engine.py": "whatever an agent's code does is its own failure: it is retired, no more",
    "simulation/market/exchange.py": "what stands in an agent's message may be code of its own: it is refused, no more",
}
PARAMS_WITHOUT_UNIT: Final = {
    "StrategyParams.catch_up_max": "a multiple of the slice's own size",
    "StrategyParams.passiveness": "a share of the slice, 0-1",
    "StrategyParams.participation": "a share of the market's volume, 0-1",
    "StrategyParams.participation_max": "a share of the market's volume, 0-1",
    "StrategyParams.reprices_max": "a number of times",
    "StrategyParams.chase_bps_max": "basis points, and then the bound",
    "StrategyParams.risk_aversion": "1 / quote unit, the lambda of the papers",
    "MarketMakerParams.away": "stretches of the own clock, nanoseconds",
}
UNREFERENCED: Final[dict[str, str]] = {
    "simulation.market.engine.SimulationEngine.performance_metrics": "for people: docs/agent-market.md",
    "simulation.replay.kernel.next_answer": "for strategies that are compiled: benchmarks/replay_quoter_compiled.py",
}

_GRAB_BAGS: Final = frozenset(
    {
        "base",
        "common",
        "core",
        "handler",
        "handlers",
        "helper",
        "helpers",
        "manager",
        "managers",
        "misc",
        "shared",
    }
    | {"stuff", "tools", "util", "utils", "various"}
)
_NAMED_ON_PURPOSE: Final = {"strategies/base.py": "the protocol every strategy follows"}
_MUTABLE_CALLS: Final = frozenset(
    {"list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict"}
)
_IO_CALLS: Final = frozenset(
    {
        "open",
        "read_text",
        "read_bytes",
        "write_text",
        "write_bytes",
        "mkdir",
        "unlink",
        "touch",
        "connect",
        "execute",
    }
    | {
        "Connection",
        "ClientSession",
        "create_task",
        "urlopen",
        "Popen",
        "run_until_complete",
        "socket",
    }
)
_ENVIRONMENTS: Final = frozenset({"live", "mainnet", "testnet", "demo", "paper", "sandbox", "backtest"})
_KNOWS_ENVIRONMENTS: Final = ("executor/app/", "executor/venues/", "config/", "sandbox/", "tests/", "docs/")
_UNITS: Final = ("_s", "_ms", "_ns", "_pct", "_bps", "_ticks", "_qty", "_px", "_notional", "_count", "_ratio")
_NAMES_AND_SIGNS: Final = frozenset({"asset", "other_asset", "side"})
"""Numbers that name a thing or say a direction, and measure nothing."""
_NUMBERS: Final = frozenset({"int", "float", "Decimal", "Quantity", "Price", "Money", "Bps"})
_UNFINISHED: Final = re.compile(r"\b(?:T[O]DO|F[I]XME|X[X]X|H[A]CK)\b")
_WALL_CLOCK: Final = frozenset(
    {"time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime", "time.clock_gettime"}
    | {"time.clock_gettime_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
)
_SPEAKS: Final = frozenset({"open", "print", "input", "eval", "exec", "__import__"})


Node = TypeVar("Node", bound=ast.AST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One parsed file; `path` is relative to the root, with forward slashes."""

    path: str
    text: str
    tree: ast.Module
    kinds: dict[type[ast.AST], list[ast.AST]]
    """Every node of the tree by its class, because a dozen rules ask for them."""

    def all(self, kind: type[Node]) -> list[Node]:
        """Return every node of a class."""
        return cast("list[Node]", self.kinds.get(kind, []))

    @property
    def name(self) -> str:
        """Dotted name under which it is imported."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def within(self, *places: str) -> bool:
        """Whether the file is one of these, or lies in one of these folders."""
        return any(
            self.path == place or (place.endswith("/") and self.path.startswith(place)) for place in places
        )


Finding = tuple[int, str]
Rule = Callable[[Module], Iterator[Finding]]


def parse(path: str, text: str) -> Module:
    """Parse the text of a file."""
    tree = ast.parse(text)
    kinds: dict[type[ast.AST], list[ast.AST]] = {}
    for node in ast.walk(tree):
        kinds.setdefault(type(node), []).append(node)
    return Module(path=path, text=text, tree=tree, kinds=kinds)


def the_house() -> list[Module]:
    """Read every module of the project."""
    files = sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))
    gc.disable()  # millions of nodes, all of which stay: to look for rubbish among them takes longer than to read them
    try:
        return [parse(file.relative_to(ROOT).as_posix(), file.read_text()) for file in files]
    finally:
        gc.enable()


def grab_bag_name(module: Module) -> Iterator[Finding]:
    """A module is named for its idea."""
    if module.path in _NAMED_ON_PURPOSE:
        return
    for part in module.path.removesuffix(".py").split("/"):
        last_word = part.rsplit("_", 1)[-1]
        if part in _GRAB_BAGS or ("_" in part and last_word in _GRAB_BAGS):
            yield 1, f"grab-bag name {part}"


def class_level_mutable(module: Module) -> Iterator[Finding]:
    """State shared by all instances of a class is a hidden global."""
    for cls in module.all(ast.ClassDef):
        for statement in cls.body:
            value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
            mutable = isinstance(
                value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp
            )
            if mutable or (isinstance(value, ast.Call) and _last(value.func) in _MUTABLE_CALLS):
                yield statement.lineno, f"mutable state on class {cls.name}"


def io_in_init(module: Module) -> Iterator[Finding]:
    """Constructing an object touches nothing outside it."""
    for function in module.all(ast.FunctionDef):
        if function.name == "__init__":
            for call in _all(function, ast.Call):
                if _last(call.func) in _IO_CALLS:
                    yield call.lineno, f"{_dotted(call.func)}() in __init__"


def approval_outside_gate(module: Module) -> Iterator[Finding]:
    """Only the gate approves."""
    if module.within("risk/gate.py", "tests/"):
        return
    for call in module.all(ast.Call):
        function = call.func.value if isinstance(call.func, ast.Subscript) else call.func
        if _last(function) == "Approved":
            yield call.lineno, "Approved made outside risk/gate.py"


def queue_without_bound(module: Module) -> Iterator[Finding]:
    """An unbounded queue hides a stall until the memory ends."""
    for call in module.all(ast.Call):
        name = _last(call.func)
        if name not in {"Queue", "LifoQueue", "PriorityQueue", "SimpleQueue"}:
            continue
        sizes = [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "maxsize")]
        unbounded = not sizes or (isinstance(sizes[0], ast.Constant) and not sizes[0].value)
        if unbounded or name == "SimpleQueue":
            yield call.lineno, f"{name} without maxsize"


def environment_check(module: Module) -> Iterator[Finding]:
    """Live, paper and sandbox differ in the parts that are put together, never in an `if`."""
    if module.within(*_KNOWS_ENVIRONMENTS):
        return
    compared = [side for node in module.all(ast.Compare) for side in (node.left, *node.comparators)]
    compared += [node.value for node in module.all(ast.MatchValue)]
    for side in compared:
        if any(_is_environment(part) for part in ast.walk(side)):
            yield side.lineno, "asks which environment it runs in"


def number_without_unit(module: Module) -> Iterator[Finding]:
    """A strategy parameter that is a number says its unit."""
    for cls in module.all(ast.ClassDef):
        if not cls.name.endswith("Params"):
            continue
        for field in cls.body:
            if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
                continue
            words = {_last(part) for part in ast.walk(field.annotation)}
            if field.target.id in _NAMES_AND_SIGNS:
                continue
            name = f"{cls.name}.{field.target.id}"
            if words & _NUMBERS and not name.endswith(_UNITS) and name not in PARAMS_WITHOUT_UNIT:
                yield field.lineno, f"{name} has no unit in its name"


def unfinished(module: Module) -> Iterator[Finding]:
    """What is not done is an issue, not a comment."""
    for number, line in enumerate(module.text.splitlines(), start=1):
        if _UNFINISHED.search(line):
            yield number, line.strip()


def sleeping_test(module: Module) -> Iterator[Finding]:
    """A test waits for what it needs, never for a length of time."""
    if not module.within("tests/"):
        return
    for call in module.all(ast.Call):
        name = _dotted(call.func)
        if name == "time.sleep":
            yield call.lineno, "time.sleep in a test"
        elif _last(call.func) == "sleep" and call.args:
            length = call.args[0]
            if isinstance(length, ast.Constant) and length.value != 0:
                yield call.lineno, f"{name}({length.value!r}) in a test"


def wait_that_swallows(module: Module) -> Iterator[Finding]:
    """Python 3.11's `asyncio.wait_for` loses a cancel that comes with its result; `asyncio.timeout` does not."""
    if module.within("tests/"):
        return
    for call in module.all(ast.Call):
        if _dotted(call.func) == "asyncio.wait_for":
            yield call.lineno, "asyncio.wait_for: use asyncio.timeout"


def asynchronous_core(module: Module) -> Iterator[Finding]:
    """The core is synchronous; only the ports' signatures speak of waiting."""
    if not module.within(*PURE) or module.path == PORTS:
        return
    for kind in (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await):
        for node in module.all(kind):
            yield node.lineno, "async in the core"
    if any(part.is_async for part in module.all(ast.comprehension)):
        yield 1, "async in the core"


def speaking_core(module: Module) -> Iterator[Finding]:
    """The core reads and prints nothing; the built-ins escape the import contracts."""
    if module.within(*PURE):
        for call in module.all(ast.Call):
            if isinstance(call.func, ast.Name) and call.func.id in _SPEAKS:
                yield call.lineno, f"{call.func.id}() in the core"


def float_on_order_path(module: Module) -> Iterator[Finding]:
    """Prices and quantities are exact."""
    if not module.within("executor/domain/", "executor/engine/", "risk/") or module.path in STATISTICS:
        return
    for call in module.all(ast.Call):
        if isinstance(call.func, ast.Name) and call.func.id == "float":
            yield call.lineno, "float() on the order path"


def broad_except(module: Module) -> Iterator[Finding]:
    """An unknown error is not ours to swallow."""
    if module.path in CATCHES_ALL:
        return
    for handler in module.all(ast.ExceptHandler):
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        if any(kind is None or _last(kind) in {"Exception", "BaseException"} for kind in kinds):
            yield handler.lineno, "catches everything"


def wall_clock(module: Module) -> Iterator[Finding]:
    """The daemon's clock is read in one place, so that it can be replaced in one place."""
    if not module.within(*DAEMON) or module.path == CLOCK:
        return
    for attribute in module.all(ast.Attribute):
        name = _dotted(attribute)
        if ".".join(name.split(".")[-2:]) in _WALL_CLOCK:
            yield attribute.lineno, f"{name} outside {CLOCK}"
    for imported in module.all(ast.ImportFrom):
        for alias in imported.names:
            if imported.module == "time" and f"time.{alias.name}" in _WALL_CLOCK:
                yield imported.lineno, f"time.{alias.name} outside {CLOCK}"


def unseeded_randomness(module: Module) -> Iterator[Finding]:
    """Pure rooms know of `random` its `Random` alone, and call it with a seed."""
    if not module.within(*PURE):
        return
    for imported in module.all(ast.ImportFrom):
        for alias in imported.names:
            if imported.module == "random" and (alias.name, alias.asname) != ("Random", None):
                yield imported.lineno, f"random.{alias.name} is not a seeded generator"
    for statement in module.all(ast.Import):
        if any(alias.name == "random" for alias in statement.names):
            yield statement.lineno, "write `from random import Random`"
    for call in module.all(ast.Call):
        if _last(call.func) == "Random" and (len(call.args) != 1 or call.keywords):
            yield call.lineno, "Random() without a seed"


def unused_public_names(modules: list[Module]) -> Iterator[str]:
    """Public names of the pure rooms that nothing but tests refers to: nothing unused stays callable."""
    used = Counter(name for module in modules if not module.within("tests/") for name in _references(module))
    for module in modules:
        if module.within(*PURE):
            for name in _public_names(module.tree):
                if not used[name.rsplit(".", 1)[-1]] and f"{module.name}.{name}" not in UNREFERENCED:
                    yield f"{module.name}.{name}"


RULES: Final[tuple[Rule, ...]] = (
    grab_bag_name,
    class_level_mutable,
    io_in_init,
    approval_outside_gate,
    queue_without_bound,
    environment_check,
    number_without_unit,
    unfinished,
    sleeping_test,
    wait_that_swallows,
    asynchronous_core,
    speaking_core,
    float_on_order_path,
    broad_except,
    wall_clock,
    unseeded_randomness,
)


def _all(root: ast.AST, kind: type[Node]) -> Iterator[Node]:
    return (node for node in ast.walk(root) if isinstance(node, kind))


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}".lstrip(".")
    return node.id if isinstance(node, ast.Name) else ""


def _last(node: ast.AST) -> str:
    return _dotted(node).rsplit(".", 1)[-1]


def _is_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and node.value.lower() in _ENVIRONMENTS
    return isinstance(node, ast.Attribute) and node.attr.isupper() and node.attr.lower() in _ENVIRONMENTS


def _references(module: Module) -> Iterator[str]:
    yield from (node.id for node in module.all(ast.Name) if isinstance(node.ctx, ast.Load))
    yield from (node.attr for node in module.all(ast.Attribute))
    yield from (node.name.rsplit(".", 1)[-1] for node in module.all(ast.alias))


def _public_names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
                    yield f"{node.name}.{member.name}"
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and not target.id.startswith("_"):
                yield target.id
