"""The house is tidy, and each rule of tidiness sees the fault it is there for."""

from functools import cache

import pytest

from tests.house import tidy
from tests.house.tidy import Module, Rule, parse

house = cache(tidy.the_house)
PURE = "executor/engine/sample.py"
SHELL = "executor/runtime/sample.py"
UNDONE = "".join(("TO", "DO"))  # in two pieces, because the rule reads this file too
INIT = "class A:\n    def __init__(self, file):\n        self.file = file\n"

BAD: list[tuple[Rule, str, str]] = [
    (tidy.grab_bag_name, "executor/engine/utils.py", ""),
    (tidy.grab_bag_name, "executor/helpers/parsing.py", ""),
    (tidy.grab_bag_name, "executor/runtime/order_manager.py", ""),
    (tidy.grab_bag_name, "executor/venues/base.py", ""),
    (tidy.class_level_mutable, SHELL, "class A:\n    seen = []\n"),
    (tidy.class_level_mutable, SHELL, "class A:\n    seen: dict[str, int] = {}\n"),
    (tidy.class_level_mutable, SHELL, "class A:\n    seen = collections.defaultdict(list)\n"),
    (tidy.io_in_init, SHELL, "class A:\n    def __init__(self, path):\n        self.file = open(path)\n"),
    (
        tidy.io_in_init,
        SHELL,
        "class A:\n    def __init__(self, path):\n        self.text = path.read_text()\n",
    ),
    (tidy.io_in_init, SHELL, "class A:\n    def __init__(self):\n        self.db = apsw.Connection('x')\n"),
    (
        tidy.io_in_init,
        SHELL,
        "class A:\n    def __init__(self):\n        self.web = aiohttp.ClientSession()\n",
    ),
    (tidy.approval_outside_gate, PURE, "x = Approved(order=1, ticket=1, halt_epoch=0)"),
    (tidy.approval_outside_gate, SHELL, "x = approval.Approved[int](order=1, ticket=1, halt_epoch=0)"),
    (tidy.queue_without_bound, SHELL, "q = asyncio.Queue()"),
    (tidy.queue_without_bound, SHELL, "q = Queue(0)"),
    (tidy.queue_without_bound, SHELL, "q = asyncio.PriorityQueue(maxsize=0)"),
    (tidy.queue_without_bound, SHELL, "q = queue.SimpleQueue()"),
    (tidy.environment_check, SHELL, "if mode == 'live':\n    pass"),
    (tidy.environment_check, SHELL, "if 'paper' != settings.venue:\n    pass"),
    (tidy.environment_check, SHELL, "if mode in {'demo', 'testnet'}:\n    pass"),
    (tidy.environment_check, SHELL, "if mode is Mode.LIVE:\n    pass"),
    (tidy.environment_check, SHELL, "match mode:\n    case 'sandbox':\n        pass"),
    (tidy.number_without_unit, "strategies/pov.py", "class PovParams:\n    rate: Decimal = Decimal(1)\n"),
    (tidy.number_without_unit, "strategies/pov.py", "class PovParams:\n    cap: Quantity | None = None\n"),
    (tidy.unfinished, SHELL, "x = 1  # " + UNDONE),
    (tidy.unfinished, "tests/test_x.py", "# " + UNDONE),
    (tidy.sleeping_test, "tests/test_x.py", "time.sleep(0)"),
    (tidy.sleeping_test, "tests/test_x.py", "async def test():\n    await asyncio.sleep(0.1)"),
    (tidy.wait_that_swallows, SHELL, "async def f():\n    await asyncio.wait_for(event.wait(), 1)"),
    (tidy.asynchronous_core, PURE, "async def f():\n    pass"),
    (tidy.asynchronous_core, "strategies/twap.py", "async def f(xs):\n    return [x async for x in xs]"),
    (tidy.speaking_core, PURE, "print('x')"),
    (tidy.speaking_core, "risk/gate.py", "open('x')"),
    (tidy.float_on_order_path, PURE, "x = float(price)"),
    (tidy.float_on_order_path, "risk/gate.py", "x = float(price)"),
    (tidy.float_on_order_path, "executor/domain/units.py", "x = float(price)"),
    (tidy.broad_except, SHELL, "try:\n    f()\nexcept:\n    pass"),
    (tidy.broad_except, SHELL, "try:\n    f()\nexcept Exception as error:\n    raise"),
    (tidy.broad_except, SHELL, "try:\n    f()\nexcept (ValueError, BaseException):\n    pass"),
    (tidy.wall_clock, SHELL, "now = time.time_ns()"),
    (tidy.wall_clock, SHELL, "from time import time"),
    (tidy.wall_clock, PURE, "now = datetime.datetime.now(tz=UTC)"),
    (tidy.wall_clock, "config/load.py", "make = datetime.now"),
    (tidy.unseeded_randomness, "strategies/schedule.py", "import random"),
    (tidy.unseeded_randomness, "strategies/schedule.py", "from random import uniform"),
    (tidy.unseeded_randomness, "strategies/schedule.py", "from random import Random as SystemRandom"),
    (
        tidy.unseeded_randomness,
        "strategies/schedule.py",
        "from random import Random\nx = Random()",
    ),
]

GOOD: list[tuple[Rule, str, str]] = [
    (tidy.grab_bag_name, "strategies/base.py", ""),
    (tidy.grab_bag_name, "executor/engine/based_on.py", ""),
    (
        tidy.class_level_mutable,
        SHELL,
        "class A:\n    names = ('a',)\n    seen: list[int] = field(default_factory=list)",
    ),
    (
        tidy.io_in_init,
        SHELL,
        INIT + "    def go(self):\n        open('x')\n",
    ),
    (tidy.approval_outside_gate, "risk/gate.py", "x = Approved(order=1, ticket=1, halt_epoch=0)"),
    (tidy.approval_outside_gate, SHELL, "def send(order: Approved[NewOrder]) -> None: ..."),
    (
        tidy.queue_without_bound,
        SHELL,
        "q = asyncio.Queue(maxsize=inbox_max)\nr: asyncio.Queue[int] = Queue(100)",
    ),
    (tidy.environment_check, "executor/app/premises.py", "if mode == 'live':\n    pass"),
    (tidy.environment_check, "executor/venues/bybit/hosts.py", "if mode is Mode.LIVE:\n    pass"),
    (tidy.environment_check, SHELL, "if stream.live and name == 'BTCUSDT':\n    pass"),
    (
        tidy.number_without_unit,
        "strategies/pov.py",
        "class PovParams:\n    wait_s: int = 1\n    even: bool = True\n",
    ),
    (tidy.sleeping_test, "tests/test_x.py", "async def test():\n    await asyncio.sleep(0)"),
    (tidy.sleeping_test, SHELL, "async def f():\n    await asyncio.sleep(1)"),
    (
        tidy.wait_that_swallows,
        SHELL,
        "async def f():\n    async with asyncio.timeout(1):\n        await event.wait()",
    ),
    (tidy.asynchronous_core, "executor/domain/ports.py", "async def f(): ..."),
    (tidy.asynchronous_core, SHELL, "async def f(): ..."),
    (tidy.speaking_core, "executor/interfaces/cli.py", "print('x')"),
    (tidy.float_on_order_path, "risk/circuit.py", "x = float(mid)"),
    (tidy.float_on_order_path, SHELL, "x = float(value)"),
    (tidy.broad_except, SHELL, "try:\n    f()\nexcept (ValueError, OSError):\n    pass"),
    (tidy.wall_clock, "executor/runtime/clock.py", "now = time.time_ns()"),
    (
        tidy.wall_clock,
        SHELL,
        "import time\nstarted = time.monotonic()\nstamp = datetime.fromtimestamp(0, UTC)",
    ),
    (
        tidy.unseeded_randomness,
        "strategies/schedule.py",
        "from random import Random\nx = Random('7').uniform(0, 1)",
    ),
]


def found(rule: Rule, module: Module) -> list[str]:
    return [f"{module.path}:{line}: {text}" for line, text in rule(module)]


def name_of(value: object) -> str:
    return getattr(value, "__name__", "")


def test_the_house_is_tidy() -> None:
    findings = [
        f"{name_of(rule)}: {line}"
        for module in house()
        for rule in tidy.RULES
        for line in found(rule, module)
    ]
    assert not findings, "\n".join(findings)


@pytest.mark.parametrize(("rule", "path", "text"), BAD, ids=name_of)
def test_rule_sees_the_fault(rule: Rule, path: str, text: str) -> None:
    assert found(rule, parse(path, text))


@pytest.mark.parametrize(("rule", "path", "text"), GOOD, ids=name_of)
def test_rule_leaves_sound_code_alone(rule: Rule, path: str, text: str) -> None:
    assert not found(rule, parse(path, text))


def test_every_rule_has_a_bad_sample() -> None:
    assert {rule for rule, _, _ in BAD} == set(tidy.RULES)


def test_every_public_name_of_the_pure_rooms_is_used() -> None:
    unused = list(tidy.unused_public_names(house()))
    assert not unused, "\n".join(unused)


def test_a_name_that_only_tests_use_counts_as_unused() -> None:
    room = parse(
        "impact/sample.py", "RATE = 2\ndef cost():\n    return RATE\nclass Fit:\n    def slope(self): ...\n"
    )
    test = parse("tests/impact/test_sample.py", "from impact.sample import cost, Fit\ncost()\nFit().slope()")
    user = parse("executor/engine/sample.py", "from impact.sample import cost, Fit\ncost()\nFit().slope()")
    assert set(tidy.unused_public_names([room, test])) == {
        "impact.sample.cost",
        "impact.sample.Fit",
        "impact.sample.Fit.slope",
    }
    assert not list(tidy.unused_public_names([room, user]))


@pytest.mark.parametrize(
    ("rule", "exceptions"),
    [
        (tidy.float_on_order_path, tidy.STATISTICS),
        (tidy.broad_except, tidy.CATCHES_ALL),
        (tidy.number_without_unit, tidy.PARAMS_WITHOUT_UNIT),
    ],
    ids=name_of,
)
def test_every_written_exception_is_still_needed(
    rule: Rule, exceptions: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that no longer covers anything would cover the next fault."""
    for name, reason in list(exceptions.items()):
        with monkeypatch.context() as patch:
            patch.delitem(exceptions, name)
            assert [line for module in house() for line in found(rule, module) if name in line], name
        assert reason


def test_every_name_excused_from_use_is_still_unused(monkeypatch: pytest.MonkeyPatch) -> None:
    excused = dict(tidy.UNREFERENCED)
    for name in excused:
        monkeypatch.delitem(tidy.UNREFERENCED, name)
    assert set(excused) <= set(tidy.unused_public_names(house()))
