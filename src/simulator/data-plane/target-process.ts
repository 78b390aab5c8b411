import { type ChildProcess, spawn } from "node:child_process";

/**
 * The program of one simulated machine: an HTTP server that says who served. `?delay=MS` holds the answer back (real
 * milliseconds). It never closes an idle connection by itself, so that whatever breaks was broken by its end. It accepts
 * WebSockets, and sends each short message back (RFC 6455, frames of up to 125 bytes). It sends each datagram back, with its
 * name and a space before it.
 *
 * It must answer whatever Node's HTTP server accepts as a request: `//` and other targets that are no URL, too. A datagram that
 * becomes too long by the name is lost, as one is on a network.
 *
 * A text rather than a file, so that it also runs from a one-file bundle.
 */
const PROGRAM = `
const { createHash } = require("node:crypto");
const { createSocket } = require("node:dgram");
const { createServer } = require("node:http");
const name = process.argv[1];
const server = createServer({ maxHeaderSize: 131072 }, (request, response) => {
  const [, ...query] = request.url.split("?");
  const delay = Math.min(Number(new URLSearchParams(query.join("?")).get("delay") ?? 0), 2147483647);
  const answer = () => response.writeHead(200, { "x-served-by": name }).end(name + "\\n");
  request.resume();
  if (delay > 0) setTimeout(answer, delay); else answer();
});
server.on("upgrade", (request, socket) => {
  const key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const accept = createHash("sha1").update(key).digest("base64");
  socket.on("error", () => {});
  socket.write("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n" +
    "Sec-WebSocket-Accept: " + accept + "\\r\\nX-Served-By: " + name + "\\r\\n\\r\\n");
  socket.on("data", (frame) => {
    const mask = frame.subarray(2, 6);
    const message = frame.subarray(6, 6 + (frame[1] & 127)).map((byte, at) => byte ^ mask[at % 4]);
    const PING = 0x89, PONG = 0x8a;
    socket.write(Buffer.concat([Buffer.of(frame[0] === PING ? PONG : frame[0], message.length), message]));
  });
});
server.keepAliveTimeout = 0;
const datagrams = createSocket("udp4");
datagrams.on("message", (message, { address, port }) => datagrams.send([name + " ", message], port, address, () => {}));
datagrams.bind(0, "127.0.0.1", () => server.listen(0, "127.0.0.1", () =>
  process.stdout.write(server.address().port + " " + datagrams.address().port + "\\n")));
process.stdin.on("end", () => process.exit()).resume();
`;

/** A real process on loopback that stands for one machine. */
export class TargetProcess {
  readonly #child: ChildProcess;
  /** Where it listens on 127.0.0.1, whatever port the load balancer knows it by. */
  readonly port: number;
  /** Where it takes datagrams on 127.0.0.1. */
  readonly udpPort: number;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;

  private constructor(child: ChildProcess, [port = 0, udpPort = 0]: readonly number[]) {
    this.#child = child;
    this.port = port;
    this.udpPort = udpPort;
    this.ended = new Promise((resolve) => child.once("exit", () => resolve()));
  }

  /**
   * Resolves once it listens. It ends with this process, whatever happens. When `signal` aborts before, it is ended, and the
   * promise rejects after that.
   */
  static start(name: string, signal?: AbortSignal): Promise<TargetProcess> {
    // In a process group of its own: Ctrl-C in a terminal is for this process, which ends the others in its own time.
    const args = ["-e", PROGRAM, name];
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"], detached: true });
    const giveUp = () => child.kill("SIGKILL");
    signal?.addEventListener("abort", giveUp, { once: true });
    if (signal?.aborted === true) giveUp();
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => {
        signal?.removeEventListener("abort", giveUp);
        reject(new Error(`the target process ${name} ended with ${code}`));
      });
      child.stdout.once("data", (line: Buffer) =>
        resolve(new TargetProcess(child, line.toString().split(" ").map(Number))),
      );
    });
  }

  /** Ends it as a machine ends that is switched off: at once, in the middle of whatever it does. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
