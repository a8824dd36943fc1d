// The pictures of a preview: two canvases, fed by binary custom messages, each answered by one acknowledgement.

const PICTURES = ["Input", "Output"];

/** Decode a pair: the first `split` bytes are the input's JPEG, the rest, if any, the output's. */
async function decode(buffer, split) {
  const bytes = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  const parts = [bytes.subarray(0, split), bytes.subarray(split)];
  const results = await Promise.allSettled(
    parts.map((part) => (part.length ? createImageBitmap(new Blob([part], { type: "image/jpeg" })) : null)),
  );
  const bitmaps = results.map((result) => result.value ?? null);
  const failed = results.find((result) => result.status === "rejected");
  if (failed) {
    bitmaps.forEach((bitmap) => bitmap?.close());
    throw failed.reason;
  }
  return bitmaps;
}

function element(tag, className, parent, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  parent.append(made);
  return made;
}

class View {
  constructor(el, width, height) {
    this.root = element("section", "byoc-preview", el);
    this.root.setAttribute("aria-label", "Preview of process_frame");
    const pictures = element("div", "byoc-preview-pictures", this.root);
    pictures.style.setProperty("--byoc-width", `${width}px`);
    this.canvases = PICTURES.map((name) => {
      const figure = element("figure", "byoc-preview-figure", pictures);
      element("figcaption", "byoc-preview-caption", figure, name);
      const canvas = element("canvas", `byoc-preview-canvas byoc-preview-${name.toLowerCase()}`, figure);
      canvas.width = width;
      canvas.height = height;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${name} picture of process_frame`);
      return canvas;
    });
    this.numbers = element("ul", "byoc-preview-numbers", this.root);
    this.notice = element("p", "byoc-preview-notice", this.root, "Waiting for the first picture…");
    this.notice.setAttribute("role", "status");
    this.error = element("p", "byoc-preview-error", this.root);
    this.error.setAttribute("role", "alert");
  }

  /** Give the sliders beside this widget the accessible name that ipywidgets only shows. */
  nameSliders() {
    for (const handle of this.root.closest(".widget-vbox")?.querySelectorAll(".noUi-handle") ?? [])
      handle.setAttribute("aria-label", handle.closest(".widget-slider").querySelector("label").textContent);
  }

  draw(bitmaps) {
    this.canvases.forEach((canvas, i) => {
      const bitmap = bitmaps[i];
      canvas.classList.toggle("byoc-preview-withheld", !bitmap);
      if (!bitmap) return;
      if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
        canvas.width = bitmap.width;
        canvas.height = bitmap.height;
      }
      canvas.getContext("2d", { alpha: false }).drawImage(bitmap, 0, 0);
    });
  }

  tell({ numbers, notice, error }) {
    if (!this.numbers.hasChildNodes()) this.nameSliders();
    this.notice.textContent = notice;
    if (this.error.textContent !== error) this.error.textContent = error;
    if (this.numbers.childElementCount !== numbers.length) {
      this.numbers.replaceChildren();
      for (const [, label] of numbers) {
        const item = element("li", "byoc-preview-number", this.numbers);
        element("strong", "byoc-preview-value", item);
        item.append(` ${label}`);
      }
    }
    numbers.forEach(([value], i) => (this.numbers.children[i].firstElementChild.textContent = value));
  }
}

export default () => {
  const views = new Set();
  let lastDrawn = -1;

  /** Draw a pair unless a newer one is there already: decoding ends out of order. Returns whether it was drawn. */
  async function draw({ number, split }, buffer) {
    if (views.size === 0 || number < lastDrawn) return false;
    const bitmaps = await decode(buffer, split);
    const isNewest = number > lastDrawn;
    if (isNewest) {
      lastDrawn = number;
      views.forEach((view) => view.draw(bitmaps));
    }
    bitmaps.forEach((bitmap) => bitmap?.close());
    return isNewest;
  }

  return {
    initialize({ model }) {
      async function receive(content, buffers) {
        if (content.kind === "pair") {
          const drawn = await draw(content, buffers[0]).catch((error) => {
            console.error("byoc-kit: a picture could not be drawn", error);
            return false;
          });
          model.send({ kind: "ack", number: content.number, drawn });
          if (!drawn) return;
        }
        if (content.numbers) views.forEach((view) => view.tell(content));
      }
      model.on("msg:custom", receive);
      return () => model.off("msg:custom", receive);
    },

    render({ model, el }) {
      const view = new View(el, model.get("width"), model.get("height"));
      views.add(view);
      model.send({ kind: "ready" });
      return () => {
        views.delete(view);
        view.root.remove();
      };
    },
  };
};
