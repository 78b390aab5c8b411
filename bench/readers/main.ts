// npm run bench:readers: how long readers of a large ledger delay the first deregistration; see docs/reliability.md.
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { newAbort } from "../../src/drain/abort.ts";
import { SystemClock } from "../../src/drain/clock.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import { Callers } from "../soak/callers.ts";
import { Fleet, REGION } from "../soak/fleet.ts";
import { ServiceProcess } from "../soak/service-process.ts";
import { ledgerLines } from "./ledger-lines.ts";

const HELP = `npm run bench:readers -- [options]

  --megabytes <n>  size of the ledger (48)
  --drains <n>     of so many drains at most (all that the size has room for, of ten targets each)
  --readers <n>    clients that read drains of it at the same time (100)
  --warm <n>       seconds for which they read before a node is requested (10)
  --service <path> another build of the service to measure (dist/service.js)
`;
const SECRET = "readers";
const LOOK_MS = 2;
const WITHIN_MS = 300_000;
const clock = new SystemClock();
const never = newAbort().signal;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      megabytes: { type: "string", default: "48" },
      drains: { type: "string", default: "1000000" },
      readers: { type: "string", default: "100" },
      warm: { type: "string", default: "10" },
      service: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const [megabytes, readers, warmMs] = [Number(values.megabytes), Number(values.readers), 1_000 * Number(values.warm)];
  if (values.help || !(megabytes >= 1 && readers >= 0 && Number(values.drains) >= 1)) {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  const folder = await mkdtemp(join(tmpdir(), "readers-"));
  try {
    const path = join(folder, "drains.jsonl");
    const { drains, text } = ledgerLines(
      { bytes: megabytes * 1_000_000, drainsMax: Number(values.drains) },
      clock.now(),
    );
    await writeFile(path, text, { mode: 0o600 });
    const bytes = (await stat(path)).size;
    process.stdout.write(`ledger: ${(bytes / 1e6).toFixed(1)} MB, ${drains.length} drains; ${readers} readers\n`);
    const { firstMs, answered, failed } = await measured({ folder, drains, readers, warmMs, service: values.service });
    process.stdout.write(`first deregistration after ${Math.round(firstMs)} ms; `);
    process.stdout.write(
      `${answered} reads answered in the ${values.warm} s before and until then, ${failed} with 503\n`,
    );
    return 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Measuring {
  readonly folder: string;
  readonly drains: readonly string[];
  readonly readers: number;
  readonly warmMs: number;
  readonly service: string | undefined;
}

async function measured({ folder, drains, readers, warmMs, service: bundle }: Measuring) {
  const fleet = new Fleet({ clock: new ScaledClock(1), nodes: 3, delaySeconds: 1 });
  const simulator = new Simulator(fleet.world);
  const service = await ServiceProcess.start(
    {
      ...{ SECRET, CLOUDPROVIDER: "aws", AWS_REGION: REGION, HOST: "127.0.0.1", PORT: "0", STATE_DIR: folder },
      ...{ AWS_ENDPOINT_URL: await simulator.listen(), AWS_ACCESS_KEY_ID: "x", AWS_SECRET_ACCESS_KEY: "x" },
    },
    bundle === undefined ? {} : { bundle },
  );
  const callers = new Callers({ url: service.url, secret: SECRET, socketsMax: readers + 1 });
  const counts = { answered: 0, failed: 0 };
  let isOver = false;
  const read = async (reader: number) => {
    for (let next = reader; !isOver; next += readers) {
      const { status } = await callers.ask("GET", `/drains/${drains[next % drains.length]}`);
      if (status === 200) counts.answered += 1;
      else counts.failed += 1;
    }
  };
  try {
    const reading = Array.from({ length: readers }, (_, reader) => read(reader).catch(() => {}));
    await clock.sleep(warmMs, never);
    const begun = clock.now();
    const asked = callers.ask("POST", `/drain?id=${fleet.members[0]?.id}&timeout=30`).catch(() => undefined);
    const isFirst = () => [...simulator.calls.keys()].some((action) => action.includes("Deregister"));
    while (!isFirst() && clock.now() - begun < WITHIN_MS) await clock.sleep(LOOK_MS, never);
    const firstMs = clock.now() - begun;
    isOver = true;
    const { answered, failed } = counts;
    callers.hangUp();
    await Promise.all([...reading, asked]);
    return { firstMs, answered, failed };
  } finally {
    service.kill();
    await simulator.close();
  }
}
