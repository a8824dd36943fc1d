// The browser's camera: JPEG pictures for the kernel, as many as it allows. channel.py
// joins it with the other scripts into one module.

const CAMERA_WINDOW = 2;
const CAMERA_QUALITY = 0.85;
// The kernel allows the next picture at once, whatever process_frame does. After so long without leave it is gone.
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
 * Name what a camera failed with, and say its words.
 * @param {unknown} error
 * @returns {[string, string]}
 */
function refusal(error) {
  const { name, message } = /** @type {Error} */ (error);
  return [CAMERA_REFUSALS[name] ?? "other", `${name}: ${message}`];
}

/** One camera for all that ask in turn; a `turn` is the kernel's number of who asks, a `use` is from start to stop. */
class Camera {
  /** @param {Send} send takes the pictures, and why there are none */
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
    if (!navigator.mediaDevices) return this.refuse("insecure"); // it is there in a secure context alone
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

  /** Let the camera go, if it is still the turn of who says so. */
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
    const captured_ms = Math.round(performance.timeOrigin + performance.now()); // a page loaded anew may draw it
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    painter(canvas).drawImage(video, 0, 0);
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: CAMERA_QUALITY });
    const data = await blob.arrayBuffer();
    if (use === this.use) this.send({ kind: "camera-frame", turn: use.turn, captured_ms }, [data]);
  }
}
