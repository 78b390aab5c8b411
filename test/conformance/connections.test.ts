import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { describeWith, programPath } from "./support/programs.ts";

describeWith("nft", "on Linux itself, with network namespaces for a node, a load balancer and a pod", () => {
  test("connections to a process, a NodePort and a pod are counted, and seen when they are closed", async () => {
    const args = ["--user", "--map-root-user", "--net", process.execPath, "--import", "tsx"];
    const { stdout } = await promisify(execFile)("unshare", [
      ...args,
      "test/conformance/support/node-network.ts",
      programPath("nft"),
    ]);
    const counts = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const ports = (open: number, seen: boolean) => [
      { port: 9_090, open, seen },
      { port: 30_080, open, seen },
      { port: 8_080, address: "10.244.0.7", open, seen },
      // Nothing leads there.
      { port: 31_000, open: 0, seen: false },
    ];
    const tables = ["sockets", "conntrack"];
    expect(counts).toEqual([
      { when: "before", tables, ports: ports(0, false) },
      // The process's connection is in both tables.
      { when: "open", tables, ports: ports(1, true).map((one) => (one.port === 9_090 ? { ...one, open: 2 } : one)) },
      { when: "closed", tables, ports: ports(0, true) },
    ]);
  });
});
