import { createSocket, type Socket } from "node:dgram";
import { createServer, type Server } from "node:http";
import { onTestFinished } from "vitest";
import { DataPlane } from "../../src/simulator/data-plane/data-plane.ts";
import type { Machine } from "../../src/simulator/data-plane/instance-processes.ts";
import { listen } from "../../src/simulator/listen.ts";
import type { World } from "../../src/simulator/world/world.ts";

/**
 * A simulated machine without a process: a server in this one, which answers as the process does. When it is killed the
 * kernel closes the same sockets. For scenes of many machines, each of which would take as long to start as a test.
 */
export class MachineInside implements Machine {
  readonly port: number;
  readonly udpPort: number;
  readonly ended: Promise<void>;
  readonly #server: Server;
  readonly #answers: HeldAnswers;
  readonly #datagrams: Socket;

  private constructor(server: Server, answers: HeldAnswers, port: number, datagrams: Socket) {
    this.#server = server;
    this.#answers = answers;
    this.#datagrams = datagrams;
    this.port = port;
    this.udpPort = datagrams.address().port;
    this.ended = new Promise((resolve) => server.once("close", resolve));
  }

  static async start(this: void, name: string): Promise<MachineInside> {
    const answers = new HeldAnswers();
    const server = createServer({ maxHeaderSize: 131_072 }, (request, response) => {
      const delay = Number(new URL(request.url ?? "/", "http://x").searchParams.get("delay") ?? 0);
      const answer = () => answers.give(() => response.writeHead(200, { "x-served-by": name }).end(`${name}\n`));
      request.resume();
      if (delay === 0) return void answer();
      const timer = setTimeout(answer, delay);
      response.once("close", () => clearTimeout(timer));
    });
    server.keepAliveTimeout = 0;
    const datagrams = createSocket("udp4");
    datagrams.on("message", (message, { address, port }) => datagrams.send([`${name} `, message], port, address));
    const [url] = await Promise.all([
      listen(server),
      new Promise<void>((resolve) => datagrams.bind(0, "127.0.0.1", resolve)),
    ]);
    return new MachineInside(server, answers, Number(new URL(url).port), datagrams);
  }

  kill(): void {
    this.#server.closeAllConnections();
    this.end();
  }

  /** It takes requests and answers none until `thaw`, as a process that is stopped. */
  freeze(): void {
    this.#answers.hold();
  }

  thaw(): void {
    this.#answers.release();
  }

  /** As a program does at SIGTERM: it takes no more connections, and ends the requests that it has. */
  end(): void {
    if (this.#server.listening) this.#datagrams.close();
    this.#server.close();
  }
}

/** Answers, each at once, or later where they are held. */
class HeldAnswers {
  #held: (() => void)[] | undefined;

  give(answer: () => void): void {
    if (this.#held === undefined) answer();
    else this.#held.push(answer);
  }

  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const answer of held) answer();
  }
}

/** What `Carried` is of processes, of machines in this one. */
export class CarriedInside {
  readonly plane: DataPlane;
  readonly #machines: ReadonlyMap<string, MachineInside>;

  private constructor(plane: DataPlane, machines: ReadonlyMap<string, MachineInside>) {
    this.plane = plane;
    this.#machines = machines;
  }

  /** For the rest of the test. */
  static async open(world: World): Promise<CarriedInside> {
    const machines = new Map<string, MachineInside>();
    return new CarriedInside(await carryInside(world, machines), machines);
  }

  freeze(instanceId: string): void {
    this.#machines.get(instanceId)?.freeze();
  }

  thaw(instanceId: string): void {
    this.#machines.get(instanceId)?.thaw();
  }

  /** Its program ends, while the machine goes on. */
  async crash(instanceId: string): Promise<void> {
    const machine = this.#machines.get(instanceId);
    machine?.kill();
    await machine?.ended;
  }
}

/**
 * Opens the data plane for the rest of the test, with machines of this process. `machines` gets those that there are, by
 * the instances' ids.
 */
export async function carryInside(world: World, machines = new Map<string, MachineInside>()): Promise<DataPlane> {
  const start = async (name: string) => {
    const machine = await MachineInside.start(name);
    machines.set(name, machine);
    return machine;
  };
  const plane = await DataPlane.open(world, undefined, start);
  onTestFinished(() => plane.close());
  return plane;
}
