import { expect, test } from "vitest";
import { resumeDrains } from "../../src/app/resuming.ts";
import { readConfig } from "../../src/config/config.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { never } from "../support/simulated-region.ts";

const PLACE = "444455556666/eu-west-1";

/** A drain of a node here, with a registration in `place`, and what is done about it where `covered` is configured. */
async function resumed(place: string | undefined, covered: readonly (string | undefined)[]) {
  const clock = new VirtualClock();
  const at = clock.now();
  const node = { id: "i-0123456789abcdef0", name: "n", network: "vpc-1", addresses: [], addressPrefixes: [] };
  const pool = { kind: "alb", id: "arn:web", name: "web", ...(place === undefined ? {} : { place }) };
  const registration = { pool, target: "10.0.0.1:80", state: "live", detail: "healthy", isHealthy: true };
  const request = { askedAt: at, node: { by: "id", value: node.id } };
  const entries = [
    { drain: "d-1", n: 1, at, type: "accepted", node, startedAt: at, request },
    { drain: "d-1", n: 2, at, type: "found", first: 0, registrations: [registration], elsewhere: [] },
  ];
  const began: string[] = [];
  const lines: unknown[] = [];
  await resumeDrains(readConfig({ verb: "drain", environment: {} }), {
    clock,
    abandon: never,
    log: (message: string, fields: object) => void lines.push({ message, ...fields }),
    ledger: { needsCloudTime: async () => undefined, unfinished: async () => [entries] },
    engine: {
      cloud: { covers: (name: string | undefined) => covered.includes(name) },
      drainer: { resume: async ({ id }: { readonly id: string }) => void began.push(id) },
    },
    drains: { add: () => {} },
  } as never);
  return { began, lines };
}

test("a drain whose account and region is configured is resumed", async () => {
  expect(await resumed(PLACE, [undefined, PLACE])).toEqual({ began: ["d-1"], lines: [] });
  expect(await resumed(undefined, [undefined])).toEqual({ began: ["d-1"], lines: [] });
});

test("a drain of an account and region that is configured no more is not resumed, and stays in the ledger", async () => {
  expect(await resumed(PLACE, [undefined])).toEqual({
    began: [],
    lines: [
      {
        message: "drain resume failed",
        drain: "d-1",
        code: "cloud-error",
        error: `it is in ${PLACE}, which AWS_PLACES does not name: add it, and restart`,
      },
    ],
  });
  const { began, lines } = await resumed(PLACE, [PLACE]);
  expect(began).toEqual([]);
  expect(JSON.stringify(lines)).toContain(
    "it is in the account and region of the service, which AWS_PLACES does not name",
  );
});
