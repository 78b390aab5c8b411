import { expect, test } from "vitest";
import { type SourceFile, sourceFiles } from "../support/source-tree.ts";

const files = sourceFiles("bench");
const byPath = new Map(files.map((file) => [file.path, file]));

/** Everything of `src` that a file of the bench reaches, whatever files of the bench lie between. */
function reached(file: SourceFile, seen = new Set<string>()): ReadonlySet<string> {
  for (const imported of file.imports) {
    if (seen.has(imported)) continue;
    seen.add(imported);
    const next = byPath.get(imported);
    if (next !== undefined) reached(next, seen);
  }
  return new Set([...seen].filter((path) => path.startsWith("src/")));
}

const NO_PRODUCT = files.filter(({ path }) =>
  /^bench\/(peers\/|process\/|ideal|pacer|rival|region|messages\/(bare-loop|queue|region))/.test(path),
);

test("the clients that the product is compared with know nothing of it but the simulator", () => {
  expect(NO_PRODUCT.map(({ path }) => path)).toEqual(
    expect.arrayContaining(["bench/ideal.ts", "bench/peers/one-at-a-time.ts", "bench/peers/original.ts"]),
  );
  for (const file of NO_PRODUCT) {
    const foreign = [...reached(file)].filter((path) => !path.startsWith("src/simulator/"));
    expect(foreign, file.path).toEqual([]);
  }
});

test("the bench reaches the product through its engine, its configuration and the core's words alone", () => {
  const ALLOWED = /^src\/(simulator|drain)\/|^src\/(app\/engine|config\/config)\.ts$/;
  // What the engine is handed: a ledger, as the service has one.
  const isLedger = (path: string, imported: string) =>
    (path.startsWith("bench/soak/") || ["bench/service.ts", "bench/tracing.ts"].includes(path)) &&
    imported.startsWith("src/ledger/");
  // The curve of one part of the engine.
  const isQuota = (path: string, imported: string) =>
    path === "bench/quota.ts" && /^src\/aws\/(request-quota|shared-call)\.ts$/.test(imported);
  // What listens to the engine, where that is measured.
  const isTracing = (path: string, imported: string) =>
    path === "bench/tracing.ts" && /^src\/observe\/(tracing|span-export)\.ts$/.test(imported);
  // The built service in a cluster, and clients of its load balancers.
  const isBeside = (path: string, imported: string) =>
    path.startsWith("bench/beside/") && ["src/demo/traffic.ts", "src/kubernetes/rbac.ts"].includes(imported);
  const offending = files.flatMap(({ path, imports }) =>
    imports
      .filter((imported) => imported.startsWith("src/") && !ALLOWED.test(imported))
      .filter((imported) => ![isLedger, isQuota, isTracing, isBeside].some((isAllowed) => isAllowed(path, imported)))
      .map((imported) => `${path} imports ${imported}`),
  );
  expect(offending).toEqual([]);
});

test("nothing in the bench but clock.ts knows real time", () => {
  const time = /\bDate\.now\(|\bperformance\.now\(|new Date\(\)|(?<![.\w])(setTimeout|setInterval)\(/;
  expect(
    files.filter(({ path, text }) => path !== "bench/clock.ts" && time.test(text)).map(({ path }) => path),
  ).toEqual([]);
});
