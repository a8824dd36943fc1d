// Input and output of one frame, and the ways to compare them.

const VIEWS = { side: "Side by side", swipe: "Swipe", flicker: "Flicker", difference: "Difference" };
const AMPLIFICATIONS = [1, 4, 16];
const ZOOMS = [1, 2, 4, 8];
// A picture that is enlarged this many times or more is not smoothed.
const TINY = 4;

/**
 * @typedef {{ width: number, height: number }} Size
 */

/**
 * Return x, y, width and height of a picture that is scaled to fit into a box, with its own aspect ratio.
 * @param {Size} picture
 * @param {Size} box
 * @returns {[number, number, number, number]}
 */
function fitted(picture, box) {
  const scale = Math.min(box.width / picture.width, box.height / picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  return [(box.width - width) / 2, (box.height - height) / 2, width, height];
}

class Pair {
  /**
   * @param {Element} parent
   * @param {Size} size
   */
  constructor(parent, { width, height }) {
    this.root = make("div", { className: "byoc-preview-pictures", "data-mode": "side", parent });
    this.width = width;
    this.amplification = 4;
    this.sizes = "";
    /** @type {HTMLElement[]} */
    this.captions = [];
    /** @type {HTMLCanvasElement[]} */
    this.canvases = [];
    for (const name of ["input", "output", "difference"]) this.addFigure(name, width, height);
    this.root.append(this.makeSwipe());
    this.root.onpointermove = (event) => this.lookAt(event);
    this.shape();
  }

  /**
   * @param {string} name
   * @param {number} width
   * @param {number} height
   */
  addFigure(name, width, height) {
    const caption = make("figcaption", { className: "byoc-preview-caption" });
    const canvas = make("canvas", { className: `byoc-preview-canvas byoc-preview-${name}`, width, height, role: "img" });
    canvas.setAttribute("aria-label", `${name} picture of process_frame`);
    const lens = make("div", { className: "byoc-preview-lens", children: [canvas] });
    const frame = make("div", { className: "byoc-preview-frame", children: [lens] });
    make("figure", {
      className: `byoc-preview-figure byoc-preview-figure-${name}`,
      parent: this.root,
      children: [caption, frame],
    });
    this.captions.push(caption);
    this.canvases.push(canvas);
  }

  makeSwipe() {
    const swipe = make("input", { type: "range", min: 0, max: 100, value: 50, className: "byoc-preview-swipe" });
    swipe.setAttribute("aria-label", "How much of the left picture shows");
    swipe.oninput = () => this.root.style.setProperty("--byoc-swipe", `${swipe.value}%`);
    return swipe;
  }

  get mode() {
    return this.root.dataset.mode;
  }

  /** @param {string} mode one of VIEWS */
  setMode(mode) {
    this.root.dataset.mode = mode;
    this.drawDifference();
  }

  /** @param {number} times */
  setAmplification(times) {
    this.amplification = times;
    this.captionDifference();
    this.drawDifference();
  }

  /** @param {number} times */
  setZoom(times) {
    this.root.style.setProperty("--byoc-zoom", String(times));
    this.root.classList.toggle("byoc-preview-zoomed", times > 1);
  }

  /**
   * Enlarge what is under the pointer, at the same place in both pictures.
   * @param {PointerEvent} event
   */
  lookAt(event) {
    const lens = /** @type {Element} */ (event.target).closest(".byoc-preview-lens");
    if (!lens) return;
    const box = lens.getBoundingClientRect();
    this.root.style.setProperty("--byoc-x", `${(100 * (event.clientX - box.left)) / box.width}%`);
    this.root.style.setProperty("--byoc-y", `${(100 * (event.clientY - box.top)) / box.height}%`);
  }

  /**
   * Write the captions; `sizes` names both sizes if input and output differ in size.
   * @param {string[]} captions
   * @param {string} sizes
   */
  caption(captions, sizes) {
    captions.forEach((text, i) => setText(this.captions[i], text));
    this.sizes = sizes;
    this.captionDifference();
  }

  captionDifference() {
    const times = this.amplification === 1 ? "" : `, ${this.amplification} times`;
    setText(this.captions[2], `Difference${times}${this.sizes && ` · ${this.sizes}`}`);
  }

  /**
   * Draw input and output. If there is no output, process_frame withheld it.
   * @param {ImageBitmap[]} bitmaps
   */
  draw(bitmaps) {
    this.canvases.slice(0, 2).forEach((canvas, i) => {
      const bitmap = bitmaps[i];
      canvas.classList.toggle("byoc-preview-withheld", !bitmap); // it still shows an earlier frame
      if (!bitmap) return;
      const { width, height } = bitmap;
      if (canvas.width !== width || canvas.height !== height) this.resize(canvas, width, height);
      painter(canvas).drawImage(bitmap, 0, 0);
    });
    this.drawDifference();
  }

  /**
   * Give a canvas the size of a picture. This clears it.
   * @param {HTMLCanvasElement} canvas
   * @param {number} width
   * @param {number} height
   */
  resize(canvas, width, height) {
    canvas.width = width;
    canvas.height = height;
    canvas.classList.toggle("byoc-preview-tiny", Math.max(width, height) * TINY <= this.width);
    if (canvas === this.canvases[0]) this.shape();
  }

  /** Where one picture covers the other, both have the shape of the input. An output of another shape gets bars. */
  shape() {
    const { width, height } = this.canvases[0];
    this.root.style.setProperty("--byoc-shape", `${width} / ${height}`);
  }

  drawDifference() {
    if (this.mode !== "difference") return;
    const [left, right, canvas] = this.canvases;
    const isWithheld = right.classList.contains("byoc-preview-withheld");
    canvas.classList.toggle("byoc-preview-withheld", isWithheld);
    if (isWithheld) return;
    this.resize(canvas, left.width, left.height);
    const context = painter(canvas);
    const place = fitted(right, left);
    context.rect(...place);
    context.clip(); // outside of it there is nothing to compare with
    context.drawImage(left, 0, 0);
    context.globalCompositeOperation = "difference";
    context.drawImage(right, ...place);
    context.globalCompositeOperation = "lighter"; // adds the picture to itself: 2 times, 4 times, and so on
    for (let times = 1; times < this.amplification; times *= 2) context.drawImage(canvas, 0, 0);
  }
}
