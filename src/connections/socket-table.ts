import { type Connection, type End, type LineReader, Unreadable, withoutMapping } from "./connection.ts";

/** `1: 0501000A:2382 C801000A:E96A 01 …`: number, local end, remote end, state. */
const END = "([0-9A-F]{8}(?:[0-9A-F]{24})?):([0-9A-F]{4})";
const LINE = new RegExp(`^ *\\d+: ${END} ${END} ([0-9A-F]{2}) `);
const HEADER = /^ *sl +local_address +(?:rem|remote)_address +st /;

/** All other states are open, at least in one direction. These are TIME_WAIT, CLOSE and LISTEN. */
const STATES: ReadonlyMap<number, Connection["state"]> = new Map([
  [0x06, "closed"],
  [0x07, "closed"],
  [0x0a, "listening"],
]);
/** The highest state: TCP_BOUND_INACTIVE. */
const STATE_MAX = 0x0d;

/**
 * Reads `/proc/net/tcp` or `/proc/net/tcp6`: sockets of processes in the network namespace. It does not list
 * connections that the node forwards, such as those to a NodePort. The first line must be the header, without which the
 * file is not this table. https://docs.kernel.org/networking/proc_net_tcp.html
 */
export function socketTable(): LineReader {
  let hasHeader = false;
  return (line) => {
    if (hasHeader) return readSocket(line);
    if (!HEADER.test(line)) throw new Unreadable("it has no header");
    hasHeader = true;
    return undefined;
  };
}

function readSocket(line: string): Connection {
  const [, address = "", port = "", peer = "", peerPort = "", digits = ""] = LINE.exec(line) ?? [];
  const state = Number.parseInt(digits, 16);
  if (!(state > 0 && state <= STATE_MAX)) throw new Unreadable("a line is not as the kernel documents it");
  return { to: endOf(address, port), from: endOf(peer, peerPort), state: STATES.get(state) ?? "open" };
}

function endOf(address: string, port: string): End {
  return { address: addressOf(address), port: Number.parseInt(port, 16) };
}

/** Words of 32 bits, each with its bytes in the order of the machine. All machines of AWS are little-endian. */
function addressOf(digits: string): string {
  const bytes = (digits.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  if (bytes.length === 4) return bytes.map((byte) => Number.parseInt(byte, 16)).join(".");
  const groups = (bytes.join("").toLowerCase().match(/.{4}/g) ?? []).join(":");
  return withoutMapping(groups);
}
