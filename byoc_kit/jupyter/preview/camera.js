// The browser's camera: JPEG pictures for the kernel, as many as it gives credit for. One module with view.js and
// widget.js; widget.py joins them.

const CAMERA_CREDIT = 2;
const CAMERA_QUALITY = 0.85;
// The kernel gives credit for each picture at once, whatever process_frame does: after so long there is none any more.
const CAMERA_PATIENCE_MS = 10000;
const CAMERA_WISHES = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
const CAMERA_REFUSALS = {
  NotAllowedError: "denied",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "busy",
  SecurityError: "insecure",
};

/** One camera for all that ask in turn; a `turn` is the kernel's number of who asks, a `use` is from start to stop. */
class Camera {
  /** `send(content, buffers)` takes the pictures, and why there are none. */
  constructor(send) {
    this.send = (content, buffers) => send({ ...content, page: this.page }, buffers);
    this.page = Math.random().toString(36).slice(2); // another tab may have a camera too
    this.stream = null;
    this.video = null;
    this.credit = 0;
    this.sent = 0;
    this.use = null;
  }

  async start(turn) {
    if (turn === this.use?.turn) return;
    this.stop();
    const use = (this.use = { turn });
    if (!navigator.mediaDevices) return this.refuse("insecure"); // it is there in a secure context alone
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: CAMERA_WISHES });
      if (use !== this.use) return stream.getTracks().forEach((track) => track.stop());
      this.stream = stream;
      stream.getVideoTracks()[0].onended = () => use === this.use && this.refuse("ended");
      this.video = document.createElement("video");
      this.video.muted = this.video.playsInline = true;
      this.video.srcObject = stream;
      this.credit = CAMERA_CREDIT;
      await this.video.play();
      if (use === this.use) this.await(use);
    } catch (error) {
      if (use === this.use) this.refuse(CAMERA_REFUSALS[error.name] ?? "other", `${error.name}: ${error.message}`);
    }
  }

  /** Let the camera go, if it is still the turn of who says so. */
  stop(turn = this.use?.turn) {
    if (turn !== this.use?.turn) return;
    this.use = null;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = this.video = null;
  }

  refuse(reason, detail = "") {
    this.send({ kind: "camera-refused", turn: this.use.turn, reason, detail });
    this.stop();
  }

  more(page) {
    if (page === this.page) this.credit = Math.min(CAMERA_CREDIT, this.credit + 1);
  }

  await(use) {
    this.video.requestVideoFrameCallback(async () => {
      if (use !== this.use) return;
      const now = performance.now();
      if (this.credit < 1 && now - this.sent > CAMERA_PATIENCE_MS) return this.refuse("ended");
      this.await(use);
      if (this.credit < 1 || !this.video.videoWidth) return;
      this.credit--;
      this.sent = now;
      try {
        await this.capture(use);
      } catch (error) {
        if (use === this.use) this.refuse("other", `${error.name}: ${error.message}`);
      }
    });
  }

  async capture(use) {
    const captured_ms = Math.round(performance.timeOrigin + performance.now()); // a page loaded anew may draw it
    const canvas = new OffscreenCanvas(this.video.videoWidth, this.video.videoHeight);
    canvas.getContext("2d", { alpha: false }).drawImage(this.video, 0, 0);
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: CAMERA_QUALITY });
    const data = await blob.arrayBuffer();
    if (use === this.use) this.send({ kind: "camera-frame", turn: use.turn, captured_ms }, [data]);
  }
}
