// Written cells read back as what they are worth: "1,234", "12.3k", "1.2x", "5/6", "[0.1, 0.2]" by its lower end.

const WORTH = { k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, x: 1, "%": 1, "": 1 };

// The number that a cell begins with; null where it holds none, as in "failed" or "-".
function numberIn(text) {
  const found = /^\[?([-\u2212]?(?:\d[\d,]*)?\.?\d+(?:e-?\d+)?)\s*([kMGTPx%]?)(?=$|[\s,\/\])])/.exec(text.trim());
  if (!found) return null;
  return Number(found[1].replace(/,/g, "").replace("\u2212", "-")) * WORTH[found[2]];
}

// How to compare two written cells of one column: by number if all that say something are numbers.
function comparing(texts) {
  const empty = new Set(["", "-", "failed"]);
  const telling = texts.filter((text) => !empty.has(text.trim()));
  const numeric = telling.length > 0 && telling.every((text) => numberIn(text) !== null);
  const names = new Intl.Collator("en", { numeric: true });
  return (first, second, down) => {
    const lacks = [first, second].map((text) => (numeric ? numberIn(text) === null : !text.trim()));
    if (lacks[0] || lacks[1]) return lacks[0] - lacks[1]; // what is missing stands last, both ways
    const order = numeric ? numberIn(first) - numberIn(second) : names.compare(first, second);
    return down ? -order : order;
  };
}
