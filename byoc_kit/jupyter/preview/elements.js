// The elements that a preview is made of.

const ICONS = {
  play: "M8 5v14l11-7z",
  pause: "M6 5h4v14H6zM14 5h4v14h-4z",
  back: "M18 5v14l-9-7zM6 5h2v14H6z",
  full: "M5 5h6v2H7v4H5zM13 5h6v6h-2V7h-4zM5 13h2v4h4v2H5zM17 13h2v6h-6v-2h4z",
  forward: "M6 5v14l9-7zM16 5h2v14h-2z",
};

// Each widget has its own copy of this module, so a random part keeps the ids of two widgets on one page apart.
const UNIQUE = Math.random().toString(36).slice(2);
let ids = 0;

function newId() {
  return `byoc-preview-${UNIQUE}-${++ids}`;
}

/**
 * Write a text if it has changed, so that a selection in it stays and a screen reader says it once.
 * @param {Element} element
 * @param {string} text
 */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Make an element with these properties, `aria-…` and `data-…` attributes, and children.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {{ parent?: Element, children?: (Node | string)[], [property: string]: any }} [options]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
function make(tag, { parent, children = [], ...properties } = {}) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    if (name.includes("-") || name === "role" || name === "for") made.setAttribute(name, value);
    else Object.assign(made, { [name]: value });
  made.append(...children);
  parent?.append(made);
  return made;
}

/** @param {keyof typeof ICONS} name */
function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * Make a button that shows its name, or a picture with the name as its tooltip.
 * @param {string} name
 * @param {() => unknown} onclick
 * @param {{ picture?: keyof typeof ICONS, parent?: Element }} [options]
 */
function button(name, onclick, { picture, parent, ...rest } = {}) {
  const made = make("button", { type: "button", className: "byoc-preview-button", onclick, parent, ...rest });
  made.append(...(picture ? [icon(picture)] : [name]));
  if (picture) {
    made.title = name;
    made.setAttribute("aria-label", name);
  }
  return made;
}

/**
 * Return the drawing context of an opaque canvas.
 * @param {HTMLCanvasElement | OffscreenCanvas} canvas
 */
function painter(canvas) {
  const options = { alpha: false };
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", options));
}

/**
 * Put a control behind a label.
 * @param {string} text
 * @param {HTMLElement} control
 * @param {Element} parent
 */
function labelled(text, control, parent) {
  control.id = newId();
  return make("span", {
    className: "byoc-preview-labelled",
    parent,
    children: [make("label", { for: control.id, textContent: text }), control],
  });
}

/**
 * Make a drop-down list.
 * @param {(string | number)[][]} options values and their texts
 * @param {(value: string) => void} onchange
 */
function choice(options, onchange) {
  const made = make("select", { className: "byoc-preview-select", onchange: () => onchange(made.value) });
  for (const [value, text] of options) make("option", { value, textContent: text, parent: made });
  return made;
}

/**
 * Return the option "2x" for the number 2.
 * @param {number} count
 */
function times(count) {
  return [count, `${count}x`];
}

/**
 * Return a time as minutes, seconds and tenths.
 * @param {number} seconds
 */
function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}.${Math.floor((seconds - whole) * 10)}`;
}
