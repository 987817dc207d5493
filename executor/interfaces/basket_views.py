"""How baskets are shown, and what all open parents together could come to: plain JSON values."""

from collections import Counter

from executor.domain.orders import Side
from executor.domain.timeline import iso_utc
from executor.domain.units import plain
from executor.engine.exposure import open_exposure
from executor.engine.state import BasketState, EngineState
from executor.interfaces.views import Json, parent_view


def basket_view(state: EngineState, basket: BasketState, now_ns: int, *, with_parents: bool = True) -> Json:
    """Show a basket: its bounds, how its parents stand, and each of them."""
    parents = [state.parents[name] for name in basket.parents]
    counts = Counter(parent.status.value for parent in parents)
    return {
        "id": basket.basket_id,
        "name": basket.name,
        "created": {"utc": iso_utc(basket.created_ns), "ns": basket.created_ns},
        "idempotency_key": basket.idempotency_key,
        "gross_notional_max": _bound(basket.gross_notional_max),
        "net_notional_max": _bound(basket.net_notional_max),
        "final": all(parent.is_final for parent in parents),
        "orders": len(parents),
        "by_status": dict(sorted(counts.items())),
        "parent_ids": list(basket.parents),
        **(
            {"parents": [parent_view(state, each, now_ns, with_slices=False) for each in parents]}
            if with_parents
            else {}
        ),
    }


def baskets_view(state: EngineState, now_ns: int) -> Json:
    """Show every basket, newest first."""
    baskets = reversed(state.baskets.values())
    return {"baskets": [basket_view(state, each, now_ns, with_parents=False) for each in baskets]}


def exposure_view(state: EngineState) -> Json:
    """Show what all open parents could come to, in quote units, and the position that each symbol could reach."""
    found = open_exposure(state)
    return {
        "gross": f"{found.gross:.2f}",
        "net": f"{found.net:.2f}",
        "symbols": {
            f"{market} {'long' if side is Side.BUY else 'short'}": f"{value:.2f}"
            for (market, side), value in sorted(found.reach.items())
        },
    }


def _bound(value: object) -> str | None:
    return None if value is None else plain(value)  # type: ignore[arg-type]
