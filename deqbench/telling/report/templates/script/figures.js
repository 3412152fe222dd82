// Figures: one variant of a family at a time, along the chosen axis; any of them copied as SVG, its numbers as CSV.

function startFigures() {
  all(".variants").forEach((family) => {
    const figures = all("figure[data-axis]", family);
    const buttons = figures.map((figure) => {
      const axis = figure.dataset.axis;
      const option = one(`#axis option[value="${axis}"]`);
      const button = made("button", option ? option.textContent : axis, { type: "button" });
      button.addEventListener("click", () => choose(`figure.${family.dataset.family}`, axis));
      return button;
    });
    const bar = made("div", "", { class: "controls", role: "group", "aria-label": "Axis of the figure" });
    bar.append(made("span", "against"), ...buttons);
    family.prepend(bar);
    appliers.push(() => {
      const wishes = [chosen.get(`figure.${family.dataset.family}`), axisShown()];
      const places = wishes.map((axis) => figures.findIndex((figure) => figure.dataset.axis === axis));
      const shown = Math.max(places.find((place) => place >= 0) ?? 0, 0);
      figures.forEach((figure, place) => {
        figure.hidden = place !== shown;
        buttons[place].setAttribute("aria-pressed", String(place === shown));
      });
    });
  });
  all("figure").forEach(addTools);
  all(".copied").forEach(addCopy);
}

// Text that is meant for a paper: a button above it copies it, paragraphs apart by an empty line.
function addCopy(block) {
  const { what, file } = block.dataset;
  const button = made("button", `Copy ${what}`, { type: "button" });
  const paragraphs = all("p", block);
  const text = () => (paragraphs.length ? paragraphs.map((each) => each.textContent.trim()).join("\n\n") : block.textContent.trim());
  button.addEventListener("click", () => copy(`${text()}\n`, what, file, "text/plain"));
  const bar = made("div", "", { class: "controls tools" });
  bar.append(button);
  block.before(bar);
}

function addTools(figure) {
  const drawing = one("svg.drawn", figure);
  const table = one(".behind table", figure);
  const name = figure.id.replace(/^figure-/, "");
  const bar = made("div", "", { class: "controls tools" });
  const offer = (text, what, file, kind, make) => {
    const button = made("button", text, { type: "button" });
    button.append(made("span", ` of ${one("figcaption b", figure).textContent.replace(/\.$/, "")}`, { class: "unseen" }));
    button.addEventListener("click", () => copy(make(), what, file, kind));
    bar.append(button);
  };
  if (drawing) offer("Copy SVG", "SVG", `${name}.svg`, "image/svg+xml", () => standalone(drawing));
  if (table) offer("Copy CSV", "CSV", `${name}.csv`, "text/csv", () => commaSeparated(table));
  if (bar.children.length) one("figcaption", figure).after(bar);
}

// What a class of a drawing declares, by name. Nothing else is written into a copy: a marker that declares no
// colour takes that of the place where it is used.
function declared() {
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]);
  const drawn = rules.filter((rule) => /^\.s\d+$/.test(rule.selectorText || ""));
  return new Map(drawn.map((rule) => [rule.selectorText.slice(1), [...rule.style]]));
}

// The drawing as a file of its own, on white, with its colours in it: what the page's styles say, written out.
function standalone(drawing) {
  const root = document.documentElement;
  const theme = root.dataset.theme;
  root.dataset.theme = "light";
  const copied = drawing.cloneNode(true);
  const from = [drawing, ...all("*", drawing)];
  const names = declared();
  [copied, ...all("*", copied)].forEach((element, place) => {
    const style = getComputedStyle(from[place]);
    for (const name of names.get(element.getAttribute("class")) || []) {
      element.setAttribute(name, style.getPropertyValue(name));
    }
    element.removeAttribute("class");
    element.removeAttribute("data-e");
  });
  // What is hidden is not copied, and the copy says so.
  if (one("[data-out]", copied)) one("desc", copied).append(` ${entriesTold()}`);
  all("[data-out]", copied).forEach((element) => element.remove());
  if (theme) root.dataset.theme = theme;
  else delete root.dataset.theme;
  copied.setAttribute("xmlns", SVG);
  copied.setAttribute("stroke-linejoin", "round");
  copied.setAttribute("font-family", "DejaVu Sans, Verdana, sans-serif");
  copied.setAttribute("height", `${drawing.viewBox.baseVal.height}pt`);
  for (const name of ["role", "aria-labelledby"]) copied.removeAttribute(name);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(copied)}\n`;
}

function commaSeparated(table) {
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
  const number = (text) => (/^-?\d{1,3}(,\d{3})+$/.test(text) ? text.replace(/,/g, "") : text);
  return `${all("tr", table)
    .map((row) => [...row.cells].map((cell) => quoted(number(cell.textContent.trim()))).join(","))
    .join("\n")}\n`;
}

// Into the clipboard; where a browser refuses that, into a file.
async function copy(text, what, file, kind) {
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied as ${what}.`);
  } catch {
    const link = made("a", "", { href: URL.createObjectURL(new Blob([text], { type: kind })), download: file });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    say(`Saved as ${file}.`);
  }
}
