"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const chooser = document.getElementById("order");
  const drawn = new Map();

  function coloured(layout) {
    const style = getComputedStyle(document.documentElement);
    const line = style.getPropertyValue("--line");
    const themed = Object.assign(
      { margin: { t: 8, r: 16, b: 48, l: 64 }, legend: { orientation: "h", yanchor: "bottom", y: 1.01 }, hovermode: "closest" },
      structuredClone(layout),
      { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: style.getPropertyValue("--ink") } },
    );
    for (const axis of ["xaxis", "yaxis", "yaxis2", "yaxis3"]) {
      if (axis in themed) {
        Object.assign(themed[axis], { gridcolor: line, zerolinecolor: line, automargin: true });
      }
    }
    return themed;
  }

  function draw(place, figure) {
    drawn.set(place, figure);
    const data = structuredClone(figure.data);
    Plotly.react(place, data, coloured(figure.layout), { responsive: true, displayModeBar: false });
  }

  for (const place of document.querySelectorAll("[data-figure]")) {
    draw(place, figures.sheet[place.dataset.figure]);
  }
  if (chooser) {
    const place = document.getElementById("one-order");
    const show = () => draw(place, figures.orders[chooser.selectedIndex]);
    chooser.addEventListener("change", show);
    show();
  }
  dark.addEventListener("change", () => drawn.forEach((figure, place) => draw(place, figure)));
})();
