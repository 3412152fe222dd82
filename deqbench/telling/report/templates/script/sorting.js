// Every table sorts by a click, or Enter, on a title: up, down, and as it was.

const columnOf = (table) => {
  const [column, way] = (chosen.get(`sort.${table.id}`) || "").split(":");
  return column === "" || column === undefined ? null : { column: Number(column), down: way === "down" };
};

function makeSortable(table) {
  all("thead th", table).forEach((title, column) => {
    if (title.classList.contains("scale") || !title.textContent.trim()) return;
    // No <button>: at the top of a further printed page Chromium repeats text, but no box within it.
    const button = made("span", "", { role: "button", tabindex: "0" });
    button.append(...title.childNodes);
    title.append(button);
    const act = () => turn(table, column, title.textContent.trim());
    button.addEventListener("click", act);
    button.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      act();
    });
  });
}

function turn(table, column, name) {
  const now = columnOf(table);
  const next = !now || now.column !== column ? "up" : now.down ? "" : "down";
  choose(`sort.${table.id}`, next && `${column}:${next}`);
  const how = { up: "ascending", down: "descending", "": "in the order of the report" }[next];
  say(next ? `Sorted by ${name}, ${how}.` : `Sorted ${how}.`);
}

function markSorted(table) {
  const sorted = columnOf(table);
  all("thead th", table).forEach((title, column) => {
    if (sorted && sorted.column === column) title.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
    else title.removeAttribute("aria-sort");
  });
}

// Put the rows of a table that stands in the page in order; at first in the order in which they were given.
function sortRows(table, given) {
  markSorted(table);
  const sorted = columnOf(table);
  const body = table.tBodies[0];
  let rows = [...given];
  if (sorted && rows.length && rows[0].cells[sorted.column]) {
    const text = (row) => row.cells[sorted.column].textContent;
    const compare = comparing(rows.map(text));
    rows = rows.sort((first, second) => compare(text(first), text(second), sorted.down));
  }
  if (rows.some((row, place) => body.rows[place] !== row)) body.append(...rows);
}

function startSorting() {
  all("table").forEach((table, place) => {
    if (!table.tHead || !table.tBodies.length) return;
    table.id = table.id || `table-${place}`;
    if (table.id === "trials-table" || table.tBodies[0].rows.length < 2) return;
    makeSortable(table);
    const given = [...table.tBodies[0].rows];
    appliers.push(() => sortRows(table, given.ranked || given));
    table.given = given;
  });
}
