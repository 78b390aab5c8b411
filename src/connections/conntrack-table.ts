import { comparable, type LineReader, Unreadable } from "./connection.ts";

/**
 * `ipv4     2 tcp      6 431998 ESTABLISHED src=10.0.1.200 dst=10.0.1.5 sport=53292 dport=30080 src=… [ASSURED] …`. The
 * timeout and the state are missing where the flow is offloaded. The first tuple is that of the first packet.
 */
const TCP = /^ipv[46] +\d+ tcp +6 (?:\d+ )?(?:([A-Z][A-Z_0-9]*) )?src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+) /;
const OTHER = /^[a-z0-9]+ +\d+ (?!tcp )\S+ +\d+ /;

/**
 * Reads `/proc/net/nf_conntrack`: the connections that netfilter tracks in the network namespace, including those that
 * the node forwards after a translation. Connections that bypass netfilter are not in it.
 * https://docs.kernel.org/networking/nf_conntrack-sysctl.html
 */
export const readConntrack: LineReader = (line) => {
  const match = TCP.exec(line);
  if (match === null) {
    if (OTHER.test(line)) return undefined;
    throw new Unreadable("a line is not as the kernel writes it");
  }
  const [, state, source = "", destination = "", sourcePort = "", port = ""] = match;
  const [address, peer] = [comparable(destination), comparable(source)];
  if (address === undefined || peer === undefined) throw new Unreadable("a line has no addresses");
  return {
    to: { address, port: Number(port) },
    from: { address: peer, port: Number(sourcePort) },
    // In any other state one direction may still carry an answer.
    state: state === "TIME_WAIT" || state === "CLOSE" ? "closed" : "open",
  };
};
