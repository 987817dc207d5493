// The board: one picture a second from the daemon, drawn. All words from outside are set as text, never as HTML.
import { bar, book, lines, short } from "/board/charts.js";

const $ = (id) => document.getElementById(id);
const TOKEN = "executor-token", THEME = "executor-theme", WELCOMED = "executor-welcomed";
const EVERY_MS = 1000, ANSWER_MS = 15000;
const OPERATOR_MAX = 64, REASON_MAX = 200;   // letters
let token = sessionStorage.getItem(TOKEN);
let seen = null;          // the last picture of everything
let chosen = null;        // the order that is shown
let one = null;           // the last picture of it, where it is a single order
let begun = false;        // whether an order was chosen in this session
let streams = [];         // what ends when another order is chosen, or the session is over
let heard = 0;            // when something was heard last, this clock

// ---- Small things -------------------------------------------------------------------------------------------

function made(name, words = "", kind = "") {
  const node = document.createElement(name);
  if (words !== "") node.textContent = words;
  if (kind) node.className = kind;
  return node;
}

// What stands between backticks is something to type.
const parts = (words) => words.split("`").map((part, index) => (index % 2 ? made("code", part) : part));

function coded(words, name = "p", kind = "quiet") {
  const node = made(name, "", kind);
  node.append(...parts(words));
  return node;
}

const known = (value) => value !== null && value !== undefined;
const signed = (value, digits = 2) => (known(value) ? `${Number(value) >= 0 ? "+" : "−"}${Math.abs(Number(value)).toFixed(digits)}` : "–");
const percent = (share, digits = 1) => (known(share) ? `${(share * 100).toFixed(digits)}\u00a0%` : "–");
const sentenced = (words) => words.charAt(0).toUpperCase() + words.slice(1);
const priced = (value, tick) => (known(value) ? Number(value).toFixed(Math.min(((tick || "0.01").split(".")[1] || "").length + 1, 12)) : "–");
const bps = (value) => (known(value) ? `${signed(value)} bps` : "–");

// The time of today, and with its date whatever is of another day; UTC.
function moment(ms) {
  if (!known(ms)) return "–";
  const told = new Date(ms).toISOString();
  return told.slice(0, 10) === new Date().toISOString().slice(0, 10) ? told.slice(11, 19) : `${told.slice(0, 10)} ${told.slice(11, 19)}`;
}

function span(seconds) {
  if (!known(seconds)) return "–";
  const parts = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  const names = ["d", "h", "min", "s"];
  const first = parts.findIndex((part) => part > 0);
  if (first < 0) return "0 s";
  return [first, first + 1].filter((at) => at < 4 && parts[at] > 0).map((at) => `${parts[at]} ${names[at]}`).join(" ");
}

function figures(place, rows) {
  place.replaceChildren(...rows.map(([name, value, kind]) => {
    const box = made("div");
    box.append(made("dt", name), made("dd", value, kind || ""));
    return box;
  }));
}

const STATUS = { ACTIVE: "good", EXECUTING: "good", FILLED: "good", COMPLETE: "good", PAUSED: "look", ADJUSTING: "look", EXPIRED: "look", FAILED: "bad", CANCELED: "look" };
const calm = (words) => words.toLowerCase().replaceAll("_", " ");

// ---- Talking to the daemon ----------------------------------------------------------------------------------

async function ask(method, path, body) {
  const answer = await fetch(path, {
    method,
    headers: { Authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(ANSWER_MS),
  }).catch(() => {
    throw new Error("The daemon did not answer, so it is not known whether this was done. To stop everything without it, in a terminal: executor kill");
  });
  const told = await answer.json().catch(() => ({}));
  if (answer.status === 401) leave("The session is over.");
  if (!answer.ok) {
    const problems = [told.error ?? []].flat();
    throw new Error(problems.map((each) => `${each.where}: ${each.got}; allowed: ${each.allowed}. Next: ${each.next}.`).join("\n") || `refused (${answer.status})`);
  }
  return told;
}

// Asks for a picture once a second until told to end. A browser has six connections to one daemon for all its tabs: a
// lasting one in each would leave none for HALT, so none is held.
function follow(path, show, gone = () => {}) {
  const control = new AbortController();
  (async () => {
    let wait = EVERY_MS;
    while (!control.signal.aborted) {
      const began = performance.now();
      try {
        const answer = await fetch(path, { headers: { Authorization: `Bearer ${token}` }, signal: AbortSignal.any([control.signal, AbortSignal.timeout(ANSWER_MS)]) });
        if (control.signal.aborted) return;
        if (answer.status === 401) return leave("The session is over: the daemon has begun anew, or nobody looked for long.");
        if (answer.status === 404) return gone();
        if (!answer.ok) throw new Error(`status ${answer.status}`);
        const picture = await answer.json();
        if (control.signal.aborted) return;
        wait = EVERY_MS;
        heard = performance.now();
        show(picture);
      } catch (error) {
        if (control.signal.aborted) return;
        wait = Math.min(wait * 2, 8000);
      }
      await pause(Math.max(wait - (performance.now() - began), 100), control.signal);
    }
  })();
  return () => control.abort();
}

// Waits; whoever comes back to a tab that was out of sight need not.
function pause(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seenAgain);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const seenAgain = () => !document.hidden && done();
    const timer = setTimeout(done, ms);
    document.addEventListener("visibilitychange", seenAgain);
    signal.addEventListener("abort", done, { once: true });
  });
}

function leave(words) {
  token = null;
  sessionStorage.removeItem(TOKEN);
  streams.forEach((end) => end());
  streams = [];
  seen = one = chosen = null;
  heard = 0;
  $("ask").close();
  $("keys").close();
  $("loud").hidden = $("looking").hidden = true;
  $("link").textContent = "";
  document.title = "Executor";
  $("main").hidden = true;
  $("door").hidden = false;
  $("halt").hidden = $("rearm").hidden = $("leave").hidden = true;
  $("door-says").textContent = words;
  $("standing").textContent = "no session";
  $("standing").className = "chip look";
  $("door-code").focus();
}

async function enter(code) {
  const answer = await fetch("/board/session", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ code }), signal: AbortSignal.timeout(ANSWER_MS) }).catch(() => null);
  if (!answer) return leave("The daemon did not answer.");
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) return leave(told.error ? `The code does not work: ${told.error.next}.` : "The code does not work.");
  streams.forEach((end) => end());
  streams = [];
  seen = one = chosen = null;
  token = told.token;
  sessionStorage.setItem(TOKEN, token);
  $("door-code").value = "";
  begin();
}

function begin() {
  $("door").hidden = true;
  $("main").hidden = false;
  begun = false;
  $("leave").hidden = false;
  $("welcome").hidden = localStorage.getItem(WELCOMED) !== null;
  streams.push(follow("/v1/board", (picture) => { seen = picture; drawAll(); }));
  fromAddress();
}

// ---- Everything ---------------------------------------------------------------------------------------------

function drawAll() {
  const { daemon, halted, ready, draining } = seen;
  $("venue").textContent = `${daemon.venue} · ${daemon.instance}`;
  $("venue").className = `chip ${daemon.venue.includes("live") ? "bad" : ""}`;
  const standing = $("standing");
  const [words, kind] = halted ? ["HALTED", "bad"] : draining ? ["winding down", "look"] : ready ? ["ready", "good"] : ["not ready", "look"];
  if (standing.textContent !== words) standing.textContent = words;
  standing.className = `chip ${kind}`;
  const title = `${words === "ready" ? "" : `${words} · `}executor ${daemon.instance}`;
  if (document.title !== title) document.title = title;
  const loud = halted ? `Halted: ${seen.halt_reason || "no reason was given"}. Nothing is opened until a person rearms.`
    : !ready ? `Nothing can be opened now: ${seen.why_not.map(calm).join(", ")}.` : "";
  if ($("loud").textContent !== loud) $("loud").textContent = loud;
  $("loud").hidden = !loud;
  const operates = seen.access === "operate";
  $("looking").hidden = operates;
  $("halt").hidden = !operates || halted;
  $("rearm").hidden = !operates || !halted;
  $("welcome-halt").hidden = !operates;
  $("alarm-count").textContent = seen.alarms.length ? `(${seen.alarms.length})` : "";
  drawParents();
  drawGroup();
  drawAlarms();
  drawLimits();
  drawMarkets();
  drawSystem();
}

function drawParents() {
  const list = $("parents"), onlyOpen = $("only-open").checked;
  const shown = seen.parents.filter((parent) => !onlyOpen || !parent.final);
  $("none").hidden = shown.length > 0;
  $("none").firstChild.textContent = seen.parents.length ? "None is open. For another, in a terminal: " : "No parent order yet. In a terminal: ";
  $("nothing").hidden = Boolean(chosen) || !shown.length;
  if (!begun && shown.length) {
    begun = true;
    // Where there is room for both, the newest order is shown at once, and leaves nothing to go back to.
    // An address that was just given, and of which the browser has not told yet, goes first.
    if (!chosen && !location.hash && matchMedia("(min-width: 821px)").matches) {
      const first = shown.find((parent) => !parent.route) || shown[0];
      history.replaceState(null, "", `#/${first.id}`);
      choose(first.id);
    }
  }
  const have = new Map([...list.children].map((item) => [item.dataset.id, item]));
  const order = grouped(shown).map(({ group, parent, kind }) => {
    const item = have.get((group || parent).id) || row((group || parent).id);
    item.className = kind;
    if (group) fillGroup(item, group);
    else fill(item, parent);
    return item;
  });
  if (order.length !== list.children.length || order.some((item, at) => list.children[at] !== item)) list.replaceChildren(...order);
}

// The legs of a routed order and the orders of a basket stand together, below a row of the whole.
function grouped(shown) {
  const rows = [], told = new Set();
  const wholes = new Map([...seen.routes, ...seen.baskets].map((group) => [group.id, group]));
  const open = seen.routes.filter((route) => !route.final && !shown.some((parent) => parent.route === route.id));
  open.forEach((group) => rows.push({ group, kind: "group" }));   // no leg has begun yet
  for (const parent of shown) {
    const group = wholes.get(parent.route || parent.basket);
    if (!group) {
      rows.push({ parent, kind: "" });
    } else if (!told.has(group.id)) {
      told.add(group.id);
      rows.push({ group, kind: "group" });
      shown.filter((each) => (each.route || each.basket) === group.id).forEach((each) => rows.push({ parent: each, kind: "member" }));
    }
  }
  return rows;
}

const isGroup = (id) => /^[RB]\d+$/.test(id || "");
const members = (group) => seen.parents.filter((parent) => (parent.route || parent.basket) === group.id);
const groupTitle = (group) => (group.legs ? `${group.side} ${short(Number(group.qty))} over ${group.legs.length} markets` : `basket ${group.name || group.id}`);

// What is executed of a basket is the mean over its orders: they are of different things.
function groupShares(group) {
  if (group.legs) return [group.done, group.final ? null : group.scheduled];
  const of = members(group), mean = (name) => (of.length && of.every((each) => known(each[name])) ? of.reduce((sum, each) => sum + each[name], 0) / of.length : null);
  return [mean("done"), group.final ? null : mean("scheduled")];
}

function fillGroup(item, group) {
  const [what, chip, left, right, progress] = item.firstChild.children;
  const [done, scheduled] = groupShares(group);
  what.textContent = groupTitle(group);
  chip.textContent = group.legs ? calm(group.status) : group.final ? "ended" : "open";
  chip.className = `chip ${group.legs ? STATUS[group.status] || "" : group.final ? "" : "good"}`;
  left.textContent = group.legs ? `${group.id} · routed, ${group.strategy}` : `${group.id} · ${group.ended} of ${group.parents.length} ended`;
  right.textContent = [percent(done, 0), ...(group.legs && !group.final ? [span(group.left_s)] : [])].join(" · ");
  shares(progress, done, scheduled);
  mark(item.firstChild, group.id);
}

function shares(progress, done, scheduled) {
  progress.firstElementChild.style.width = `${Math.min((done || 0) * 100, 100)}%`;
  progress.lastElementChild.style.left = `${Math.min((scheduled || 0) * 100, 100)}%`;
  progress.lastElementChild.hidden = !known(scheduled);
}

function mark(link, id) {
  if (id === chosen) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
}

function row(id) {
  const item = made("li"), link = made("a");
  item.dataset.id = id;
  link.href = `#/${id}`;
  const progress = made("div", "", "progress");
  progress.append(made("div"), made("div"));
  link.append(made("span", "", "what"), made("span", "", "chip"), made("span", "", "small"), made("span", "", "small"), progress);
  item.append(link);
  return item;
}

function fill(item, parent) {
  const link = item.firstChild;
  const [what, chip, left, right, progress] = link.children;
  what.textContent = `${parent.side} ${short(Number(parent.qty))} ${parent.symbol}${parent.category === "linear" ? "" : ` ${parent.category}`}`;
  chip.textContent = calm(parent.status);
  chip.className = `chip ${STATUS[parent.status] || ""}`;
  left.textContent = `${parent.id} · ${parent.strategy}${parent.advised ? " + model" : ""}`;
  right.textContent = [percent(parent.done, 0), bps(parent.shortfall_bps), ...(parent.final ? [] : [span(parent.left_s)])].join(" · ");
  shares(progress, parent.done, parent.final ? null : parent.scheduled);
  mark(link, parent.id);
}

function drawAlarms() {
  $("no-alarms").hidden = seen.alarms.length > 0;
  const list = $("alarms"), newest = seen.alarms.length ? `${seen.alarms[0].number} of ${seen.alarms[0].at_ms}` : "";
  if (list.dataset.newest === newest) return;
  list.dataset.newest = newest;
  list.replaceChildren(...seen.alarms.map((alarm) => {
    const item = made("li", "", alarm.severity), head = made("div");
    head.append(made("span", calm(alarm.severity), `chip ${{ CRITICAL: "bad", WARNING: "look" }[alarm.severity] || ""}`), " ", made("strong", alarm.code), ` · ${moment(alarm.at_ms)} UTC`);
    if (alarm.parent_id) {
      const link = made("a", alarm.parent_id);
      link.href = `#/${alarm.parent_id}`;
      head.append(" · ", link);
    }
    item.append(head, made("p", alarm.detail), coded(`${sentenced(alarm.means)}. What to do: ${alarm.do}.`));
    return item;
  }));
}

function drawLimits() {
  const rows = [...seen.limits].sort((a, b) => b.ratio - a.ratio);
  $("limits").replaceChildren(...rows.map((limit) => {
    const line = made("div", "", "part limit");
    const kind = limit.ratio >= 0.9 ? "high" : limit.ratio >= 0.7 ? "mid" : "low";
    line.append(made("span", limit.limit), bar(limit.ratio, 1, { kind }), made("span", `${percent(limit.ratio)} · ${short(limit.used)} of ${short(limit.allowed)}${limit.place ? ` · ${limit.place}` : ""}${limit.tightened_by ? ` · tightened by ${limit.tightened_by}` : ""}`));
    return line;
  }));
}

function drawMarkets() {
  $("markets").replaceChildren(...seen.markets.map((market) => {
    const line = made("tr");
    const cells = [
      [market.market], [short(market.bid, 9), "n"], [short(market.ask, 9), "n"], [known(market.spread_bps) ? market.spread_bps.toFixed(3) : "–", "n"],
      [known(market.age_ms) ? `${(market.age_ms / 1000).toFixed(1)} s` : "no book", `n ${known(market.age_ms) ? "" : "bad"}`],
      [known(market.volatility_hourly_pct) ? market.volatility_hourly_pct.toFixed(3) : "–", "n"], [short(market.volume_hourly_qty, 5), "n"],
      [known(market.funding_pct) ? `${market.funding_pct.toFixed(4)} at ${moment(market.next_funding_ms)}` : "–", "n"], [market.blocked || "no", market.blocked ? "bad wide" : ""],
    ];
    line.append(...cells.map(([words, kind]) => made("td", words, kind || "")));
    return line;
  }));
}

function drawSystem() {
  const { daemon, adviser, sentinel } = seen;
  figures($("system"), [
    ...Object.entries(seen.streams).map(([name, live]) => [name, live ? "live" : "DOWN", live ? "good" : "bad"]),
    ["sentinel", sentinel.alive ? "alive" : sentinel.required ? "SILENT" : "not wanted", sentinel.alive || !sentinel.required ? "good" : "bad"],
    ["model", adviser ? `${adviser.model}, breaker ${calm(adviser.breaker)}` : "none", adviser && adviser.breaker === "OPEN" ? "look" : ""],
    ["venue", daemon.venue], ["profile", daemon.profile], ["instance", daemon.instance], ["version", daemon.version], ["up for", span(daemon.up_s)],
    ["parent orders in all", String(seen.parents_in_all)],
  ]);
}

// ---- One order ----------------------------------------------------------------------------------------------

function choose(id) {
  if (chosen === id) return;
  chosen = id;
  one = null;
  while (streams.length > 1) streams.pop()();
  $("one").hidden = !id || isGroup(id);
  $("group").hidden = !isGroup(id);
  document.body.classList.toggle("shows-one", Boolean(id));
  if (isGroup(id)) {
    $("group-title").textContent = id;
    if (seen) drawGroup();
  } else if (id) {
    $("one-title").textContent = id;
    blank("Asking for this order…");
    streams.push(follow(`/v1/board/${encodeURIComponent(id)}`, (picture) => { one = picture; drawOne(); }, () => blank("This daemon knows no such order.")));
  }
  if (seen) drawParents();
}

// The whole of a routed order, or of a basket: what belongs together, and the verbs that act on all of it at once.
function drawGroup() {
  if (!isGroup(chosen)) return;
  const group = [...seen.routes, ...seen.baskets].find((each) => each.id === chosen);
  $("group-verbs").hidden = !group || group.final || seen.access !== "operate";
  $("group-status").textContent = "";
  if (!group) {
    $("group-title").textContent = chosen;
    $("group-why").textContent = "This daemon lists no such order any more.";
    $("group-bar").hidden = true;
    $("group-figures").replaceChildren();
    $("members").replaceChildren();
    return;
  }
  const of = members(group), [done, scheduled] = groupShares(group);
  const limits = [["gross", group.gross_notional_max], ["net", group.net_notional_max]].filter(([, most]) => most);
  $("group-title").textContent = `${groupTitle(group)} · ${group.id}`;
  $("group-status").textContent = group.legs ? calm(group.status) : group.final ? "ended" : "open";
  $("group-status").className = `chip ${group.legs ? STATUS[group.status] || "" : group.final ? "" : "good"}`;
  $("group-why").textContent = group.legs
    ? ["One order over several markets: what each market gets is decided anew again and again, and never more than the whole.", group.status === "PAUSED" || group.final ? `Reason: ${calm(group.reason)}.` : "", group.detail].filter(Boolean).join(" ")
    : "Orders that were accepted together or not at all. Each has its own plan; the verbs here act on all of them that are open.";
  $("group-bar").hidden = false;
  $("group-bar").setAttribute("aria-valuenow", ((done || 0) * 100).toFixed(1));
  shares($("group-bar"), done, scheduled);
  figures($("group-figures"), group.legs
    ? [["Executed", `${group.filled} (${percent(done)})`], ["Quantity", group.qty], ["Scheduled by now", percent(scheduled)], ["Time left", group.final ? "ended" : span(group.left_s)], ["Strategy", group.strategy]]
    : [["Orders", String(group.parents.length)], ["Ended", String(group.ended)], ["Executed, on average", percent(done)], ...limits.map(([name, most]) => [`Most ${name}, quote units`, most])]);
  const rows = group.legs ? group.legs.map((leg) => [leg, of.find((each) => leg.parents.at(-1) === each.id)]) : of.map((each) => [null, each]);
  $("members").replaceChildren(...rows.map(([leg, parent]) => {
    const line = made("tr"), first = made("td");
    if (parent) {
      const link = made("a", parent.id);
      link.href = `#/${parent.id}`;
      first.append(link);
    } else first.textContent = "none";
    line.append(first, ...[
      [leg ? leg.market : `${parent.category}:${parent.symbol}`], [leg ? group.side : parent.side], [leg ? leg.filled : parent.filled, "n"],
      [parent && !parent.final ? parent.qty : "–", "n"], [parent && known(parent.avg) ? short(parent.avg, 9) : "–", "n"],
      [parent ? calm(parent.status) : "–"], [(leg && leg.why_nothing) || (parent && parent.why) || "–", "wide"],
    ].map(([words, kind]) => coded(words, "td", kind || "")));
    return line;
  }));
}

// Nothing of the order before is to be taken for one of this.
function blank(words) {
  $("one-rest").hidden = true;
  $("verbs").hidden = true;
  $("belongs").hidden = true;
  $("one-status").textContent = "";
  $("why").textContent = $("why").dataset.words = words;
  $("why").hidden = false;
}

function drawOne() {
  const { parent, worst_case: worst } = one, cost = parent.cost || {};
  if (parent.id !== chosen) return;
  $("one-rest").hidden = false;
  $("one-title").textContent = `${parent.side} ${parent.qty} ${parent.symbol} · ${parent.id}`;
  $("one-status").textContent = calm(parent.status);
  $("one-status").className = `chip ${STATUS[parent.status] || ""}`;
  const operates = seen && seen.access === "operate" && !parent.final;
  $("verbs").hidden = !operates;
  $("pause").hidden = parent.status === "PAUSED";
  $("resume").hidden = parent.status !== "PAUSED";
  const why = [sentenced(one.why), parent.status === "PAUSED" || parent.final ? `Reason: ${calm(parent.reason)}` : "", parent.detail, parent.blocked ? `Blocked: ${parent.blocked}` : ""].filter(Boolean).join(". ");
  if ($("why").dataset.words !== why) $("why").replaceChildren(...parts(why));
  $("why").dataset.words = why;
  $("why").hidden = !why;
  drawBelongs(parent);
  drawProgress(parent);
  figures($("performance"), [
    ["Decision price", parent.decision_price || "–"], ["Arrival price", parent.arrival_price || "–"], ["Our average", priced(parent.avg_price, parent.tick_size)],
    ["Shortfall, all in", cost.split_bps ? bps(cost.split_bps.total) : "–"], ["Against arrival", bps(parent.shortfall_bps)],
    ["Against market VWAP", bps(cost.vwap_slippage_bps)], ["Against TWAP", bps(cost.twap_slippage_bps)],
    ["Spread captured", bps(cost.spread_captured_bps)], ["Maker share", known(cost.maker_share) ? percent(Number(cost.maker_share), 0) : "–"],
    ["Participation", known(cost.participation_pct) ? `${Number(cost.participation_pct).toFixed(2)} %` : "–"],
  ]);
  const market = seen && seen.markets.find((each) => each.market === `${parent.category}:${parent.symbol}`);
  figures($("market"), market ? [
    ["Bid / ask", `${short(market.bid, 9)} / ${short(market.ask, 9)}`], ["Spread", known(market.spread_bps) ? `${market.spread_bps.toFixed(3)} bps` : "–"],
    ["Volume, an hour", short(market.volume_hourly_qty, 5)], ["Volatility, a √h", known(market.volatility_hourly_pct) ? `${market.volatility_hourly_pct.toFixed(3)} %` : "–"],
    ["Funding", known(market.funding_pct) ? `${market.funding_pct.toFixed(4)} %` : "–"], ["Age of the book", known(market.age_ms) ? `${(market.age_ms / 1000).toFixed(1)} s` : "no book", known(market.age_ms) ? "" : "bad"],
  ] : [["Market", "not followed"]]);
  drawCharts();
  drawParts(cost.split_bps);
  drawModel(parent, worst);
  drawChildren();
  drawDecisions();
}

function drawBelongs(parent) {
  const id = parent.route || (parent.basket && parent.basket.id) || "";
  $("belongs").hidden = !id;
  if (!id || $("belongs").dataset.id === `${parent.id}/${id}`) return;
  $("belongs").dataset.id = `${parent.id}/${id}`;
  const link = made("a", parent.route ? `routed order ${id}` : `basket ${parent.basket.name || id}`);
  link.href = `#/${id}`;
  $("belongs").replaceChildren(parent.route ? "A leg of " : "In ", link, parent.route ? ", which decides how much of it is bought or sold here." : ".");
}

function drawProgress(parent) {
  const done = Number(parent.progress_pct || 0), due = parent.schedule_pct;
  $("bar-done").style.width = `${Math.min(done, 100)}%`;
  $("bar-due").style.left = `${Math.min(Number(due || 0), 100)}%`;
  $("bar-due").hidden = !known(due) || parent.final;
  $("progress").setAttribute("aria-valuenow", done.toFixed(1));
  figures($("progress-figures"), [
    ["Executed", `${parent.filled} (${done.toFixed(1)}\u00a0%)`], ["Remaining", parent.leaves], ["Scheduled by now", known(due) ? `${Number(due).toFixed(1)} %` : "–"],
    ["Ahead of plan", known(parent.deviation_pct) ? `${signed(parent.deviation_pct, 1)} %` : "–", Number(parent.deviation_pct) < -10 ? "look" : ""],
    ["Time left", parent.final ? "ended" : span(parent.time_left_s)], ["Open at the venue", parent.reserved], ["Limit price", parent.limit_price || "none"],
    ["Strategy", `${parent.strategy}, ${calm(parent.urgency)}`],
  ]);
}

function drawCharts() {
  const { fields, points } = one.trail, at = Object.fromEntries(fields.map((name, index) => [name, index]));
  const series = (name, field, hue) => ({ name, hue, points: points.map((point) => [point[0], point[at[field]]]) });
  const dots = one.children.filter((child) => child.avg_price && Number(child.filled) > 0).map((child) => ({
    x: ((child.done || child.acked || child.created).ns) / 1e6, y: Number(child.avg_price),
    kind: Number(child.maker) * 2 >= Number(child.filled) ? "maker" : "taker", title: `${child.filled} at ${priced(child.avg_price, one.parent.tick_size)}`,
  }));
  lines($("chart-price"), [series("mid", "mid", 0), series("our average", "average", 2)], { dots, format: (value) => short(value, 8), label: "Mid price, our average and our fills over time" });
  lines($("chart-plan"), [series("executed", "done", 0), series("scheduled", "scheduled", 1)], { low: 0, high: 1, format: (value) => percent(value, 0), label: "Executed and scheduled share of the order over time" });
  lines($("chart-cost"), [series("shortfall", "shortfall_bps", 0)], { format: (value) => value.toFixed(1), label: "Shortfall against arrival over time, basis points" });
  book($("chart-book"), one.book.bids, one.book.asks);
}

function drawParts(parts) {
  const place = $("parts");
  if (!parts) return place.replaceChildren(made("p", "Not known yet: there is no fill, or the book before one of them was not seen.", "quiet"));
  const rows = Object.entries(parts), most = Math.max(...rows.map(([, value]) => Math.abs(Number(value))));
  place.replaceChildren(...rows.map(([name, value]) => {
    const line = made("div", "", "part"), number = Number(value);
    line.append(made("span", name), bar(number, most, { centred: true, kind: number > 0 ? "cost" : "gain" }), made("span", bps(number), "n"));
    return line;
  }));
}

function drawModel(parent, worst) {
  $("model").hidden = !parent.advised;
  $("decisions-part").hidden = !parent.advised;
  if (!parent.advised) return;
  const last = one.decisions.at(-1), held = parent.advice && parent.advice.in_force;
  figures($("model-figures"), [
    ["Last asked", last ? `${moment(last.asked.ns / 1e6)} UTC` : "not yet"], ["Its answer", last ? (last.action ? calm(last.action) : "none") : "–"],
    ["Confidence", last && known(last.confidence) ? percent(Number(last.confidence), 0) : "–"], ["What became of it", last ? calm(last.outcome) : "–", last && last.outcome === "APPLIED" ? "good" : "look"],
    ["In force", held ? `${calm(held.action)}, ${held.left_s} s more` : "the schedule alone"], ["Questions", parent.advice ? String(parent.advice.questions) : "0"],
  ]);
  const says = last && last.reasoning ? `“${last.reasoning}”` : "";
  $("model-says").textContent = says;
  $("model-says").hidden = !says;
}

function drawChildren() {
  const rows = [...one.children].reverse().map((child) => {
    const line = made("tr"), costs = child.costs;
    const value = Number(child.avg_price) * Number(child.filled);
    const impact = costs && costs.unit === "quote" && value ? ((Number(costs.temporary) + Number(costs.permanent)) / value) * 1e4 : null;
    const status = child.status === "FILLED" ? "good" : ["REJECTED", "UNKNOWN"].includes(child.status) ? "bad" : "";
    line.append(
      made("td", moment(child.created.ns / 1e6)), made("td", child.client_order_id), made("td", `${calm(child.style)} ${calm(child.time_in_force)}`), made("td", child.qty, "n"), made("td", child.price, "n"),
      made("td", calm(child.status), status), made("td", Number(child.filled) ? `${child.filled} at ${priced(child.avg_price, one.parent.tick_size)}` : "–", "n"), made("td", known(impact) ? signed(impact, 3) : "–", "n"), made("td", child.detail || "", "wide"),
    );
    return line;
  });
  $("children").replaceChildren(...rows);
  $("children-title").textContent = one.children_in_all > one.children.length ? `Recent orders (the last ${one.children.length} of ${one.children_in_all})` : `Recent orders (${one.children_in_all})`;
}

function drawDecisions() {
  const place = $("decisions"), have = new Map([...place.children].map((item) => [item.dataset.id, item]));
  const order = [...one.decisions].reverse().map((decision) => {
    const item = have.get(decision.decision_id) || made("details");
    const mark = JSON.stringify(decision);
    if (item.dataset.mark === mark) return item;
    item.dataset.id = decision.decision_id;
    item.dataset.mark = mark;
    const head = made("summary"), chip = made("span", calm(decision.outcome), `chip ${decision.outcome === "APPLIED" ? "good" : "look"}`);
    head.append(made("span", `${moment(decision.asked.ns / 1e6)} UTC`), made("strong", decision.action ? calm(decision.action) : "no answer"), chip,
      made("span", known(decision.confidence) ? `sure ${percent(Number(decision.confidence), 0)}` : "", "quiet"), made("span", known(decision.latency_ms) ? `after ${(decision.latency_ms / 1000).toFixed(1)} s` : "", "quiet"));
    const told = made("dl", "", "figures");
    figures(told, [
      ["Asked because", calm(decision.trigger)], ["Wished", decision.wishes.join(", ") || "–"], ["Held", decision.held || "–"], ["Mid then", decision.mid_price], ["Filled then", decision.filled],
      ["Impact expected", known(decision.impact_bps) ? `${decision.impact_bps} bps (${decision.impact_low_bps} to ${decision.impact_high_bps})` : "–"],
      ["Model", decision.model || "–"], ["Tokens", decision.usage ? `${decision.usage.prompt_tokens} + ${decision.usage.completion_tokens}` : "–"], ["Cost", `$${decision.cost_usd}`],
    ]);
    const words = [made("p", decision.why.join("; "))];
    if (decision.reasoning) words.push(made("p", `“${decision.reasoning}”`, "note"));
    if (decision.risk_assessment) words.push(made("p", `Risk, in its words: “${decision.risk_assessment}”`, "quiet"));
    item.replaceChildren(head, ...words, told, ...(decision.outcome !== "NOT_ASKED" ? [spoken(decision.decision_id)] : []));
    return item;
  });
  place.replaceChildren(...(order.length ? order : [made("p", "Nothing was asked yet.", "quiet")]));
}

// What was said between daemon and model, fetched when somebody wants to read it.
function spoken(id) {
  const box = made("details", "", "spoken"), place = made("div");
  box.append(made("summary", "Prompt and reply"), place);
  box.ontoggle = async () => {
    if (!box.open || place.childElementCount) return;
    try {
      const call = await ask("GET", `/v1/parents/${encodeURIComponent(chosen)}/decisions/${encodeURIComponent(id)}`);
      const parts = call.messages.map((message) => [`To the model (${message.role})`, message.content]);
      parts.push(["Its reply, as it came", call.reply ?? `none: ${calm(call.failure)} ${call.detail}`]);
      place.replaceChildren(...parts.flatMap(([title, words]) => {
        const text = made("pre", words);
        text.tabIndex = 0;
        return [made("h4", title), text];
      }));
    } catch (error) {
      place.textContent = error.message;
    }
  };
  return box;
}

// ---- Verbs --------------------------------------------------------------------------------------------------

function dialog({ title, words, fields = [], yes, act }) {
  $("ask-title").textContent = title;
  $("ask-text").textContent = words;
  $("ask-says").textContent = "";
  $("ask-yes").textContent = yes;
  $("ask-fields").replaceChildren(...fields.map((field) => {
    const label = made("label", field.label), input = made("input");
    input.name = field.name;
    input.value = field.value || "";
    input.autocomplete = "off";
    input.required = Boolean(field.required);
    if (field.must) input.pattern = field.must;
    if (field.most) input.maxLength = field.most;
    label.append(input);
    return label;
  }));
  $("ask-form").onsubmit = async (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData($("ask-form")));
    $("ask-yes").disabled = true;
    try {
      await act(given);
      $("ask").close();
    } catch (error) {
      $("ask-says").textContent = error.message;
    } finally {
      $("ask-yes").disabled = false;
    }
  };
  $("ask").showModal();
  const first = $("ask-fields").querySelector("input");
  (first || $("ask-no")).focus();
}

// A question names its order, and is meant for that one, whatever is shown behind it by the time it is answered.
const path = (verb) => `/v1/parents/${encodeURIComponent(chosen)}/${verb}`;

async function atOnce(verb, where = path(verb)) {
  try {
    await ask("POST", where, {});
  } catch (error) {
    dialog({ title: `${calm(verb)}: refused`, words: error.message, yes: "Close", act: async () => {} });
  }
}

function amend() {
  const { parent } = one, where = path("amend");
  dialog({
    title: `Amend ${chosen}`, words: "What is left empty stays as it is. A limit price of “none” clears it.", yes: "Amend",
    fields: [
      { label: "Quantity", name: "qty", value: parent.qty }, { label: "Limit price", name: "limit_price", value: parent.limit_price || "" },
      { label: "Time from now, such as 10m or 2h", name: "duration" }, { label: "Urgency: low, medium or high", name: "urgency", value: calm(parent.urgency) }, { label: "Strategy", name: "strategy", value: parent.strategy },
    ],
    act: (given) => {
      const body = { version: parent.version };
      if (given.qty && given.qty !== parent.qty) body.qty = given.qty;
      if (given.limit_price === "none") body.clear_limit_price = true;
      else if (given.limit_price && given.limit_price !== parent.limit_price) body.limit_price = given.limit_price;
      if (given.duration) body.duration = given.duration;
      if (given.urgency && calm(given.urgency) !== calm(parent.urgency)) body.urgency = given.urgency.toUpperCase();
      if (given.strategy && given.strategy !== parent.strategy) body.strategy = given.strategy;
      return ask("POST", where, body);
    },
  });
}

const groupPath = (verb) => `/v1/${chosen.startsWith("R") ? "routes" : "baskets"}/${encodeURIComponent(chosen)}/${verb}`;

function cancelGroup() {
  const where = groupPath("cancel");
  dialog({ title: `Cancel all of ${chosen}?`, words: "What is filled stays filled; what rests is withdrawn, in every market of it. It cannot be taken back.", yes: "Cancel all of it", act: () => ask("POST", where, {}) });
}

function cancel() {
  const where = path("cancel");
  dialog({ title: `Cancel ${chosen}?`, words: "What is filled stays filled; what rests is withdrawn. It cannot be taken back.", yes: "Cancel the order", act: () => ask("POST", where, {}) });
}

function halt() {
  dialog({
    title: "Halt everything", words: "Nothing is opened any more, and every open order is cancelled, until a person rearms. Type HALT.", yes: "HALT",
    fields: [{ label: "Type HALT", name: "word", required: true, must: "HALT" }, { label: "Who you are", name: "operator", value: "board", most: OPERATOR_MAX }, { label: "Why", name: "reason", required: true, most: REASON_MAX }],
    act: ({ operator, reason }) => ask("POST", "/v1/halt", { operator, reason }),
  });
}

function rearm() {
  dialog({
    title: "Rearm", words: `Halted: ${seen.halt_reason || "no reason"}. Compare positions and open orders with the venue first. Type REARM.`, yes: "Rearm",
    fields: [{ label: "Type REARM", name: "word", required: true, must: "REARM" }, { label: "Who you are", name: "operator", value: "board", most: OPERATOR_MAX }, { label: "Why it is safe", name: "reason", required: true, most: REASON_MAX }],
    act: ({ operator, reason }) => ask("POST", "/v1/rearm", { operator, reason }),
  });
}

// ---- Tabs, keys, theme, address -----------------------------------------------------------------------------

const TABS = ["orders", "alarms", "limits", "market", "system"];

function tab(name, focus = false) {
  for (const each of TABS) {
    const is = each === name;
    $(`tab-${each}`).setAttribute("aria-selected", String(is));
    $(`tab-${each}`).tabIndex = is ? 0 : -1;
    $(`pane-${each}`).hidden = !is;
    if (is && focus) $(`tab-${each}`).focus();
  }
}

function step(by) {
  const shown = [...$("parents").children].map((item) => item.dataset.id);
  if (!shown.length) return;
  const at = shown.indexOf(chosen);
  location.hash = `#/${shown[Math.min(Math.max(at + by, 0), shown.length - 1)]}`;
}

function fromAddress() {
  const brought = /^#code=([A-Za-z0-9_-]{1,100})$/.exec(location.hash);
  if (brought) {
    history.replaceState(null, "", location.pathname);
    enter(brought[1]);
    return;
  }
  if (!token) return;
  const found = /^#\/([A-Za-z0-9_-]{1,64})$/.exec(location.hash);
  choose(found ? found[1] : null);
  if (found) tab("orders");
}

function theme(next) {
  const dark = next ?? localStorage.getItem(THEME) ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.documentElement.dataset.theme = dark;
  if (next) localStorage.setItem(THEME, next);
}

TABS.forEach((name, index) => {
  $(`tab-${name}`).onclick = () => tab(name);
  $(`tab-${name}`).onkeydown = (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) tab(TABS[(index + by + TABS.length) % TABS.length], true);
  };
});
$("only-open").onchange = () => seen && drawParents();
$("back").onclick = $("group-back").onclick = () => { location.hash = ""; };
$("group-pause").onclick = () => atOnce("pause", groupPath("pause"));
$("group-resume").onclick = () => atOnce("resume", groupPath("resume"));
$("group-cancel").onclick = cancelGroup;
$("leave").onclick = () => dialog({
  title: "Leave the board?", words: "The session of this browser ends; another look needs a new code from executor board. The daemon goes on, and so do all orders.", yes: "Leave",
  act: async () => {
    await ask("POST", "/v1/board/leave", {});
    leave("You have left. The daemon goes on.");
  },
});
$("welcomed").onclick = () => {
  localStorage.setItem(WELCOMED, "yes");
  $("welcome").hidden = true;
  $("tab-orders").focus();
};
$("theme").onclick = () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
$("help").onclick = () => $("keys").showModal();
$("ask-no").onclick = () => $("ask").close();
$("pause").onclick = () => atOnce("pause");
$("resume").onclick = () => atOnce("resume");
$("amend").onclick = amend;
$("cancel").onclick = cancel;
$("halt").onclick = halt;
$("rearm").onclick = rearm;
$("door-form").onsubmit = (event) => { event.preventDefault(); enter($("door-code").value.trim()); };
addEventListener("hashchange", fromAddress);
addEventListener("keydown", (event) => {
  if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const operates = seen && seen.access === "operate", live = operates && one && chosen && !one.parent.final;
  if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.repeat) return;   // held down: a verb is asked once
  else if (event.key === "Escape") location.hash = "";
  else if (event.key === "?") $("keys").showModal();
  else if (/^[1-5]$/.test(event.key)) tab(TABS[Number(event.key) - 1], true);
  else if (event.key === "p" && live) atOnce(one.parent.status === "PAUSED" ? "resume" : "pause");
  else if (event.key === "a" && live) amend();
  else if (event.key === "c" && live) cancel();
  else if (event.key === "H" && operates && !seen.halted) halt();
  else return;
  event.preventDefault();
});
setInterval(() => {
  if (!token || document.hidden) return;
  const silent = (performance.now() - heard) / 1000;
  const words = !heard ? "connecting" : silent > 3 ? `not heard for ${Math.round(silent)} s` : "live";
  if ($("link").textContent !== words) $("link").textContent = words;
  $("link").className = `chip ${silent > 3 ? "bad" : "quiet"}`;
  $("main").classList.toggle("stale", silent > 3);
}, 1000);

theme();
if (location.hash.startsWith("#code=")) fromAddress();
else if (token) begin();
else leave("");
