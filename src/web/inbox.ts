import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** The end of a request's headers. Node's parser accepts no other. */
const HEADERS_END = "\r\n\r\n";
/** The parser gets this many bytes at once if they have no such end. */
const SLICE_BYTES_MAX = 1_024;
const HEAD = Buffer.from("HEAD ");

/**
 * Passes what a connection has sent to Node's parser one request at a time: the next request is not even parsed before
 * the answer to the one before has left the process. Node itself parses everything that a packet holds, some 1,700
 * requests in 64 KiB, and keeps all their answers for a client that reads none. What waits here waits in the socket's
 * own buffer, which stops reading from the network when it is full.
 */
export class Inbox {
  readonly #socket: Socket;
  /** Node's own reader of the socket. */
  readonly #parse: (bytes: Buffer) => void;
  readonly #unanswered = new Set<ServerResponse>();
  #last: IncomingMessage | undefined;
  /** Nothing of the next request has been parsed. */
  #isBetween = true;
  #isHead = false;
  #isUnreadable = false;

  constructor(socket: Socket) {
    const [parse] = socket.listeners("data");
    if (parse === undefined) throw new TypeError("Node reads its HTTP connections in another way than by 'data'");
    this.#socket = socket;
    this.#parse = parse as (bytes: Buffer) => void;
    socket.on("data", (bytes: Buffer) => this.#onBytes(bytes));
    socket.off("data", this.#parse);
    socket.on("drain", () => this.#goOn());
  }

  /** Whether the last request has the method HEAD, according to its beginning. */
  get isHead(): boolean {
    return this.#isHead;
  }

  /** The parser has found a request. */
  began(request: IncomingMessage, answer: ServerResponse): void {
    this.#last = request;
    this.#unanswered.add(answer);
    // Sent or cut off, whichever comes first.
    answer.once("close", () => {
      this.#unanswered.delete(answer);
      this.#goOn();
    });
  }

  /** The parser can't parse anything that follows. */
  discard(): void {
    this.#isUnreadable = true;
  }

  #onBytes(bytes: Buffer): void {
    let rest = bytes;
    while (rest.length > 0 && !this.#isUnreadable && !this.#socket.destroyed) {
      // The parser also pauses the socket, while nothing reads a body.
      if (this.#socket.isPaused() || !this.#mayParse()) {
        this.#socket.pause();
        this.#socket.unshift(rest);
        return;
      }
      const end = rest.subarray(0, SLICE_BYTES_MAX).indexOf(HEADERS_END);
      const slice = rest.subarray(0, end < 0 ? SLICE_BYTES_MAX : end + HEADERS_END.length);
      rest = rest.subarray(slice.length);
      if (this.#isBetween) this.#isHead = slice.subarray(0, HEAD.length).equals(HEAD);
      this.#isBetween = end >= 0;
      this.#parse(slice);
    }
  }

  #mayParse(): boolean {
    const isInBody = this.#last?.complete === false;
    // Node has paused it, will resume it, and throws if it gets bytes meanwhile.
    const isPausedByNode = (this.#socket as { readonly _paused?: boolean })._paused === true;
    return this.#unanswered.size <= (isInBody ? 1 : 0) && !this.#socket.writableNeedDrain && !isPausedByNode;
  }

  /** In the next turn of the event loop, so that a connection has one request in each turn. */
  #goOn(): void {
    if (this.#socket.isPaused()) setImmediate(() => this.#socket.resume());
  }
}
