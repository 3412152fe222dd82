// The table of trials: those of the entries shown, filtered by seed, status and words, sorted, some at a time.

const AT_ONCE = 50;
let rowsShown = AT_ONCE;

function startTrials() {
  const data = embedded("trials-data");
  const table = document.getElementById("trials-table");
  if (!data || !table) return;
  const cell = (row, place) => {
    const names = data.columns[place].names;
    return names ? names[row[place]] : row[place];
  };
  makeFilters(data.columns);
  makeSortable(table);
  const more = document.getElementById("more");
  more.addEventListener("click", () => {
    rowsShown += 4 * AT_ONCE;
    apply();
  });
  appliers.push(() => showTrials(table, data, cell, more));
}

function makeFilters(columns) {
  const form = document.getElementById("filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const column of columns) {
    if (!column.names || column.names.length < 2 || isComponent(column)) continue;
    form.append(selection(column.key, column.title, column.names, filterBy));
  }
  const input = made("input", "", { type: "search", "data-filter": "find", size: "14" });
  input.addEventListener("input", () => filterBy("find", input.value));
  form.append(labelled("find", input));
  form.hidden = false;
}

// Components are chosen for the whole page.
function isComponent(column) {
  return choices !== null && choices.axes.some(([axis]) => axis === column.key);
}

function filterBy(key, value) {
  rowsShown = AT_ONCE;
  choose(`only.${key}`, value);
  say(document.getElementById("trials-shown").textContent);
}

function chosenRows(data, cell) {
  const components = new Map(chosenComponents().map(({ axis, text }) => [axis, text]));
  const wanted = data.columns
    .map((column, place) => [place, isComponent(column) ? components.get(column.key) : chosen.get(`only.${column.key}`)])
    .filter(([place, value]) => value && (isComponent(data.columns[place]) || data.columns[place].names?.includes(value)));
  const words = (chosen.get("only.find") || "").toLowerCase();
  return data.rows.filter(
    (row) =>
      wanted.every(([place, value]) => cell(row, place) === value) &&
      (!words || data.columns.some((_, place) => cell(row, place).toLowerCase().includes(words))),
  );
}

function showTrials(table, data, cell, more) {
  const rows = chosenRows(data, cell);
  const sorted = columnOf(table);
  if (sorted && data.columns[sorted.column]) {
    const text = (row) => cell(row, sorted.column);
    const compare = comparing(rows.map(text));
    rows.sort((first, second) => compare(text(first), text(second), sorted.down));
  }
  markSorted(table);
  const shown = rows.slice(0, rowsShown).map((row) => {
    const line = made("tr");
    data.columns.forEach((column, place) => {
      const text = cell(row, place);
      const element = place ? made("td", text) : made("th", text, { scope: "row" });
      if (column.numeric) element.className = "n";
      if (column.key === "status" && text !== "ok") element.className = "bad";
      line.append(element);
    });
    return line;
  });
  table.tBodies[0].replaceChildren(...shown);
  more.parentElement.hidden = rows.length <= rowsShown;
  const told = shown.length < rows.length ? `, ${shown.length} of them shown` : "";
  document.getElementById("trials-shown").textContent =
    `${rows.length} of ${data.rows.length} trials${told}. ${choices ? "Components are chosen at the top of the page. " : ""}` +
    "With every measurement: trials.csv.";
}
