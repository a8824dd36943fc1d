// What a person sees and uses. It is built once; after that only texts, values and classes change.

// 0.04 shows one picture a second of a folder of images, whose pace is 25.
const SPEEDS = [0.04, 0.25, 0.5, 1, 2];
const SOURCES = "A video file, a folder of images, a URL, webcam or synthetic:bars; Enter switches";

class View {
  /**
   * @param {HTMLElement} el
   * @param {Size} size
   * @param {Command} command sends what a person wants
   */
  constructor(el, size, command) {
    this.command = command;
    this.isScrubbing = false;
    this.root = make("section", {
      className: "byoc-preview",
      tabIndex: 0,
      "aria-label": "Preview of process_frame; space plays and pauses, arrows step, f fills the screen",
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event),
      parent: el,
    });
    this.root.style.setProperty("--byoc-width", `${size.width}px`);
    const head = make("div", { className: "byoc-preview-bar", parent: this.root });
    this.pair = new Pair(this.root, size);
    this.buildHead(head);
    this.pair.root.ondblclick = ({ target }) => target instanceof HTMLCanvasElement && this.toggleFullScreen();
    this.buildError(this.pair.root);
    this.buildTransport();
    this.buildNumbers();
    this.published = make("p", { className: "byoc-preview-published", hidden: true, parent: this.root });
    this.publishedRate = make("strong", { parent: this.published });
    this.publishedLine = make("code", { parent: this.published });
    this.printed = make("details", { className: "byoc-preview-printed", open: true, hidden: true, parent: this.root });
    this.printedHead = make("summary", { parent: this.printed });
    this.printedText = make("pre", { tabIndex: 0, parent: this.printed });
    this.notice = make("p", { className: "byoc-preview-notice", role: "status", parent: this.root });
    this.notice.textContent = "Waiting for the first picture…";
    this.buildParams();
  }

  /** @param {Element} head */
  buildHead(head) {
    this.source = make("input", { className: "byoc-preview-source", type: "text", spellcheck: false });
    this.sources = make("datalist", { id: newId(), parent: head });
    this.source.setAttribute("list", this.sources.id);
    this.source.onfocus = () => {
      this.asked = null;
      this.isEdited = false;
      this.source.select();
    };
    this.source.oninput = () => (this.isEdited = true);
    // Enter closes the list of suggestions, and then there is no change event.
    this.source.onkeydown = (event) => event.key === "Enter" && this.enterSource();
    this.source.onchange = () => this.source.value.trim() !== this.asked && this.switchTo(this.source.value.trim());
    labelled("Source", this.source, head).classList.add("byoc-preview-grows");
    const mode = choice(Object.entries(VIEWS), (value) => this.setMode(value));
    labelled("Compare", mode, head);
    const amplification = choice(AMPLIFICATIONS.map(times), (value) => this.pair.setAmplification(Number(value)));
    amplification.value = String(this.pair.amplification);
    this.amplify = labelled("Amplify", amplification, head);
    this.amplify.hidden = true;
    const zoom = choice(ZOOMS.map(times), (value) => this.pair.setZoom(Number(value)));
    zoom.title = "Enlarges what is under the pointer, at the same place in both pictures";
    labelled("Zoom", zoom, head);
    const full = button("Full screen", () => this.toggleFullScreen(), { picture: "full", parent: head });
    full.hidden = !document.fullscreenEnabled;
    this.budget = make("span", { className: "byoc-preview-budget", parent: head });
  }

  /** @param {Element} parent */
  buildError(parent) {
    this.error = make("div", { className: "byoc-preview-error", hidden: true, parent });
    const said = make("div", { className: "byoc-preview-error-said", tabIndex: 0, parent: this.error });
    this.errorText = make("strong", { role: "alert", parent: said });
    this.errorTimes = make("div", { className: "byoc-preview-times", parent: said }); // not in the alert: it changes with each frame
    this.errorTrace = make("pre", { parent: said });
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
    // If it is dragged back to where it began, there is no change event.
    this.scrub.onchange = this.scrub.onpointerup = this.scrub.onblur = () => (this.isScrubbing = false);
    this.where = make("span", { className: "byoc-preview-where", parent: bar });
    this.loop = make("input", { type: "checkbox", onchange: () => this.command("loop", this.loop.checked) });
    labelled("Loop", this.loop, bar);
    this.speed = choice(
      SPEEDS.map(times),
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

  buildNumbers() {
    this.numbers = make("ul", { className: "byoc-preview-numbers", parent: this.root });
    const more = button("More numbers", () => showAll(!this.root.classList.contains("byoc-preview-all-numbers")), {
      parent: this.root,
    });
    more.classList.add("byoc-preview-more");
    const showAll = (/** @type {boolean} */ isAll) => {
      this.root.classList.toggle("byoc-preview-all-numbers", isAll);
      more.setAttribute("aria-expanded", String(isAll));
      setText(more, isAll ? "Fewer numbers" : "More numbers");
    };
    showAll(false);
  }

  buildParams() {
    const details = make("details", { className: "byoc-preview-params", parent: this.root });
    make("summary", { textContent: "Parameters as curl", parent: details });
    this.curl = make("pre", { tabIndex: 0, parent: details });
    const copy = button("Copy as curl", () => this.copy(copy), { parent: details });
  }

  /** @param {HTMLButtonElement} control */
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

  /**
   * Ask for a source. If the name was not edited, the present source is opened again.
   * @param {string} source
   */
  switchTo(source) {
    this.asked = source;
    if (source) this.command("source", this.isEdited ? source : null);
  }

  enterSource() {
    this.switchTo(this.source.value.trim());
    this.root.focus(); // without the focus, the field shows what really plays
  }

  toggleFullScreen() {
    if (document.fullscreenElement === this.root) document.exitFullscreen();
    else this.root.requestFullscreen?.();
  }

  toggle() {
    this.command(this.isPlaying ? "pause" : "play");
  }

  /**
   * Keep plain keys from JupyterLab, which would read them as commands: `dd` deletes the cell. It still gets Shift+Enter.
   * @param {KeyboardEvent} event
   */
  keepKeys(event) {
    const isCommand = event.ctrlKey || event.altKey || event.metaKey || (event.shiftKey && event.key === "Enter");
    if (!isCommand) event.stopPropagation();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    this.keepKeys(event);
    const { key, target } = event;
    const isOwn = target === this.root || target === this.scrub || target instanceof HTMLCanvasElement;
    const steps = key === "ArrowLeft" ? -1 : key === "ArrowRight" ? 1 : 0;
    if (event.ctrlKey || event.altKey || event.metaKey || !isOwn) return;
    if (key === " ") this.toggle();
    else if (key === "f") this.toggleFullScreen();
    else if (steps && !this.back.disabled) this.command("step", steps * (event.shiftKey ? 10 : 1));
    else return;
    event.preventDefault();
  }

  /** @param {string} mode */
  setMode(mode) {
    this.pair.setMode(mode);
    this.amplify.hidden = mode !== "difference";
  }

  /** Add what ipywidgets leaves out of the controls below: keys stay in them, and sliders have accessible names. */
  adoptControls() {
    const home = /** @type {HTMLElement | null} */ (this.root.closest(".widget-vbox"));
    if (!home) return;
    home.onkeydown = this.keepKeys;
    for (const handle of home.querySelectorAll(".noUi-handle:not([aria-label])"))
      handle.setAttribute("aria-label", handle.closest(".widget-slider").querySelector("label").textContent);
  }

  /** @param {Position | null} position */
  place(position) {
    const isSeekable = Boolean(position);
    this.seekable.forEach((control) => (control.disabled = !isSeekable));
    if (!isSeekable) {
      setText(this.where, "live");
      return;
    }
    const { number, count, time_s: seconds } = position;
    this.scrub.max = String(count - 1);
    if (!this.isScrubbing) this.scrub.value = String(number);
    this.scrub.setAttribute("aria-valuetext", `frame ${number} of ${count}`);
    setText(this.where, `${number} / ${count - 1} · ${clock(seconds)}`);
  }

  /** @param {Status} status */
  tell(status) {
    this.adoptControls();
    setText(this.notice, status.notice);
    this.notice.classList.toggle("byoc-preview-quiet", !status.is_warning);
    this.pair.caption(status.captions, status.sizes);
    this.tellError(status.error);
    this.tellState(status);
    this.tellNumbers(status.numbers);
    this.tellPublished(status.published);
    this.tellPrinted(status.printed);
    const { budget } = status;
    this.budget.hidden = !budget;
    if (!budget) return;
    setText(this.budget, budget.text);
    this.budget.classList.toggle("byoc-preview-over", !budget.is_held);
    this.budget.style.setProperty("--byoc-share", `${Math.min(100, 100 * budget.share)}%`);
    this.budget.title = budget.detail;
  }

  /** @param {Failure | null} error */
  tellError(error) {
    this.error.hidden = !error;
    if (!error) return;
    if (error.position) this.place(error.position);
    setText(this.errorText, error.text);
    setText(this.errorTimes, error.times ?? "");
    setText(this.errorTrace, error.trace);
    this.errorTrace.hidden = !error.trace;
    this.errorActions.hidden = !error.is_case;
  }

  /**
   * Disable everything once the kernel is gone: nothing would happen.
   * @param {boolean} isDead
   */
  setDead(isDead) {
    for (const child of this.root.children) child.toggleAttribute("inert", isDead);
  }

  /** @param {Status["published"]} published */
  tellPublished(published) {
    this.published.hidden = !published;
    if (!published) return;
    setText(this.publishedRate, `published ${published.rate}`);
    setText(this.publishedLine, published.line);
  }

  /**
   * Scroll to the last line, unless a person has scrolled back.
   * @param {Status["printed"]} printed
   */
  tellPrinted(printed) {
    this.printed.hidden = !printed;
    if (!printed) return;
    const pre = this.printedText;
    const isAtEnd = pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 4;
    setText(this.printedHead, printed.head);
    setText(pre, printed.text);
    if (isAtEnd) pre.scrollTop = pre.scrollHeight;
  }

  /** @param {Status} status */
  tellState({ state, curl, version }) {
    this.isPlaying = state.is_playing;
    const name = this.isPlaying ? "Pause" : "Play";
    if (this.play.title !== name) {
      this.play.replaceChildren(icon(this.isPlaying ? "pause" : "play"));
      this.play.title = name;
      this.play.setAttribute("aria-label", name);
    }
    if (document.activeElement !== this.source) this.source.value = state.source;
    this.source.title = `${state.source}\n${SOURCES}`;
    if (this.sources.childElementCount !== state.sources.length)
      this.sources.replaceChildren(...state.sources.map((value) => make("option", { value })));
    this.loop.checked = state.is_looping;
    this.speed.value = String(state.speed);
    this.revert.disabled = !state.can_revert;
    setText(this.revert, state.is_reverted ? "Redo" : "Revert");
    this.revert.title = state.is_reverted ? "Play the newest process_frame again" : "Go back to the process_frame before";
    setText(this.version, version);
    setText(this.record, state.is_recording ? "Stop recording" : "Record");
    this.record.classList.toggle("byoc-preview-recording", state.is_recording);
    setText(this.curl, curl);
  }

  /** @param {Status["numbers"]} numbers */
  tellNumbers(numbers) {
    if (this.numbers.childElementCount !== numbers.length) {
      this.numbers.replaceChildren();
      for (const [, label, title, isExtra] of numbers)
        make("li", {
          className: `byoc-preview-number${isExtra ? " byoc-preview-extra" : ""}`,
          title,
          parent: this.numbers,
          children: [make("strong", { className: "byoc-preview-value" }), ` ${label}`],
        });
    }
    numbers.forEach(([value], i) => setText(this.numbers.children[i].firstElementChild, value));
  }
}
