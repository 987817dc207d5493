"""How orders, executions, positions and wallets look on the wire: REST and stream forms side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from sandbox.bybit_server.accounts import Account
from sandbox.bybit_server.fields import JsonObject
from sandbox.bybit_server.figures import ZERO, short
from sandbox.bybit_server.instruments import Instrument, SymbolKey
from sandbox.bybit_server.orders import CancelType, Execution, Order, Status
from sandbox.bybit_server.positions import Position

ISOLATED: Final = "ISOLATED_MARGIN"
WIRE_PLACES: Final = Decimal("1E-10")


def order_shape(order: Order) -> JsonObject:
    """Return the order object of the REST lists."""
    instrument = order.instrument
    average = order.avg_px
    leaves_value = order.qty - order.cum_value if order.by_value else order.leaves_value
    stops, trigger, slippage = order.stops, order.trigger, order.slippage
    shape: JsonObject = {
        "orderId": order.order_id,
        "orderLinkId": order.link_id,
        "parentOrderLinkId": "",
        "blockTradeId": "",
        "symbol": instrument.symbol,
        "price": instrument.px_text(order.px),
        "qty": short(order.qty) if order.by_value else instrument.qty_text(order.qty),
        "side": order.side.value,
        "isLeverage": "0" if instrument.is_spot else "",
        "positionIdx": order.position_idx,
        "orderStatus": order.status.value,
        "cancelType": order.cancel_type.value,
        "rejectReason": order.reject_reason.value,
        "avgPrice": short(average.quantize(Decimal("1E-8"))) if average is not None else "",
        "leavesQty": instrument.qty_text(order.leaves_qty),
        "leavesValue": short(leaves_value.quantize(WIRE_PLACES)) if order.is_open or order.by_value else "0",
        "cumExecQty": instrument.qty_text(order.cum_qty),
        "cumExecValue": short(order.cum_value.quantize(WIRE_PLACES)),
        "cumExecFee": short(sum(order.fees.values(), ZERO)),
        "timeInForce": order.tif.value,
        "orderType": order.order_type,
        "stopOrderType": order.stop_order_type,
        "orderIv": "",
        "marketUnit": order.market_unit,
        "slippageToleranceType": "UNKNOWN" if slippage is None else slippage.kind,
        "slippageTolerance": "" if slippage is None else slippage.text,
        "triggerPrice": "" if trigger is None else instrument.px_text(trigger.px),
        "takeProfit": _px_or_blank(instrument, None if stops is None else stops.take_profit_px),
        "stopLoss": _px_or_blank(instrument, None if stops is None else stops.stop_loss_px),
        "tpTriggerBy": "" if stops is None or stops.take_profit_px is None else stops.take_profit_by,
        "slTriggerBy": "" if stops is None or stops.stop_loss_px is None else stops.stop_loss_by,
        "triggerDirection": 0 if trigger is None else 1 if trigger.rises else 2,
        "triggerBy": "" if trigger is None else trigger.by,
        "reduceOnly": order.reduce_only,
        "closeOnTrigger": order.close_on_trigger,
        "smpType": order.smp_type,
        "smpGroup": 0,
        "smpOrderId": order.smp_order_id,
        "tpLimitPrice": "",
        "slLimitPrice": "",
        "placeType": order.place_type,
        "createdTime": str(order.created_ms),
        "updatedTime": str(order.updated_ms),
        "cumFeeDetail": {coin: short(fee) for coin, fee in order.fees.items()},
        "extraFees": "",
        "rpiTakerAccess": False,
        "rpiMatchedQty": "0",
    }
    if instrument.is_spot:
        shape["basePrice"] = instrument.px_text(order.last_px_on_created)
        shape["ocoTriggerBy"] = ""
    else:
        shape["createType"] = order.create_type
        shape["tpslMode"] = "UNKNOWN" if stops is None and not order.closes_position else "Full"
        shape["lastPriceOnCreated"] = instrument.px_text(order.last_px_on_created)
    return shape


def order_push(order: Order) -> JsonObject:
    """Return the order object of the stream."""
    shape = {"category": order.instrument.category, **order_shape(order)}
    shape["closedPnl"] = short(order.closed_pnl.quantize(WIRE_PLACES))
    shape["feeCurrency"] = next(iter(order.fees), "")
    return shape


def lost_race_push(order: Order) -> JsonObject:
    """Return the second message of a filled order whose cancellation came too late."""
    assert order.status is Status.FILLED
    late = {"cancelType": CancelType.BY_USER.value, "rejectReason": "EC_OrigClOrdIDDoesNotExist"}
    return {**order_push(order), **late}


def execution_shape(execution: Execution) -> JsonObject:
    """Return the execution object of the REST list."""
    order = execution.order
    instrument = order.instrument
    return {
        "symbol": instrument.symbol,
        "orderId": order.order_id,
        "orderLinkId": order.link_id,
        "side": order.side.value,
        "orderPrice": instrument.px_text(order.px),
        "orderQty": instrument.qty_text(ZERO if order.by_value else order.qty),
        "leavesQty": instrument.qty_text(execution.leaves_qty),
        "createType": "" if instrument.is_spot else order.create_type,
        "orderType": order.order_type,
        "stopOrderType": "" if instrument.is_spot else order.stop_order_type or "UNKNOWN",
        "execFee": short(execution.fee),
        "execId": execution.exec_id,
        "execPrice": instrument.px_text(execution.px),
        "execQty": instrument.qty_text(execution.qty),
        "execType": execution.kind,
        "execValue": short(execution.value.quantize(WIRE_PLACES)),
        "execTime": str(execution.time_ms),
        "feeCurrency": execution.fee_coin,
        "isMaker": execution.is_maker,
        "feeRate": short(execution.fee_rate),
        "tradeIv": "",
        "markIv": "",
        "markPrice": "" if instrument.is_spot else instrument.px_text(execution.mark_px),
        "indexPrice": "",
        "underlyingPrice": "",
        "blockTradeId": "",
        "closedSize": "" if instrument.is_spot else short(execution.closing.qty),
        "seq": execution.seq,
        "extraFees": "",
    }


def execution_push(execution: Execution) -> JsonObject:
    """Return the execution object of the stream."""
    order = execution.order
    return {
        "category": order.instrument.category,
        **execution_shape(execution),
        "isLeverage": "0",
        "marketUnit": order.market_unit,
        "execPnl": short(execution.pnl.quantize(WIRE_PLACES)),
    }


def fast_execution_push(execution: Execution) -> JsonObject:
    """Return the short execution object; a maker's fill does not tell its link id there."""
    order = execution.order
    return {
        "category": order.instrument.category,
        "symbol": order.instrument.symbol,
        "execId": execution.exec_id,
        "execPrice": order.instrument.px_text(execution.px),
        "execQty": order.instrument.qty_text(execution.qty),
        "orderId": order.order_id,
        "isMaker": execution.is_maker,
        "orderLinkId": "" if execution.is_maker else order.link_id,
        "side": order.side.value,
        "execTime": str(execution.time_ms),
        "seq": execution.seq,
    }


def position_shape(account: Account, position: Position, mark_px: Decimal) -> JsonObject:
    """Return the position object of the REST list."""
    shape = _position_middle(account, position, mark_px)
    shape["avgPrice"] = short(position.entry_px.quantize(Decimal("1E-8")))
    return shape


def position_push(account: Account, position: Position, mark_px: Decimal) -> JsonObject:
    """Return the position object of the stream, where the entry price has another name."""
    shape = {"category": position.instrument.category, **_position_middle(account, position, mark_px)}
    shape["entryPrice"] = short(position.entry_px.quantize(Decimal("1E-8")))
    return shape


def _position_middle(account: Account, position: Position, mark_px: Decimal) -> JsonObject:
    instrument = position.instrument
    margin = short(position.initial_margin.quantize(Decimal("1E-8")))
    maintenance = short((position.cost * Decimal("0.005")).quantize(Decimal("1E-8")))
    side = position.side
    return {
        "positionIdx": position.index,
        "riskId": 1,
        "riskLimitValue": "2000000",
        "symbol": instrument.symbol,
        "side": side.value if side is not None else "",
        "size": short(abs(position.size)),
        "positionValue": short(position.cost.quantize(Decimal("1E-8"))) if side else "",
        "tradeMode": 1 if account.margin_mode == ISOLATED else 0,
        "positionStatus": "Normal",
        "autoAddMargin": 0,
        "adlRankIndicator": 2 if side else 0,
        "leverage": short(position.leverage),
        "breakEvenPrice": short(position.entry_px.quantize(Decimal("1E-8"))) if side else "",
        "positionBalance": "0",
        "markPrice": instrument.px_text(mark_px),
        "liqPrice": "",
        "bustPrice": "",
        "positionMM": maintenance,
        "positionMMByMp": maintenance,
        "positionIM": margin,
        "positionIMByMp": margin,
        "tpslMode": "Full",
        "takeProfit": _stop_px(position.take_profit),
        "stopLoss": _stop_px(position.stop_loss),
        "trailingStop": "0",
        "unrealisedPnl": short(position.unrealised_pnl(mark_px).quantize(Decimal("1E-8"))),
        "curRealisedPnl": short(position.cycle_pnl.quantize(WIRE_PLACES)),
        "cumRealisedPnl": short(position.realised_pnl.quantize(WIRE_PLACES)),
        "sessionAvgPrice": "",
        "delta": "",
        "gamma": "",
        "vega": "",
        "theta": "",
        "seq": position.seq,
        "isReduceOnly": False,
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
        "createdTime": str(position.created_ms),
        "updatedTime": str(position.updated_ms),
        "openTime": 0,
    }


def wallet_shape(account: Account, marks: Mapping[SymbolKey, Decimal], coins: Iterable[str]) -> JsonObject:
    """Return the wallet object, the same on REST and stream; ``coins`` selects the coin entries."""
    usd = {coin: _usd_price(coin, marks) for coin in account.balances}
    margins = {coin: account.margins(coin) for coin in account.balances}
    wallet = sum((account.balances[coin] * price for coin, price in usd.items()), ZERO)
    profit = sum((account.unrealised_pnl(coin, marks) * price for coin, price in usd.items()), ZERO)
    initial = sum(((use.position + use.orders) * usd[coin] for coin, use in margins.items()), ZERO)
    locked = sum((account.locked(coin) * price for coin, price in usd.items()), ZERO)
    equity = wallet + profit
    entries: list[JsonObject] = []
    for coin in coins:
        if coin not in account.balances:
            continue
        use = margins[coin]
        coin_equity = account.equity(coin, marks)
        entries.append(
            {
                "coin": coin,
                "equity": _eight(coin_equity),
                "usdValue": _eight(coin_equity * usd[coin]),
                "walletBalance": short(account.balances[coin].quantize(WIRE_PLACES)),
                "locked": short(account.locked(coin)),
                "spotHedgingQty": "0",
                "borrowAmount": "0",
                "accruedInterest": "0",
                "totalOrderIM": _eight(use.orders),
                "totalPositionIM": _eight(use.position),
                "totalPositionMM": "0",
                "unrealisedPnl": _eight(account.unrealised_pnl(coin, marks)),
                "cumRealisedPnl": short(account.realised.get(coin, ZERO).quantize(WIRE_PLACES)),
                "bonus": "0",
                "marginCollateral": True,
                "collateralSwitch": True,
                "spotBorrow": "0",
                "colRes": "0",
                "availableToWithdraw": "",
                "availableToBorrow": "",
            }
        )
    ratio = _eight(initial / equity) if equity > 0 else "0"
    totals: JsonObject = {
        "totalEquity": _eight(equity),
        "accountIMRate": ratio,
        "accountIMRateByMp": ratio,
        "accountMMRate": "0",
        "accountMMRateByMp": "0",
        "totalWalletBalance": _eight(wallet),
        "totalMarginBalance": _eight(equity),
        "totalAvailableBalance": _eight(max(ZERO, equity - initial - locked)),
        "totalPerpUPL": _eight(profit),
        "totalInitialMargin": _eight(initial),
        "totalInitialMarginByMp": _eight(initial),
        "totalMaintenanceMargin": "0",
        "totalMaintenanceMarginByMp": "0",
        "accountLTV": "0",
    }
    if account.margin_mode == ISOLATED:
        totals |= dict.fromkeys(totals.keys() - {"totalEquity", "totalWalletBalance", "accountLTV"}, "")
    return {"accountType": "UNIFIED", **totals, "coin": entries}


def _usd_price(coin: str, marks: Mapping[SymbolKey, Decimal]) -> Decimal:
    if coin in {"USDT", "USDC", "USD"}:
        return Decimal(1)
    return marks.get(("spot", f"{coin}USDT")) or marks.get(("linear", f"{coin}USDT")) or ZERO


def _eight(value: Decimal) -> str:
    return short(value.quantize(Decimal("1E-8")))


def _px_or_blank(instrument: Instrument, px: Decimal | None) -> str:
    return "" if px is None else instrument.px_text(px)


def _stop_px(order: Order | None) -> str:
    return "" if order is None or order.trigger is None else order.instrument.px_text(order.trigger.px)
