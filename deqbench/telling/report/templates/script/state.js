// What the reader has chosen, kept in the address: "#axis=seconds&sort.overall=2:down". Nothing is stored
// anywhere else; a link holds all of it. A plain "#failures" stays what it is, a place in the page.

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const one = (selector, root = document) => root.querySelector(selector);

let chosen = new Map();
const appliers = [];

function fromAddress() {
  const text = location.hash.slice(1);
  return new Map(text.includes("=") ? new URLSearchParams(text) : []);
}

function toAddress() {
  const text = new URLSearchParams([...chosen]).toString();
  const address = text ? `#${text}` : location.pathname.split("/").pop() + location.search;
  try {
    history.replaceState(null, "", address);
  } catch {
    location.hash = text; // an embedding page may forbid the other
  }
}

// Choose a value (nothing: as it was at first), show it, and write it into the address.
function choose(key, value) {
  if (value) chosen.set(key, value);
  else chosen.delete(key);
  toAddress();
  apply();
}

function apply() {
  for (const applier of appliers) applier();
}

function say(text) {
  one("#said").textContent = text;
}

// An element with text in it, safely: text is never read as markup.
function made(tag, text = "", attributes = {}) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function embedded(id) {
  const element = document.getElementById(id);
  return element ? JSON.parse(element.textContent) : null;
}
