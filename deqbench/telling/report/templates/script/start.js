// Theme, places in the page, and the beginning of all the rest.

function startTheme() {
  const select = document.getElementById("theme");
  select.addEventListener("change", () => choose("theme", select.value));
  appliers.push(() => {
    const theme = chosen.get("theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    select.value = document.documentElement.dataset.theme || "";
  });
}

// A link to a place keeps what was chosen: the place becomes one of the choices.
function startPlaces() {
  all('a[href^="#"]').forEach((link) => {
    link.addEventListener("click", (event) => {
      if (!chosen.size) return; // nothing to keep: the browser does it
      event.preventDefault();
      choose("at", link.getAttribute("href").slice(1));
      goTo(chosen.get("at"));
    });
  });
}

function goTo(name) {
  const place = name && document.getElementById(name);
  if (!place) return;
  const folded = place.closest("details");
  if (folded) folded.open = true;
  place.scrollIntoView();
  if (!place.hasAttribute("tabindex")) place.setAttribute("tabindex", "-1");
  place.focus({ preventScroll: true });
}

function startPrinting() {
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("details:not([open], .behind, .brief)");
    opened.forEach((element) => (element.open = true));
    printing = true;
    apply();
  });
  addEventListener("afterprint", () => {
    opened.forEach((element) => (element.open = false));
    printing = false;
    apply();
  });
}

startSorting();
startBoards();
startEntries();
startTrials();
startFigures();
startTheme();
startPlaces();
startPrinting();
document.getElementById("reset").addEventListener("click", () => {
  chosen = new Map();
  toAddress();
  apply();
  say("Everything is shown as at first.");
});
addEventListener("hashchange", () => {
  if (location.hash && !location.hash.includes("=")) return; // a place, not a choice
  chosen = fromAddress();
  apply();
});
chosen = fromAddress();
one(".top").hidden = false;
apply();
goTo(chosen.get("at"));
