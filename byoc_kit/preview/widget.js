// The model of a preview: draws what the kernel sends, acknowledges each pair, and hands on what a person wants.

// Each answer costs the kernel as much as a picture's encoding, in status messages that nobody needs: four pictures an
// answer, unless drawing is slow or no fourth one comes.
const DRAWN_AN_ANSWER = 4;
const SLOW_MS = 30;
const ANSWER_AFTER_MS = 150;

/** Collect what was drawn, and tell the kernel: `{ number, drawn, draw_ms, glass_ms, ago_ms }` of each picture. */
class Answers {
  constructor(send) {
    this.send = send;
    this.waiting = [];
    this.timer = null;
    this.isSlow = false;
  }

  add(answer) {
    this.waiting.push({ ...answer, at: performance.now() });
    this.isSlow = answer.draw_ms > SLOW_MS;
    if (this.isSlow || this.waiting.length >= DRAWN_AN_ANSWER) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), ANSWER_AFTER_MS);
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = null;
    const now = performance.now();
    const pictures = this.waiting.map(({ at, ...answer }) => ({ ...answer, ago_ms: now - at }));
    this.waiting = [];
    if (pictures.length) this.send({ kind: "ack", is_slow: this.isSlow, pictures });
  }
}

// So many pictures of a bunch are shown one a repaint; of more, the oldest are left out.
const BUNCH = 3;

/** Have each picture drawn in a repaint of its own: of two between the same repaints nobody would see the first. */
class Turns {
  constructor(draw) {
    this.draw = draw;
    this.waiting = [];
    this.isDrawn = false;
  }

  /** Draw a picture, at once if none was since the last repaint. Returns, when it was its turn, whether it was drawn. */
  take(picture) {
    if (!this.isDrawn || document.hidden) return this.drawNow(picture); // a hidden page is not repainted
    return new Promise((resolve) => {
      this.waiting.push({ picture, resolve });
      this.waiting.sort((one, other) => one.picture.number - other.picture.number); // decoding ends out of order
      if (this.waiting.length > BUNCH) {
        const oldest = this.waiting.shift();
        oldest.picture.bitmap.close();
        oldest.resolve(false);
      }
    });
  }

  drawNow(picture) {
    if (!this.isDrawn) {
      this.isDrawn = true;
      requestAnimationFrame(() => this.onRepaint());
    }
    return this.draw(picture);
  }

  onRepaint() {
    this.isDrawn = false;
    const next = this.waiting.shift();
    if (next) next.resolve(this.drawNow(next.picture));
  }
}

export default () => {
  const views = new Set();
  let lastDrawn = -1;
  let lastStatus = null;
  let onUnseen = () => {};

  /** Draw a pair unless a newer one is there already. Returns whether it was drawn. */
  function draw({ number, boxes, position, bitmap }) {
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

  /** Show a status, unless a newer one came before it: the kernel sends from several threads. */
  function tell(status) {
    if (!status || status.number < lastStatus?.number) return;
    lastStatus = status;
    views.forEach((view) => view.tell(status));
  }

  const turns = new Turns(draw);

  async function show(pair, buffer) {
    if (pair.number < lastDrawn) return false;
    const bitmap = await createImageBitmap(new Blob([buffer], { type: "image/jpeg" }));
    return turns.take({ ...pair, bitmap });
  }

  return {
    initialize({ model }) {
      const camera = new Camera((content, buffers) => model.send(content, undefined, buffers));
      const answers = new Answers((content) => model.send(content));

      function receive(content, buffers) {
        tell(content.status);
        if (content.kind === "pair") receivePair(content, buffers[0]);
        else if (content.kind === "camera") content.on ? camera.start(content.turn) : camera.stop(content.turn);
        else if (content.kind === "camera-more") camera.more();
      }

      async function receivePair(content, buffer) {
        if (views.size === 0) return; // unanswered, the kernel comes to rest
        const received = performance.now();
        const drawn = await show(content, buffer).catch((error) => {
          console.error("byoc-kit: a picture could not be drawn", error);
          return false;
        });
        const now = performance.now();
        const glass_ms = content.captured_ms == null ? null : now - content.captured_ms;
        answers.add({ number: content.number, drawn, draw_ms: now - received, glass_ms });
      }

      model.on("msg:custom", receive);
      onUnseen = () => camera.stop();
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
        if (views.size === 0) onUnseen();
      };
    },
  };
};
