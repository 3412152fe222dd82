// Entries chosen by their components, for the whole page: what belongs to the others is hidden, in tables,
// drawings and the list of trials alike. What speaks of all of them at once, statistics say, stays as it is.

let choices = null; // what tells the entries apart; nothing where nothing does
let printing = false; // paper shows everything

// A selection by one axis, first of all "all", of which the address holds "only.<key>".
function selection(key, title, names, act) {
  const select = made("select", "", { "data-filter": key });
  select.append(made("option", "all", { value: "" }));
  names.forEach((name) => select.append(made("option", name === "-" ? "none" : name, { value: name })));
  select.addEventListener("change", () => act(key, select.value));
  return labelled(title, select);
}

function labelled(text, field) {
  field.id = `only-${field.dataset.filter}`;
  const both = made("span", "", { class: "control" });
  both.append(made("label", text, { for: field.id }), field);
  return both;
}

function showFilters() {
  all("[data-filter]").forEach((field) => {
    const value = chosen.get(`only.${field.dataset.filter}`) || "";
    if (field.value !== value) field.value = value;
    if (field.selectedIndex < 0) field.value = ""; // an address from another report
  });
}

// The components that are chosen: of each the place of its axis, its own place on it, and both in words.
function chosenComponents() {
  if (!choices || printing) return [];
  return choices.axes.flatMap(([axis, names], place) => {
    const name = names.indexOf(chosen.get(`only.${axis}`));
    return name < 0 ? [] : [{ axis, place, name, text: names[name], told: names[name] === "-" ? `no ${axis}` : `${axis} ${names[name]}` }];
  });
}

// Whether each entry is shown, by its number.
function shownEntries() {
  const components = chosenComponents();
  return choices.entries.map((places) => components.every(({ place, name }) => places[place] === name));
}

function entriesTold() {
  const told = chosenComponents().map((one) => one.told).join(", ");
  if (!told) return "All entries are shown.";
  const count = shownEntries().filter(Boolean).length;
  return count ? `Shown: ${told} (${count} of ${choices.entries.length} entries).` : `None of the ${choices.entries.length} entries has ${told}.`;
}

function startEntries() {
  appliers.push(showFilters);
  choices = embedded("entries-data");
  if (!choices) return;
  const bar = document.getElementById("entries-shown");
  choices.axes.forEach(([axis, names]) => bar.append(selection(axis, axis, names, chooseEntries)));
  const line = document.getElementById("chosen");
  const told = made("b");
  const rest = made("span", "Order, scales, fronts, statistics and shaded tables: all entries.");
  const button = made("button", "Show all", { type: "button" });
  button.addEventListener("click", () => {
    choices.axes.forEach(([axis]) => chosen.delete(`only.${axis}`));
    showEntries();
    one("select", bar).focus(); // the button is gone
  });
  line.append(told, button, rest);
  const owned = all("[data-e]").map((element) => [element, element.dataset.e.split(" ")]);
  let before = String(choices.entries.map(() => true));
  appliers.push(() => {
    const shown = shownEntries();
    line.hidden = !chosenComponents().length;
    told.textContent = entriesTold();
    if (before === String(shown)) return;
    before = String(shown);
    owned.forEach(([element, numbers]) => element.toggleAttribute("data-out", !numbers.some((number) => shown[number])));
  });
}

function chooseEntries(axis, name) {
  if (name) chosen.set(`only.${axis}`, name);
  else chosen.delete(`only.${axis}`);
  showEntries();
}

function showEntries() {
  rowsShown = AT_ONCE;
  toAddress();
  apply();
  say(entriesTold());
}
