"""How long it takes to make an order ready to leave: built and signed for HTTP, built and framed for the socket.

The check of the bytes, which every order passes as well, is timed apart. Each figure is the median of
several rounds, each round the mean of many calls, in processor time. Run it with
`python -m benchmarks.order_entry [--rounds N] [--json]`.
"""

import argparse
import gc
import json
import statistics
import sys
from collections.abc import Callable
from decimal import Decimal
from time import thread_time_ns

from executor.domain.approval import Approved
from executor.domain.orders import Category, NewOrder, Side, TimeInForce
from executor.domain.units import Price, Quantity, install_decimal_context
from executor.venues.bybit.order_bytes import Act, Framer, create_body
from executor.venues.bybit.signer import Signer
from risk.wire import check_create_bytes

CALLS = 20_000
ORDERS = 256
START_MS = 1_700_000_000_000
NS_PER_US = 1_000
HTTP_BUDGET_US = 3.0
SOCKET_BUDGET_US = 1.0


def make_orders() -> list[NewOrder]:
    """Orders of one parent as they follow each other: other numbers and ids, the same instrument."""
    return [
        NewOrder(
            client_order_id=f"a1k2m3-1-{number}",
            parent_id="P1",
            category=Category.LINEAR,
            symbol="BTCUSDT",
            side=Side.BUY,
            qty=Quantity(Decimal("0.001") * (number + 1)),
            px=Price(Decimal("50000.0") + Decimal("0.1") * number),
            time_in_force=TimeInForce.POST_ONLY,
            reduce_only=False,
            position_idx=0,
        )
        for number in range(ORDERS)
    ]


def call_us(act: Callable[[int], object]) -> float:
    """Mean processor time of one call, microseconds; what else the machine does in between is not counted."""
    began_ns = thread_time_ns()
    for number in range(CALLS):
        act(number)
    return (thread_time_ns() - began_ns) / CALLS / NS_PER_US


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Time every way of making an order ready, less what the loop that calls them takes by itself."""
    orders = make_orders()
    approvals = [
        Approved(order=order, ticket=ticket, halt_epoch=0) for ticket, order in enumerate(orders, start=1)
    ]
    bodies = [create_body(order) for order in orders]
    signer = Signer("k" * 18, "s" * 36, 5_000)
    framer = Framer("18a3bd7c5f1e0a00", 5_000)
    act = Act.CREATE

    def http(number: int) -> object:
        body = create_body(orders[number % ORDERS])
        return body, signer.headers(START_MS + number, body)

    def socket(number: int) -> object:
        return framer.frame(act, number, START_MS + number, create_body(orders[number % ORDERS]))

    def check(number: int) -> object:
        check_create_bytes(bodies[number % ORDERS], approvals[number % ORDERS])
        return None

    def nothing(number: int) -> object:
        return orders[number % ORDERS]

    acts = {
        "http_us": http,
        "socket_us": socket,
        "check_us": check,
        "body_us": lambda number: create_body(orders[number % ORDERS]),
        "sign_us": lambda number: signer.sign(bodies[number % ORDERS]),
    }
    for warm in acts.values():
        call_us(warm)
    loop_us = min(call_us(nothing) for _ in range(rounds))
    spans = {name: [call_us(each) - loop_us for _ in range(rounds)] for name, each in acts.items()}
    return {
        name: {"median": statistics.median(us), "best": min(us), "worst": max(us)}
        for name, us in spans.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    install_decimal_context()
    gc.disable()
    figures = measure(max(arguments.rounds, 5))
    within = {
        "http": figures["http_us"]["median"] <= HTTP_BUDGET_US,
        "socket": figures["socket_us"]["median"] <= SOCKET_BUDGET_US,
    }
    if arguments.json:
        sys.stdout.write(json.dumps({"figures": figures, "within_budget": within}) + "\n")
        return
    told = {
        "http_us": f"HTTP: body, signature, headers (budget {HTTP_BUDGET_US} µs)",
        "socket_us": f"socket: body, frame (budget {SOCKET_BUDGET_US} µs)",
        "check_us": "check of the bytes, for either",
        "body_us": "of it: body",
        "sign_us": "of it: signature",
    }
    for name, what in told.items():
        us = figures[name]
        sys.stdout.write(
            f"{what:<56} median {us['median']:6.2f} µs, best {us['best']:6.2f}, worst {us['worst']:6.2f}\n"
        )


if __name__ == "__main__":
    main()
