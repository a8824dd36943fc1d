// The model of a preview: draws what the kernel sends, acknowledges each pair, and hands on what a person wants.

// Each answer costs the kernel as much as a picture's encoding, in status messages that nobody needs: two pictures an
// answer, unless drawing is slow or no second one comes.
const DRAWN_AN_ANSWER = 2;
const SLOW_MS = 30;
const ANSWER_AFTER_MS = 50;

/** Collect what was drawn, and tell the kernel: `{ number, drawn, draw_ms, glass_ms, ago_ms }` of each picture. */
class Answers {
  constructor(send) {
    this.send = send;
    this.waiting = [];
    this.timer = null;
  }

  add(answer) {
    this.waiting.push({ ...answer, at: performance.now() });
    const isDue = this.waiting.length >= DRAWN_AN_ANSWER || answer.draw_ms > SLOW_MS;
    if (isDue) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), ANSWER_AFTER_MS);
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = null;
    const now = performance.now();
    const pictures = this.waiting.map(({ at, ...answer }) => ({ ...answer, ago_ms: now - at }));
    this.waiting = [];
    if (pictures.length) this.send({ kind: "ack", pictures });
  }
}

export default () => {
  const views = new Set();
  let lastDrawn = -1;
  let lastStatus = null;

  /** Draw a pair unless a newer one is there already: decoding ends out of order. Returns whether it was drawn. */
  async function draw({ number, boxes, position }, buffer) {
    if (views.size === 0 || number < lastDrawn) return false;
    const bitmap = await createImageBitmap(new Blob([buffer], { type: "image/jpeg" }));
    const isNewest = number > lastDrawn;
    if (isNewest) {
      lastDrawn = number;
      views.forEach((view) => {
        view.draw(bitmap, boxes);
        view.place(position);
      });
    }
    bitmap.close();
    return isNewest;
  }

  return {
    initialize({ model }) {
      const camera = new Camera(
        (content, buffers) => model.send(content, undefined, buffers),
        (reason, detail) => model.send({ kind: "camera-refused", reason, detail }),
      );

      const answers = new Answers((content) => model.send(content));

      async function receive(content, buffers) {
        if (content.kind === "pair") await receivePair(content, buffers[0]);
        else if (content.kind === "camera") content.on ? camera.start() : camera.stop();
        else if (content.kind === "camera-more") camera.more();
        if (!content.status) return;
        lastStatus = content.status;
        views.forEach((view) => view.tell(lastStatus));
      }

      async function receivePair(content, buffer) {
        const received = performance.now();
        const drawn = await draw(content, buffer).catch((error) => {
          console.error("byoc-kit: a picture could not be drawn", error);
          return false;
        });
        const now = performance.now();
        const glass_ms = content.captured_ms == null ? null : now - content.captured_ms;
        answers.add({ number: content.number, drawn, draw_ms: now - received, glass_ms });
      }

      model.on("msg:custom", receive);
      return () => {
        model.off("msg:custom", receive);
        camera.stop();
      };
    },

    render({ model, el }) {
      const size = { width: model.get("width"), height: model.get("height") };
      const view = new View(el, size, (name, value = null) => model.send({ kind: "command", name, value }));
      views.add(view);
      if (lastStatus) view.tell(lastStatus);
      model.send({ kind: "ready" });
      return () => {
        views.delete(view);
        view.root.remove();
      };
    },
  };
};
