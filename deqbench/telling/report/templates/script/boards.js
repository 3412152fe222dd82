// The axis switch: standings ranked, written and drawn by another measure, on a linear or logarithmic scale.

const SVG = "http://www.w3.org/2000/svg";

function drawn(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// Percent of the track's width, or null for what is not finite.
function placing(values, logarithmic) {
  const finite = values.filter((value) => value !== null);
  const scale = logarithmic ? Math.log10 : (value) => value;
  const low = scale(Math.min(...finite));
  const span = scale(Math.max(...finite)) - low || 1;
  return (value) => (value === null ? null : Math.round((1e4 * (scale(value) - low)) / span) / 100);
}

function drawTrack(track, [low, median, high], place) {
  all(".range, circle", track).forEach((element) => element.remove());
  if (median === null) return;
  const open = low === null || high === null;
  const ends = { x1: `${place(low) ?? place(median)}%`, x2: `${place(high) ?? place(median)}%` };
  if (low !== high || open) {
    track.append(drawn("line", { class: open ? "range open" : "range", ...ends, y1: "50%", y2: "50%" }));
  }
  track.append(drawn("circle", { cx: `${place(median)}%`, cy: "50%", r: "4.5" }));
}

// Show a board on an axis; one that it does not have leaves it on its own.
function showBoard(table, board, rows) {
  const wanted = board.scales.findIndex(([key]) => key === chosen.get("axis"));
  const axis = Math.max(wanted, 0);
  const [, title, fits, more, low, high] = board.scales[axis];
  const places = board.rows.map((row) => row[axis]);
  const values = places.flatMap(([low, median, high]) => (median === null ? [] : [low, median, high]));
  const positive = values.every((value) => value === null || value > 0);
  const scale = chosen.get("scale");
  const logarithmic = positive && (scale === "log" || (scale !== "linear" && Boolean(fits)));
  const place = placing(values, logarithmic);
  rows.forEach((row, number) => {
    const [, median, , written, interval] = places[number];
    one(".score b", row).textContent = written;
    one(".score", row).classList.toggle("bad", median === null);
    if (one(".interval", row)) one(".interval", row).textContent = interval;
    drawTrack(one(".track", row), places[number], place);
  });
  one("caption .axis", table).textContent = title;
  one("caption .how", table).textContent = logarithmic ? ", on a logarithmic scale" : "";
  const ends = all("th.scale span", table);
  ends[0].textContent = low;
  ends[1].textContent = high;
  const rank = (number) => {
    const median = places[number][1];
    return median === null ? Infinity : more ? -median : median;
  };
  // On its own axis the board stands as the report ranked it, ties included.
  const order = rows.map((_, number) => number);
  if (axis > 0) order.sort((first, second) => rank(first) - rank(second) || first - second);
  return order.map((number) => rows[number]);
}

// The axis of the page: the one chosen, or the one that ranks the report.
function axisShown() {
  const select = document.getElementById("axis");
  return chosen.get("axis") || (select ? select.options[0].value : "");
}

function startBoards() {
  all("table.standings").forEach((table) => {
    const board = embedded(`board-${table.id}`);
    if (!board) return;
    const rows = [...table.tBodies[0].rows];
    appliers.unshift(() => {
      const ranked = showBoard(table, board, rows);
      if (table.given) table.given.ranked = ranked;
      else table.tBodies[0].append(...ranked);
    });
  });
  for (const key of ["axis", "scale"]) {
    const select = document.getElementById(key);
    if (!select) continue;
    const first = key === "axis" ? select.options[0].value : "";
    select.addEventListener("change", () => {
      // Figures that were turned to an axis of their own follow the page again.
      if (key === "axis") [...chosen.keys()].filter((name) => name.startsWith("figure.")).forEach((name) => chosen.delete(name));
      choose(key, select.value === first ? "" : select.value);
      say(`${key === "axis" ? "Axis" : "Scale"}: ${select.selectedOptions[0].textContent}.`);
    });
    appliers.push(() => {
      select.value = chosen.get(key) || first;
      if (select.selectedIndex < 0) select.value = first; // an address from another report
    });
  }
}
