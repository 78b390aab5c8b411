import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import { RunningProgram } from "./programs.ts";

/** One server of haproxy's only backend. */
export interface BackendServer {
  readonly name: string;
  readonly port: number;
}

/** haproxy in front of servers on this machine for one test, and its runtime API. */
export class Haproxy {
  readonly url: string;
  readonly #socket: string;

  private constructor(port: number, socket: string) {
    this.url = `http://127.0.0.1:${port}`;
    this.#socket = socket;
  }

  static async start(mode: "http" | "tcp", servers: readonly BackendServer[]): Promise<Haproxy> {
    const folder = mkdtempSync(path.join(tmpdir(), "haproxy-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const socket = path.join(folder, "api");
    const port = await freePort();
    const configuration = [
      "global",
      `  stats socket ${socket} level admin`,
      "defaults",
      `  mode ${mode}`,
      "  timeout connect 10s",
      "  timeout client 1h",
      "  timeout server 1h",
      "frontend front",
      `  bind 127.0.0.1:${port}`,
      "  default_backend servers",
      "backend servers",
      "  balance roundrobin",
      ...servers.map((server) => `  server ${server.name} 127.0.0.1:${server.port}`),
    ];
    const file = path.join(folder, "haproxy.cfg");
    writeFileSync(file, `${configuration.join("\n")}\n`);
    const program = new RunningProgram("haproxy", ["-db", "-V", "-f", file]);
    await program.said(/Available polling systems|Using [a-z]+\(\) as the polling mechanism/);
    const haproxy = new Haproxy(port, socket);
    await haproxy.#answers();
    return haproxy;
  }

  /** https://docs.haproxy.org/2.6/management.html#9.3-set%20server */
  async drain(server: string): Promise<void> {
    const complaint = await this.#command(`set server servers/${server} state drain`);
    if (complaint.trim() !== "") throw new Error(`haproxy: ${complaint}`);
  }

  /** Resolves when so many requests are with the server. */
  async untilBusy(server: string, requests: number): Promise<void> {
    while ((await this.#sessions(server)) < requests) await new Promise((resolve) => setImmediate(resolve));
  }

  async #sessions(server: string): Promise<number> {
    const [header = "", ...rows] = (await this.#command("show stat")).replace(/^# /, "").split("\n");
    const names = header.split(",");
    const row = rows.map((line) => line.split(",")).find((values) => values[names.indexOf("svname")] === server);
    return Number(row?.[names.indexOf("scur")] ?? 0);
  }

  async #answers(): Promise<void> {
    for (;;) {
      const answer = await this.#command("show info").catch(() => "");
      if (answer !== "") return;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #command(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let answer = "";
      const socket = connect(this.#socket, () => socket.write(`${command}\n`));
      socket.on("data", (chunk) => {
        answer += chunk;
      });
      socket.on("error", reject);
      socket.on("end", () => resolve(answer));
    });
  }
}

/** haproxy takes no port 0: this one was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
