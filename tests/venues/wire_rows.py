"""Rows as the venue's documentation prints them, shortened to nothing: every field it sends is here."""

import json

ORDER = json.loads("""{"category":"linear","symbol":"BTCUSDT",
 "orderId":"9aac161b-8ed6-450d-9cab-c5cc67c21784","orderLinkId":"x-1-1","parentOrderLinkId":"","isLeverage":"",
 "blockTradeId":"","side":"Buy","positionIdx":0,"orderStatus":"New","createType":"CreateByUser",
 "cancelType":"UNKNOWN","rejectReason":"EC_NoError","timeInForce":"GTC","orderType":"Limit","price":"50000.1",
 "qty":"0.010","leavesQty":"0.010","leavesValue":"500.001","cumExecQty":"0.000","cumExecValue":"0",
 "cumExecFee":"0","avgPrice":"","closedPnl":"0","feeCurrency":"","stopOrderType":"","orderIv":"","marketUnit":"",
 "triggerPrice":"","takeProfit":"","stopLoss":"","triggerDirection":0,"reduceOnly":false,"smpGroup":0,
 "cumFeeDetail":{},"createdTime":"1672364262444","updatedTime":"1672364262457","rpiTakerAccess":false}""")

EXECUTION = json.loads("""{"category":"linear","symbol":"BTCUSDT","closedSize":"0.5","execFee":"26.3725275",
 "execId":"0ab1bdf7-4219-438b-b30a-32ec863018f7","execPrice":"95900.1","execQty":"0.5","execType":"Trade",
 "execValue":"47950.05","feeRate":"0.00055","tradeIv":"","markIv":"","blockTradeId":"","markPrice":"95901.48",
 "indexPrice":"","underlyingPrice":"","leavesQty":"0","orderId":"9aac161b-8ed6-450d-9cab-c5cc67c21784",
 "orderLinkId":"","orderPrice":"94942.5","orderQty":"0.5","orderType":"Market","stopOrderType":"UNKNOWN",
 "side":"Sell","execTime":"1746270400353","isLeverage":"0","isMaker":false,"seq":140612148849382,
 "marketUnit":"","execPnl":"0.05","createType":"CreateByUser","extraFees":"","feeCurrency":"USDT"}""")

POSITION = json.loads("""{"positionIdx":0,"riskId":1,"riskLimitValue":"2000000","symbol":"BTCUSDT","side":"Buy",
 "size":"0.5","avgPrice":"27464.5","positionValue":"13732.25","tradeMode":0,"positionStatus":"Normal",
 "leverage":"10","markPrice":"28224.50","liqPrice":"","seq":5723621632,"isReduceOnly":false,
 "createdTime":"1676538056258","updatedTime":"1697673600012","openTime":0}""")

LINEAR = json.loads("""{"symbol":"BTCUSDT","symbolId":5,"contractType":"LinearPerpetual","status":"Trading",
 "baseCoin":"BTC","quoteCoin":"USDT","launchTime":"1585526400000","deliveryTime":"0","priceScale":"2",
 "leverageFilter":{"minLeverage":"1","maxLeverage":"100.00","leverageStep":"0.01"},
 "priceFilter":{"minPrice":"0.10","maxPrice":"1999999.80","tickSize":"0.10"},
 "lotSizeFilter":{"maxOrderQty":"1190.000","minOrderQty":"0.001","qtyStep":"0.001",
 "postOnlyMaxOrderQty":"1190.000","maxMktOrderQty":"500.000","minNotionalValue":"5"},
 "unifiedMarginTrade":true,"fundingInterval":480,"settleCoin":"USDT","preListingInfo":null}""")

SPOT = json.loads("""{"symbolId":9,"symbol":"BTCUSDT","baseCoin":"BTC","quoteCoin":"USDT","innovation":"0",
 "status":"Trading","marginTrading":"utaOnly","stTag":"0",
 "lotSizeFilter":{"basePrecision":"0.000001","quotePrecision":"0.0000001","minOrderQty":"0.000011",
 "maxOrderQty":"83","minOrderAmt":"5","maxOrderAmt":"8000000","maxLimitOrderQty":"83",
 "maxMarketOrderQty":"41.5","postOnlyMaxLimitOrderSize":"60000"},
 "priceFilter":{"tickSize":"0.1"},"riskParameters":{"priceLimitRatioX":"0.005"}}""")

TRADE = json.loads("""{"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick",
 "i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false,"seq":1783284617}""")
