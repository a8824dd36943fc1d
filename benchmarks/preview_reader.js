// Look at the shown picture after each repaint, and note when each frame number is seen first.
// The number is a row of black and white blocks: preview_number.py.
({ selector, left, width, blocks, strip }) => {
  const row = document.createElement("canvas");
  row.width = blocks;
  row.height = 1;
  const context = row.getContext("2d", { willReadFrequently: true, alpha: false });
  const reader = (window.byocReader = { seen: [], looks: 0 });
  let last = -1;

  function read(shown) {
    const w = shown.naturalWidth ?? shown.width;
    const h = shown.naturalHeight ?? shown.height;
    if (!w || !h) return null;
    context.drawImage(shown, left * w, h * strip * 0.25, width * w, h * strip * 0.5, 0, 0, blocks, 1);
    const { data } = context.getImageData(0, 0, blocks, 1);
    const bytes = [0, 0, 0, 0];
    for (let i = 0; i < blocks; i++) bytes[i >> 3] = (bytes[i >> 3] << 1) | (data[4 * i + 1] > 127);
    const [high, middle, low, check] = bytes;
    return (0xa5 ^ high ^ middle ^ low) === check ? (high << 16) | (middle << 8) | low : null;
  }

  function look() {
    reader.looks++;
    const shown = document.querySelector(selector);
    const number = shown && read(shown);
    if (number !== null && number !== last) {
      reader.seen.push([number, (performance.timeOrigin + performance.now()) / 1000]);
      last = number;
    }
  }

  // A task that is posted in a frame's callback runs after its repaint, whoever draws in a callback behind this one.
  const repainted = new MessageChannel();
  repainted.port1.onmessage = look;
  const onRepaint = () => {
    repainted.port2.postMessage(null);
    requestAnimationFrame(onRepaint);
  };
  onRepaint();
}
