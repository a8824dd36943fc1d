// What a person sees and touches: built once, then only texts, values and classes change.

const VIEWS = { side: "Side by side", swipe: "Swipe", flicker: "Flicker", difference: "Difference" };
const SPEEDS = [0.25, 0.5, 1, 2];
const AMPLIFIED = 8;
// A picture that would be enlarged so many times is not smoothed.
const TINY = 4;
const ICONS = {
  play: "M8 5v14l11-7z",
  pause: "M6 5h4v14H6zM14 5h4v14h-4z",
  back: "M18 5v14l-9-7zM6 5h2v14H6z",
  forward: "M6 5v14l9-7zM16 5h2v14h-2z",
};

// Each widget has a module of its own: only chance keeps the ids of two on one page apart.
const UNIQUE = Math.random().toString(36).slice(2);
let ids = 0;

function newId() {
  return `byoc-preview-${UNIQUE}-${++ids}`;
}

/** Write a text where it has changed: a selection in it stays, and a screen reader says it once. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Make an element: its properties, `aria-…` and `data-…` attributes, and its children. */
function make(tag, { parent, children = [], ...properties } = {}) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    if (name.includes("-") || name === "role" || name === "for") made.setAttribute(name, value);
    else made[name] = value;
  made.append(...children);
  parent?.append(made);
  return made;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
  svg.firstChild.setAttribute("d", ICONS[name]);
  return svg;
}

function button(name, onclick, { picture, parent, ...rest } = {}) {
  const made = make("button", { type: "button", className: "byoc-preview-button", onclick, parent, ...rest });
  made.append(...(picture ? [icon(picture)] : [name]));
  if (picture) {
    made.title = name;
    made.setAttribute("aria-label", name);
  }
  return made;
}

/** A control behind its label. */
function labelled(text, control, parent) {
  control.id = newId();
  return make("span", {
    className: "byoc-preview-labelled",
    parent,
    children: [make("label", { for: control.id, textContent: text }), control],
  });
}

function choice(options, onchange) {
  const made = make("select", { className: "byoc-preview-select", onchange: () => onchange(made.value) });
  for (const [value, text] of options) make("option", { value, textContent: text, parent: made });
  return made;
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}.${Math.floor((seconds - whole) * 10)}`;
}

class View {
  /** `command(name, value)` sends what a person wants. */
  constructor(el, { width, height }, command) {
    this.command = command;
    this.isScrubbing = false;
    this.root = make("section", {
      className: "byoc-preview",
      tabIndex: 0,
      "aria-label": "Preview of process_frame; space plays and pauses, arrows step",
      onkeydown: (event) => this.onKey(event),
      parent: el,
    });
    this.buildHead();
    this.buildPictures(width, height);
    this.buildTransport();
    this.numbers = make("ul", { className: "byoc-preview-numbers", parent: this.root });
    this.published = make("p", { className: "byoc-preview-published", hidden: true, parent: this.root });
    this.publishedRate = make("strong", { parent: this.published });
    this.publishedLine = make("code", { parent: this.published });
    this.notice = make("p", { className: "byoc-preview-notice", role: "status", parent: this.root });
    this.notice.textContent = "Waiting for the first picture…";
    this.buildParams();
  }

  buildHead() {
    const head = make("div", { className: "byoc-preview-bar", parent: this.root });
    this.source = make("input", { className: "byoc-preview-source", type: "text", spellcheck: false });
    this.source.title = "A video file, a folder of images, a URL, webcam or synthetic; Enter switches";
    this.sources = make("datalist", { id: newId(), parent: head });
    this.source.setAttribute("list", this.sources.id);
    this.source.onfocus = () => {
      this.asked = null;
      this.isEdited = false;
      this.source.select();
    };
    this.source.oninput = () => (this.isEdited = true);
    // Enter closes the list of suggestions, and then there is no change event.
    this.source.onkeydown = (event) => event.key === "Enter" && this.switchTo(this.source.value.trim());
    this.source.onchange = () => this.source.value.trim() !== this.asked && this.switchTo(this.source.value.trim());
    labelled("Source", this.source, head);
    this.mode = choice(Object.entries(VIEWS), (mode) => this.setMode(mode));
    labelled("Compare", this.mode, head);
    this.budget = make("span", { className: "byoc-preview-budget", parent: head });
  }

  buildPictures(width, height) {
    this.pictures = make("div", { className: "byoc-preview-pictures", "data-mode": "side", parent: this.root });
    this.width = width;
    this.root.style.setProperty("--byoc-width", `${width}px`);
    this.captions = [];
    this.canvases = ["input", "output", "difference"].map((name) => {
      const caption = make("figcaption", { className: "byoc-preview-caption" });
      caption.textContent = name === "difference" ? `Difference, ${AMPLIFIED} times` : name;
      const canvas = make("canvas", { className: `byoc-preview-canvas byoc-preview-${name}`, width, height, role: "img" });
      canvas.setAttribute("aria-label", `${name} picture of process_frame`);
      const frame = make("div", { className: "byoc-preview-frame", children: [canvas] });
      make("figure", {
        className: `byoc-preview-figure byoc-preview-figure-${name}`,
        parent: this.pictures,
        children: [caption, frame],
      });
      this.captions.push(caption);
      return canvas;
    });
    this.buildError(this.canvases[1].parentElement);
    this.swipe = make("input", { type: "range", min: 0, max: 100, value: 50, className: "byoc-preview-swipe" });
    this.swipe.setAttribute("aria-label", "How much of the left picture is seen");
    this.swipe.oninput = () => this.pictures.style.setProperty("--byoc-swipe", `${this.swipe.value}%`);
    this.pictures.append(this.swipe);
  }

  buildError(parent) {
    this.error = make("div", { className: "byoc-preview-error", hidden: true, parent });
    this.errorText = make("strong", { role: "alert", parent: this.error });
    this.errorTimes = make("div", { className: "byoc-preview-times", parent: this.error }); // not in the alert: it changes with each frame
    this.errorTrace = make("pre", { tabIndex: 0, parent: this.error });
    this.errorActions = make("div", { parent: this.error });
    button("Save as test case", () => this.command("save_case"), { parent: this.errorActions });
  }

  buildTransport() {
    const bar = make("div", { className: "byoc-preview-bar byoc-preview-transport", parent: this.root });
    this.back = button("Step back", () => this.command("step", -1), { picture: "back", parent: bar });
    this.play = button("Play", () => this.toggle(), { picture: "play", parent: bar });
    this.play.classList.add("byoc-preview-play");
    this.forward = button("Step forward", () => this.command("step", 1), { picture: "forward", parent: bar });
    this.scrub = make("input", { type: "range", min: 0, max: 0, value: 0, className: "byoc-preview-scrub", parent: bar });
    this.scrub.setAttribute("aria-label", "Frame");
    this.scrub.oninput = () => {
      this.isScrubbing = true;
      this.command("seek", Number(this.scrub.value));
    };
    // Dragged back to where it began, there is no change event.
    this.scrub.onchange = this.scrub.onpointerup = this.scrub.onblur = () => (this.isScrubbing = false);
    this.where = make("span", { className: "byoc-preview-where", parent: bar });
    this.loop = make("input", { type: "checkbox", onchange: () => this.command("loop", this.loop.checked) });
    labelled("Loop", this.loop, bar);
    this.speed = choice(
      SPEEDS.map((speed) => [speed, `${speed}x`]),
      (speed) => this.command("speed", Number(speed)),
    );
    labelled("Speed", this.speed, bar);
    this.seekable = [this.back, this.forward, this.scrub, this.loop, this.speed];
    this.record = button("Record", () => this.command("record"), { parent: bar });
    this.record.title = "Write input and output to MP4 files, until it is pressed again";
    this.golden = button("Save as golden", () => this.command("save_golden"), { parent: bar });
    this.golden.title = "Keep this frame and its output, without loss, for a regression notebook";
    this.revert = button("Revert", () => this.command("revert"), { parent: bar });
    this.version = make("span", { className: "byoc-preview-version", parent: bar });
  }

  buildParams() {
    const details = make("details", { className: "byoc-preview-params", parent: this.root });
    make("summary", { textContent: "Parameters as JSON", parent: details });
    this.curl = make("pre", { tabIndex: 0, parent: details });
    const copy = button("Copy as curl", () => this.copy(copy), { parent: details });
  }

  async copy(control) {
    try {
      await navigator.clipboard.writeText(this.curl.textContent);
      control.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(this.curl);
      control.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => (control.textContent = "Copy as curl"), 2000);
  }

  /** Ask for a source; the name of the present one, left as it stands there, means that one, opened again. */
  switchTo(source) {
    this.asked = source;
    if (source) this.command("source", this.isEdited ? source : null);
  }

  toggle() {
    this.command(this.isPlaying ? "pause" : "play");
  }

  /** Keep plain keys from JupyterLab, which would take them for commands, `dd` to delete the cell; it gets Shift+Enter. */
  keepKeys(event) {
    const isCommand = event.ctrlKey || event.altKey || event.metaKey || (event.shiftKey && event.key === "Enter");
    if (!isCommand) event.stopPropagation();
  }

  onKey(event) {
    this.keepKeys(event);
    const { key, target } = event;
    const isOwn = target === this.root || target === this.scrub || this.canvases.includes(target);
    const steps = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (event.ctrlKey || event.altKey || event.metaKey || !isOwn) return;
    if (key === " ") this.toggle();
    else if (steps && !this.back.disabled) this.command("step", steps * (event.shiftKey ? 10 : 1));
    else return;
    event.preventDefault();
  }

  setMode(mode) {
    this.pictures.dataset.mode = mode;
    this.drawDifference();
  }

  /** Give the controls beside this widget what ipywidgets does not: their keys, and the sliders' accessible names. */
  adoptControls() {
    const home = this.root.closest(".widget-vbox");
    if (!home) return;
    home.onkeydown = this.keepKeys;
    for (const handle of home.querySelectorAll(".noUi-handle:not([aria-label])"))
      handle.setAttribute("aria-label", handle.closest(".widget-slider").querySelector("label").textContent);
  }

  /** Draw input and output; where there is no output, it was withheld. */
  draw([left, right]) {
    [left, right].forEach((bitmap, i) => {
      const canvas = this.canvases[i];
      canvas.classList.toggle("byoc-preview-withheld", !bitmap); // what it still shows is of an earlier frame
      if (!bitmap) return;
      const { width, height } = bitmap;
      if (canvas.width !== width || canvas.height !== height) this.resize(canvas, width, height);
      canvas.getContext("2d", { alpha: false }).drawImage(bitmap, 0, 0);
    });
    this.drawDifference();
  }

  /** Give a canvas the size of a picture, which clears it. */
  resize(canvas, width, height) {
    canvas.width = width;
    canvas.height = height;
    canvas.classList.toggle("byoc-preview-tiny", Math.max(width, height) * TINY <= this.width);
  }

  drawDifference() {
    if (this.pictures.dataset.mode !== "difference") return;
    const [left, right, canvas] = this.canvases;
    const isWithheld = right.classList.contains("byoc-preview-withheld");
    canvas.classList.toggle("byoc-preview-withheld", isWithheld);
    if (isWithheld) return;
    this.resize(canvas, left.width, left.height);
    const context = canvas.getContext("2d", { alpha: false });
    context.drawImage(left, 0, 0);
    context.globalCompositeOperation = "difference";
    context.drawImage(right, 0, 0, left.width, left.height);
    context.globalCompositeOperation = "lighter"; // twice itself, three times: eight times
    for (let times = 1; times < AMPLIFIED; times *= 2) context.drawImage(canvas, 0, 0);
  }

  place(position) {
    const isSeekable = Boolean(position);
    this.seekable.forEach((control) => (control.disabled = !isSeekable));
    if (!isSeekable) {
      setText(this.where, "live");
      return;
    }
    const { number, count, time_s: seconds } = position;
    this.scrub.max = count - 1;
    if (!this.isScrubbing) this.scrub.value = number;
    this.scrub.setAttribute("aria-valuetext", `frame ${number} of ${count}`);
    setText(this.where, `${number} / ${count - 1} · ${clock(seconds)}`);
  }

  tell(status) {
    this.adoptControls();
    setText(this.notice, status.notice);
    this.tellError(status.error);
    this.tellState(status);
    this.tellNumbers(status.numbers);
    this.tellPublished(status.published);
    const { budget } = status;
    this.budget.hidden = !budget;
    if (!budget) return;
    setText(this.budget, budget.text);
    this.budget.classList.toggle("byoc-preview-over", !budget.is_held);
    this.budget.style.setProperty("--byoc-share", `${Math.min(100, 100 * budget.share)}%`);
    this.budget.title = budget.detail;
  }

  tellError(error) {
    this.error.hidden = !error;
    if (!error) return;
    if (error.position) this.place(error.position);
    setText(this.errorText, error.text);
    setText(this.errorTimes, error.times ?? "");
    setText(this.errorTrace, error.trace);
    this.errorTrace.hidden = !error.trace;
    this.errorActions.hidden = !error.trace;
  }

  /** Take no more orders where the kernel is gone: nobody would hear them. */
  setDead(isDead) {
    for (const child of this.root.children) child.inert = isDead;
  }

  tellPublished(published) {
    this.published.hidden = !published;
    if (!published) return;
    setText(this.publishedRate, `published ${published.rate}`);
    setText(this.publishedLine, published.line);
  }

  tellState({ state, captions, curl, version }) {
    this.isPlaying = state.is_playing;
    const name = this.isPlaying ? "Pause" : "Play";
    if (this.play.title !== name) {
      this.play.replaceChildren(icon(name.toLowerCase()));
      this.play.title = name;
      this.play.setAttribute("aria-label", name);
    }
    if (document.activeElement !== this.source) this.source.value = state.source;
    if (this.sources.childElementCount !== state.sources.length)
      this.sources.replaceChildren(...state.sources.map((value) => make("option", { value })));
    this.loop.checked = state.is_looping;
    this.speed.value = state.speed;
    this.revert.disabled = !state.can_revert;
    setText(this.revert, state.is_reverted ? "Redo" : "Revert");
    this.revert.title = state.is_reverted ? "Play the newest process_frame again" : "Go back to the process_frame before";
    setText(this.version, version);
    setText(this.record, state.is_recording ? "Stop recording" : "Record");
    this.record.classList.toggle("byoc-preview-recording", state.is_recording);
    captions.forEach((text, i) => setText(this.captions[i], text));
    setText(this.curl, curl);
  }

  tellNumbers(numbers) {
    if (this.numbers.childElementCount !== numbers.length) {
      this.numbers.replaceChildren();
      for (const [, label] of numbers)
        make("li", {
          className: "byoc-preview-number",
          parent: this.numbers,
          children: [make("strong", { className: "byoc-preview-value" }), ` ${label}`],
        });
    }
    numbers.forEach(([value], i) => setText(this.numbers.children[i].firstElementChild, value));
  }
}
