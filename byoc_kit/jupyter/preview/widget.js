// The widget: draws what the kernel sends, acknowledges each pair, and sends what a person wants.

// An answer costs the kernel as much as encoding a picture, and JupyterLab then shows the kernel busy and idle again.
// So an answer that the kernel does not ask for waits this long, and goes out together with others.
const ANSWER_AFTER_MS = 1000;

/** Collects what was drawn, and sends it to the kernel: `{ number, drawn, draw_ms, glass_ms, ago_ms }` per picture. */
class Answers {
  /** @param {Send} send */
  constructor(send) {
    this.send = send;
    /** @type {(Answer & { at: number })[]} */
    this.waiting = [];
    /** @type {number | undefined} */
    this.timer = undefined;
  }

  /**
   * @param {Answer} answer
   * @param {boolean} isAsked
   */
  add(answer, isAsked) {
    this.waiting.push({ ...answer, at: performance.now() });
    if (isAsked) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), ANSWER_AFTER_MS);
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = undefined;
    const now = performance.now();
    const pictures = this.waiting.map(({ at, ...answer }) => ({ ...answer, ago_ms: now - at }));
    this.waiting = [];
    if (pictures.length) this.send({ kind: "ack", pictures });
  }
}

// At most this many pairs wait to be decoded. If more come at once, the oldest are skipped.
const UNDECODED = 2;

/** Decodes one pair after the other, in the order in which they came. */
class Decoder {
  constructor() {
    this.isBusy = false;
    /** @type {((isItsTurn: boolean) => void)[]} */
    this.waiting = [];
  }

  /**
   * Return the pictures of a pair as bitmaps, or null if the pair was skipped.
   * @param {DataView<ArrayBuffer>[]} buffers
   */
  async decode(buffers) {
    if (this.isBusy) {
      if (this.waiting.length >= UNDECODED) this.waiting.shift()?.(false);
      const isItsTurn = await new Promise((resolve) => this.waiting.push(resolve));
      if (!isItsTurn) return null;
    }
    this.isBusy = true; // the pair before may have left it true for this one
    try {
      return await Promise.all(buffers.map((buffer) => createImageBitmap(new Blob([buffer], { type: "image/jpeg" }))));
    } finally {
      this.isBusy = this.waiting.length > 0;
      this.waiting.shift()?.(true);
    }
  }
}

// At most this many pairs wait for a repaint. Those older than STALE_MS are skipped, except the newest.
const BUNCH = 3;
const STALE_MS = 40;

/**
 * @typedef {{ bitmaps: ImageBitmap[], position: Position | null, since: number,
 *   resolve: (isDrawn: boolean) => void, reject: (error: unknown) => void }} Turn
 */

/** Draws each pair in a repaint of its own: of two pairs in one repaint, nobody would see the first. */
class Turns {
  /** @param {(bitmaps: ImageBitmap[], position: Position | null) => void} draw */
  constructor(draw) {
    this.draw = draw;
    /** @type {Turn[]} */
    this.waiting = [];
    this.isAsked = false;
  }

  /**
   * Draw a pair when its turn comes.
   * @param {ImageBitmap[]} bitmaps
   * @param {Position | null} position
   * @returns {Promise<boolean>} whether it was drawn
   */
  take(bitmaps, position) {
    const shown = new Promise((resolve, reject) =>
      this.waiting.push({ bitmaps, position, resolve, reject, since: performance.now() }),
    );
    this.keepNewest(document.hidden ? 1 : BUNCH);
    if (document.hidden) this.drawNext(); // a hidden page is not repainted
    else this.askForRepaint();
    return shown;
  }

  askForRepaint() {
    if (this.isAsked || !this.waiting.length) return;
    this.isAsked = true;
    requestAnimationFrame(() => this.onRepaint());
  }

  onRepaint() {
    this.isAsked = false;
    const fresh = this.waiting.findIndex(({ since }) => performance.now() - since <= STALE_MS);
    this.keepNewest(fresh < 0 ? 1 : this.waiting.length - fresh);
    this.drawNext();
    this.askForRepaint();
  }

  drawNext() {
    const next = this.waiting.shift();
    if (!next) return;
    try {
      this.draw(next.bitmaps, next.position);
      next.resolve(true);
    } catch (error) {
      next.reject(error);
    }
    next.bitmaps.forEach((bitmap) => bitmap.close());
  }

  /** @param {number} count */
  keepNewest(count) {
    for (const oldest of this.waiting.splice(0, Math.max(0, this.waiting.length - count))) {
      oldest.bitmaps.forEach((bitmap) => bitmap.close());
      oldest.resolve(false);
    }
  }
}

export default () => {
  /** @type {Set<View>} */
  const views = new Set();
  /** @type {Status | undefined} */
  let lastStatus;
  let onUnseen = () => {};

  /**
   * @param {ImageBitmap[]} bitmaps
   * @param {Position | null} position
   */
  function draw(bitmaps, position) {
    views.forEach((view) => {
      view.pair.draw(bitmaps);
      view.place(position);
    });
  }

  /**
   * Show a status, unless a newer one has come already: the kernel sends from several threads.
   * @param {Status | undefined} status
   */
  function tell(status) {
    if (!status || (lastStatus && status.number < lastStatus.number)) return;
    lastStatus = status;
    views.forEach((view) => view.tell(status));
  }

  const decoder = new Decoder();
  const turns = new Turns(draw);

  /**
   * Show a pair, unless newer ones replace it.
   * @param {DataView<ArrayBuffer>[]} buffers
   * @param {Position | null} position
   * @returns {Promise<boolean>} whether it was shown
   */
  async function show(buffers, position) {
    const bitmaps = await decoder.decode(buffers);
    return bitmaps !== null && turns.take(bitmaps, position);
  }

  return {
    /** @param {{ model: Model }} widget */
    initialize({ model }) {
      const camera = new Camera((content, buffers) => model.send(content, undefined, buffers));
      const answers = new Answers((content) => model.send(content));

      /**
       * @param {FromKernel} content
       * @param {DataView<ArrayBuffer>[]} buffers
       */
      function receive(content, buffers) {
        tell(content.status);
        if (content.kind === "pair") receivePair(content, buffers);
        else if (content.kind === "camera") content.on ? camera.start(content.turn) : camera.stop(content.turn);
        else if (content.kind === "camera-more") camera.more(content.page);
      }

      /**
       * @param {PairMessage} content
       * @param {DataView<ArrayBuffer>[]} buffers
       */
      async function receivePair(content, buffers) {
        if (views.size === 0) return; // without an answer, the kernel pauses
        const received = performance.now();
        const drawn = await show(buffers, content.position).catch((error) => {
          console.error("byoc-kit: a picture could not be drawn", error);
          return false;
        });
        const now = performance.now();
        const glass_ms = content.captured_ms == null ? null : performance.timeOrigin + now - content.captured_ms;
        answers.add({ number: content.number, drawn, draw_ms: now - received, glass_ms }, content.asked);
      }

      model.on("msg:custom", receive);
      onUnseen = () => camera.stop();
      return () => {
        model.off("msg:custom", receive);
        camera.stop();
      };
    },

    /** @param {{ model: Model, el: HTMLElement }} widget */
    render({ model, el }) {
      const size = { width: model.get("width"), height: model.get("height") };
      const view = new View(el, size, (name, value = null) => model.send({ kind: "command", name, value }));
      views.add(view);
      // Another handler of the same event sets the class.
      const onLife = () => setTimeout(() => view.setDead(Boolean(el.closest(".jupyter-widgets-disconnected"))));
      model.on("comm_live_update", onLife);
      if (lastStatus) view.tell(lastStatus);
      model.send({ kind: "ready" });
      return () => {
        views.delete(view);
        model.off("comm_live_update", onLife);
        view.root.remove();
        if (views.size === 0) onUnseen();
      };
    },
  };
};
