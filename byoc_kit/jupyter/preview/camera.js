// The browser's camera. It sends JPEG pictures to the kernel, as many as the kernel allows.
// front_end.py joins all scripts of this folder into one module.

const CAMERA_WINDOW = 2;
const CAMERA_QUALITY = 0.85;
// The kernel allows the next picture at once, however long process_frame takes. After this silence it is gone.
const CAMERA_PATIENCE_MS = 10000;
const CAMERA_WISHES = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
/** @type {Record<string, string>} */
const CAMERA_REFUSALS = {
  NotAllowedError: "denied",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "busy",
  SecurityError: "insecure",
};

/**
 * Return the kernel's word for a camera's error, and the error's own text.
 * @param {unknown} error
 * @returns {[string, string]}
 */
function refusal(error) {
  const { name, message } = /** @type {Error} */ (error);
  return [CAMERA_REFUSALS[name] ?? "other", `${name}: ${message}`];
}

/** The page's one camera. A `turn` is the kernel's number for the preview that asks; a `use` is from start to stop. */
class Camera {
  /** @param {Send} send takes the pictures, or the reason why there are none */
  constructor(send) {
    /** @type {Send} */
    this.send = (content, buffers) => send({ ...content, page: this.page }, buffers);
    this.page = Math.random().toString(36).slice(2); // another tab may have a camera too
    /** @type {MediaStream | null} */
    this.stream = null;
    this.allowed = 0;
    this.sent = 0;
    /** @type {CameraUse | null} */
    this.use = null;
  }

  /** @param {number} turn */
  async start(turn) {
    if (turn === this.use?.turn) return;
    this.stop();
    const video = document.createElement("video");
    const use = (this.use = { turn, video });
    if (!navigator.mediaDevices) return this.refuse("insecure"); // only a secure page has it
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: CAMERA_WISHES });
      if (use !== this.use) return stream.getTracks().forEach((track) => track.stop());
      this.stream = stream;
      stream.getVideoTracks()[0].onended = () => use === this.use && this.refuse("ended");
      video.muted = video.playsInline = true;
      video.srcObject = stream;
      this.allowed = CAMERA_WINDOW;
      await video.play();
      if (use === this.use) this.await(use);
    } catch (error) {
      if (use === this.use) this.refuse(...refusal(error));
    }
  }

  /** Stop the camera, unless another turn has begun since. */
  stop(turn = this.use?.turn) {
    if (turn !== this.use?.turn) return;
    this.use = null;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
  }

  /** @param {string} reason */
  refuse(reason, detail = "") {
    this.send({ kind: "camera-refused", turn: this.use?.turn, reason, detail });
    this.stop();
  }

  /** @param {string} page */
  more(page) {
    if (page === this.page) this.allowed = Math.min(CAMERA_WINDOW, this.allowed + 1);
  }

  /** @param {CameraUse} use */
  await(use) {
    use.video.requestVideoFrameCallback(async () => {
      if (use !== this.use) return;
      const now = performance.now();
      if (this.allowed < 1 && now - this.sent > CAMERA_PATIENCE_MS) return this.refuse("ended");
      this.await(use);
      if (this.allowed < 1 || !use.video.videoWidth) return;
      this.allowed--;
      this.sent = now;
      try {
        await this.capture(use);
      } catch (error) {
        if (use === this.use) this.refuse("other", refusal(error)[1]);
      }
    });
  }

  /** @param {CameraUse} use */
  async capture(use) {
    const { video } = use;
    // On the clock of all pages: one that was loaded again may draw this picture.
    const captured_ms = Math.round(performance.timeOrigin + performance.now());
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    painter(canvas).drawImage(video, 0, 0);
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: CAMERA_QUALITY });
    const data = await blob.arrayBuffer();
    if (use === this.use) this.send({ kind: "camera-frame", turn: use.turn, captured_ms }, [data]);
  }
}
