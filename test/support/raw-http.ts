import { connect } from "node:net";
import { onTestFinished } from "vitest";
import { searchForSecrets } from "./secret-search.ts";

export interface RawAnswer {
  /** Undefined where nothing was answered. */
  readonly status: number | undefined;
  /** Header names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** All of it, as it came. */
  readonly text: string;
}

export interface RawConnection {
  /** What came until the server closed the connection. */
  readonly closed: Promise<RawAnswer>;
  /** What has come so far. */
  received(): string;
  /** More bytes. Resolves once they are sent, or can't be. */
  send(bytes: string): Promise<void>;
  /** Leaves without a word. */
  leave(): void;
}

/** Sends bytes as they are, which no HTTP client would. Resolves once they are sent; the connection stays open. */
export async function sendRaw(port: number, bytes: string | Buffer): Promise<RawConnection> {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  // A server that refuses may close before everything is sent.
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  const closed = new Promise<RawAnswer>((resolve) => socket.once("close", () => resolve(read(text))));
  void closed.then((answer) => searchForSecrets("an answer to raw bytes", answer.text));
  await new Promise<void>((resolve) => {
    socket.once("close", () => resolve());
    socket.once("connect", () => socket.write(bytes, () => resolve()));
  });
  const send = (more: string) => new Promise<void>((resolve) => void socket.write(more, () => resolve()));
  return { closed, received: () => text, send, leave: () => void socket.destroy() };
}

/** A whole request, after which the connection ends. */
export function request(
  line: string,
  { headers = [], body = "" }: { readonly headers?: readonly string[]; readonly body?: string | Buffer } = {},
): Buffer {
  const all = ["Host: service", "Connection: close", `Content-Length: ${Buffer.byteLength(body)}`, ...headers];
  const head = `${line} HTTP/1.1\r\n${all.map((header) => `${header}\r\n`).join("")}\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.from(body)]);
}

function read(text: string): RawAnswer {
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const [first = "", ...lines] = head.split("\r\n");
  const status = /^HTTP\/1\.1 (\d{3})/.exec(first)?.[1];
  const headers = lines.map((line) => {
    const [name = "", ...value] = line.split(": ");
    return [name.toLowerCase(), value.join(": ")] as const;
  });
  return {
    status: status === undefined ? undefined : Number(status),
    headers: Object.fromEntries(headers),
    body: rest.join("\r\n\r\n"),
    text,
  };
}
