// What the kernel and the page tell each other; the type checker reads it, the browser does not.

/** Which frame of a source is shown: player.py's Position. */
interface Position {
  number: number;
  count: number;
  time_s: number;
}

/** What report.py says of a preview. */
interface Status {
  number: number;
  /** Value, label, title, and whether it is one of those behind "More numbers". */
  numbers: [string, string, string, boolean][];
  budget: { text: string; is_held: boolean; share: number; detail: string } | null;
  error: Failure | null;
  notice: string;
  /** Whether the notice says that something is wrong. */
  is_warning: boolean;
  captions: string[];
  sizes: string;
  version: string;
  published: { rate: string; line: string } | null;
  /** The last lines that the hooks have printed. */
  printed: { head: string; text: string } | null;
  curl: string;
  state: {
    is_playing: boolean;
    source: string;
    has_ended: boolean;
    sources: string[];
    is_looping: boolean;
    speed: number;
    can_revert: boolean;
    is_reverted: boolean;
    is_recording: boolean;
  };
}

interface Failure {
  text: string;
  times?: string;
  trace: string;
  is_case: boolean;
  position?: Position | null;
}

/** A pair of pictures; its JPEG data come beside it. */
interface PairMessage {
  kind: "pair";
  number: number;
  asked: boolean;
  captured_ms?: number | null;
  position: Position | null;
  status?: Status;
}

type FromKernel =
  | PairMessage
  | { kind: "status"; status: Status }
  | { kind: "camera"; on: boolean; turn: number; status?: undefined }
  | { kind: "camera-more"; page: string; status?: undefined };

/** What became of a pair in the page. */
interface Answer {
  number: number;
  drawn: boolean;
  draw_ms: number;
  glass_ms: number | null;
}

/** One stretch of time with the camera, from start to stop. */
interface CameraUse {
  turn: number;
  video: HTMLVideoElement;
}

type Send = (content: object, buffers?: ArrayBuffer[]) => void;
type Command = (name: string, value?: unknown) => void;

/** anywidget's model, as far as it is used here. */
interface Model {
  get(name: "width" | "height"): number;
  send(content: object, callbacks?: object, buffers?: ArrayBuffer[]): void;
  on(event: "msg:custom", listener: (content: FromKernel, buffers: DataView<ArrayBuffer>[]) => void): void;
  on(event: "comm_live_update", listener: () => void): void;
  off(event: string, listener: Function): void;
}
