import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { onTestFinished } from "vitest";

/** What real time there is for an answer on loopback, on a busy machine too. What was lost never comes. */
const ANSWER_WITHIN_MS = 5_000;

/** A client that sends datagrams from one port: through a load balancer, a flow. */
export class DatagramClient {
  readonly #socket: Socket;
  readonly #port: number;
  #sent = 0;

  private constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#port = port;
  }

  /** For the rest of the test. `address`: its own. */
  static async open(url: string, address = "127.0.0.1"): Promise<DatagramClient> {
    const socket = createSocket("udp4");
    socket.bind(0, address);
    await once(socket, "listening");
    onTestFinished(() => void socket.close());
    return new DatagramClient(socket, Number(new URL(url).port));
  }

  static openMany(url: string, count: number): Promise<readonly DatagramClient[]> {
    return Promise.all(Array.from({ length: count }, () => DatagramClient.open(url)));
  }

  /** Resolves to the instance that has answered this datagram. */
  async ask(): Promise<string> {
    const servedBy = await this.#answerWithin(ANSWER_WITHIN_MS, this.#send());
    if (servedBy === undefined) throw new Error(`datagram ${this.#sent} was not answered`);
    return servedBy;
  }

  /**
   * Whether a datagram of each client is lost. `meanwhile` is done once they are on their way: something that takes as long
   * as an answer would, so that its absence means something.
   */
  static async lost(
    clients: readonly DatagramClient[],
    meanwhile: () => Promise<unknown>,
  ): Promise<readonly boolean[]> {
    const outstanding = clients.map((client) => {
      const words = client.#send();
      let isAnswered = false;
      const note = (answer: Buffer) => {
        isAnswered ||= answer.toString().endsWith(words);
      };
      client.#socket.on("message", note);
      return () => {
        client.#socket.off("message", note);
        return !isAnswered;
      };
    });
    await meanwhile();
    return outstanding.map((isLost) => isLost());
  }

  #send(): string {
    this.#sent += 1;
    const words = ` datagram ${this.#sent}`;
    this.#socket.send(words.trim(), this.#port, "127.0.0.1");
    return words;
  }

  async #answerWithin(ms: number, words: string): Promise<string | undefined> {
    const signal = AbortSignal.timeout(ms);
    for (;;) {
      const [answer] = await once(this.#socket, "message", { signal }).catch(() => []);
      if (answer === undefined) return undefined;
      const said = String(answer);
      if (said.endsWith(words)) return said.slice(0, -words.length);
    }
  }
}

/** Who answers each client. */
export function served(clients: readonly DatagramClient[]): Promise<readonly string[]> {
  return Promise.all(clients.map((client) => client.ask()));
}
