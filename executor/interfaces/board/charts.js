// Small charts as SVG: lines over time with dots on them, a book, and bars. Nothing here reads or sends anything.

const NS = "http://www.w3.org/2000/svg";
const HEIGHT = 220, LEFT = 8, RIGHT = 72, TOP = 10, BOTTOM = 20;
const wide = (place) => Math.max(place.clientWidth, 280);

function node(name, attributes, parent) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (parent) parent.append(made);
  return made;
}

function text(parent, x, y, words, anchor = "start") {
  node("text", { x, y, "text-anchor": anchor }, parent).textContent = words;
}

function range(values, pad = 0.06) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value === null || value === undefined || !Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low === Infinity) return null;
  const room = (high - low || Math.abs(high) * 0.001 || 1) * pad;
  return [low - room, high + room];
}

export function short(value, digits = 6) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6) return `${(value / 1e6).toPrecision(3)}M`;
  return String(Number(value.toPrecision(digits)));
}

const clock = (ms) => new Date(ms).toISOString().slice(11, 19);

// series: [{name, points: [[x, y], ...]}]; dots: [{x, y, kind, title}]
export function lines(place, series, { dots = [], format = short, low = null, high = null, label = "" } = {}) {
  const WIDTH = wide(place), svg = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  const xs = range([...series.flatMap((one) => one.points.map((point) => point[0])), ...dots.map((dot) => dot.x)], 0.01);
  const ys = range([...series.flatMap((one) => one.points.map((point) => point[1])), ...dots.map((dot) => dot.y)]);
  if (!xs || !ys) {
    text(svg, WIDTH / 2, HEIGHT / 2, "no data yet", "middle");
    place.replaceChildren(svg);
    return;
  }
  if (low !== null) ys[0] = low;
  if (high !== null) ys[1] = high;
  const across = (x) => LEFT + ((x - xs[0]) / (xs[1] - xs[0])) * (WIDTH - LEFT - RIGHT);
  const up = (y) => HEIGHT - BOTTOM - ((y - ys[0]) / (ys[1] - ys[0])) * (HEIGHT - TOP - BOTTOM);
  for (const share of [0, 0.5, 1]) {
    const value = ys[0] + (ys[1] - ys[0]) * share;
    node("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: up(value), y2: up(value) }, svg);
    text(svg, WIDTH - RIGHT + 5, up(value) + 4, format(value));
  }
  text(svg, LEFT, HEIGHT - 5, clock(xs[0]));
  text(svg, WIDTH - RIGHT, HEIGHT - 5, clock(xs[1]), "end");
  series.forEach((one, index) => {
    let path = "", pen = false;
    for (const [x, y] of one.points) {
      if (y === null || y === undefined) { pen = false; continue; }
      path += `${pen ? "L" : "M"}${across(x).toFixed(1)} ${up(y).toFixed(1)}`;
      pen = true;
    }
    node("path", { class: `s${one.hue ?? index}`, d: path }, svg);
  });
  for (const dot of dots) {
    const made = node("circle", { class: dot.kind, cx: across(dot.x), cy: up(dot.y), r: 3.5 }, svg);
    node("title", {}, made).textContent = dot.title;
  }
  const legend = document.createElement("div");
  legend.className = "legend";
  const named = [...series.map((one, index) => [one.name, `l${one.hue ?? index}`])];
  for (const kind of new Set(dots.map((dot) => dot.kind))) named.push([`${kind} fill`, kind]);
  for (const [name, hue] of named) {
    const item = document.createElement("span"), mark = document.createElement("i");
    mark.className = hue;
    item.append(mark, name);
    legend.append(item);
  }
  place.replaceChildren(svg, legend);
}

export function book(place, bids, asks) {
  const WIDTH = wide(place), svg = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "Depth of the book" });
  const most = Math.max(...bids.map((level) => level[1]), ...asks.map((level) => level[1]), 0);
  if (!most) {
    text(svg, WIDTH / 2, HEIGHT / 2, "no book", "middle");
    place.replaceChildren(svg);
    return;
  }
  const rows = [...asks].reverse().map((level) => [level, "ask"]).concat(bids.map((level) => [level, "bid"]));
  const height = (HEIGHT - 8) / rows.length;
  rows.forEach(([[price, quantity], side], index) => {
    const y = 4 + index * height;
    node("rect", { class: side, x: 110, y: y + 1, width: Math.max((quantity / most) * (WIDTH - 210), 1), height: Math.max(height - 2, 1) }, svg);
    text(svg, 100, y + height / 2 + 4, short(price, 9), "end");
    text(svg, 118 + (quantity / most) * (WIDTH - 210), y + height / 2 + 4, short(quantity, 5));
  });
  place.replaceChildren(svg);
}

// A bar from the middle: a cost to the right, a gain to the left; or from the left edge, for a share.
export function bar(value, most, { centred = false, kind = "low" } = {}) {
  const svg = node("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
  const size = most > 0 ? Math.min(Math.abs(value) / most, 1) * (centred ? 50 : 100) : 0;
  const x = centred ? (value < 0 ? 50 - size : 50) : 0;
  node("rect", { class: kind, x, y: 0, width: size, height: 10 }, svg);
  return svg;
}
