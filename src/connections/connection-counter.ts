import type { CountedPort, PortCount, Table } from "../drain/early-release.ts";
import { type Connection, comparable, Unreadable } from "./connection.ts";
import { readConntrack } from "./conntrack-table.ts";
import { socketTable } from "./socket-table.ts";
import { readTable, type TableFile } from "./table-file.ts";

/** For one table. A count that takes longer is too old to be used. */
const READ_MS_MAX = 1_000;

export interface ConnectionCounterOptions {
  /** The folder of the node's tables: `/proc/net`, for a process in the network namespace of the node. */
  readonly folder: string;
  /** The address to which load balancers send traffic if a target is registered by its instance id. */
  readonly primaryAddress: string;
  /**
   * The addresses of the node itself. Connections of its own processes prove nothing about traffic from a load
   * balancer.
   */
  readonly ownAddresses: () => Iterable<string>;
  /** A monotonic time in milliseconds, to limit reads. */
  readonly now: () => number;
}

/** A count at one moment. */
export interface Count {
  /** The tables that were read. */
  readonly tables: readonly Table[];
  readonly ports: readonly PortCount[];
}

/** Counts the connections to ports of this node, in the kernel's tables. */
export class ConnectionCounter {
  readonly #options: ConnectionCounterOptions;

  constructor(options: ConnectionCounterOptions) {
    this.#options = options;
  }

  /**
   * The connections to each of `ports`, in all tables that this process may read. Conntrack's table may be missing: its
   * file exists only if the kernel has it, and only root's group may read it. Throws `Unreadable`.
   */
  async count(ports: readonly CountedPort[]): Promise<Count> {
    const { folder, ownAddresses } = this.#options;
    const own = new Set(Array.from(ownAddresses(), comparable));
    const counts = new Counts(ports, this.#options.primaryAddress, own);
    await this.#read({ path: `${folder}/tcp`, read: socketTable() }, "sockets", counts);
    // A kernel without IPv6 has no such sockets.
    await this.#read({ path: `${folder}/tcp6`, read: socketTable() }, "sockets", counts).catch(unless("ENOENT"));
    const isTracked = await this.#read({ path: `${folder}/nf_conntrack`, read: readConntrack }, "conntrack", counts)
      .then(() => true)
      .catch(unless("ENOENT", "EACCES", "EPERM"));
    return { tables: isTracked === true ? ["sockets", "conntrack"] : ["sockets"], ports: counts.list };
  }

  #read(file: TableFile, table: Table, counts: Counts): Promise<void> {
    const { now } = this.#options;
    return readTable(file, (connection) => counts.add(connection, table), { now, until: now() + READ_MS_MAX });
  }
}

/**
 * Throws the error of a table that is needed. Returns nothing if the system says that this process has no such table.
 */
function unless(...codes: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof Unreadable && error.code !== undefined && codes.includes(error.code)) return undefined;
    throw error;
  };
}

interface Found {
  open: number;
  /** From an address that is not the node's: in conntrack's table, and among the sockets. */
  wasTracked: boolean;
  hadSocket: boolean;
  isListening: boolean;
}

class Counts {
  readonly #own: ReadonlySet<string | undefined>;
  /** By port and address. Most connections are to other ports, and cost one lookup. */
  readonly #byPort = new Map<number, Map<string, Found>>();
  readonly #asked: readonly { readonly port: CountedPort; readonly found: Found }[];

  constructor(ports: readonly CountedPort[], primaryAddress: string, own: ReadonlySet<string | undefined>) {
    this.#own = own;
    this.#asked = ports.map((port) => {
      const found = { open: 0, wasTracked: false, hadSocket: false, isListening: false };
      const addresses = this.#byPort.get(port.port) ?? new Map<string, Found>();
      const address = comparable(port.address ?? primaryAddress) ?? "";
      const known = addresses.get(address) ?? found;
      this.#byPort.set(port.port, addresses.set(address, known));
      return { port, found: known };
    });
  }

  add({ to, from, state }: Connection, table: Table): void {
    if (state === "listening") this.#listens(to);
    else this.#adds({ to, from, state }, table);
  }

  #adds({ to, from, state }: Connection, table: Table): void {
    const found = this.#at(to);
    if (found !== undefined && !this.#own.has(from.address)) {
      if (table === "conntrack") found.wasTracked = true;
      else found.hadSocket = true;
    }
    if (state !== "open") return;
    if (found !== undefined) found.open += 1;
    // If conntrack has lost a connection, it finds it again by a packet of either end.
    const other = this.#at(from);
    if (other !== undefined) other.open += 1;
  }

  /** A port on which no process listens may belong to a connection that a process of this node has made. */
  #listens({ address, port }: Connection["to"]): void {
    for (const [own, found] of this.#byPort.get(port) ?? [])
      if (address === own || ANY.has(address)) found.isListening = true;
  }

  #at({ address, port }: Connection["to"]): Found | undefined {
    return this.#byPort.get(port)?.get(address);
  }

  get list(): readonly PortCount[] {
    return this.#asked.map(({ port, found: { open, wasTracked, hadSocket, isListening } }) => ({
      ...port,
      open,
      seen: wasTracked || (hadSocket && isListening),
    }));
  }
}

const ANY: ReadonlySet<string | undefined> = new Set(["0.0.0.0", "::"].map(comparable));
