import { describe, expect, test } from "vitest";
import { EXIT } from "../../src/cli/exit-codes.ts";
import { account, ID, OTHER_ID } from "../support/account.ts";
import { runHere, serveHere } from "../support/run-here.ts";

const SECRET = "a-secret-nobody-may-see";
const bearer = { authorization: `Bearer ${SECRET}` };
/** Of the two nodes in each pool none may go. */
const BOTH = { MIN_HEALTHY: "2" };

const SHORT = { healthyNow: 2, wouldStay: 1, needed: 2 };

describe("by HTTP a drain that would leave too few healthy targets", () => {
  test("is answered 409, which names the pools; the log and the metrics tell of it", async () => {
    const { world, env, clock } = await account(undefined, 10);
    const { child, url } = await serveHere({ ...env, ...BOTH, SECRET }, [], { clock });
    const answer = await fetch(`${url}/drain?id=${ID}`, { method: "POST", headers: bearer });
    expect([answer.status, await answer.json()]).toEqual([
      409,
      {
        type: "about:blank",
        title: "Conflict",
        status: 409,
        detail: expect.stringMatching(
          /^too few .* without i-0123456789abcdef0 \(MIN_HEALTHY is 2\): .*web-lb \/ web: 2/,
        ),
        code: "too-few-healthy",
        outcome: {
          status: "refused",
          drainId: expect.stringMatching(/^d-/),
          node: expect.objectContaining({ id: ID }),
          reason: "too-few-healthy",
          message: expect.stringContaining("Nothing was deregistered"),
          pools: expect.arrayContaining([
            { kind: "alb", loadBalancer: "web-lb", pool: "web", ...SHORT },
            { kind: "nlb", loadBalancer: "tcp-lb", pool: "tcp", zone: "eu-west-1a", ...SHORT },
            { kind: "classic", loadBalancer: "legacy", pool: "legacy", ...SHORT },
          ]),
        },
      },
    ]);
    expect(JSON.parse(await child.line(/"drain refused"/))).toMatchObject({
      level: "warn",
      node: ID,
      outcome: "refused",
      code: "too-few-healthy",
      pools: expect.arrayContaining([{ pool: "web", ...SHORT }]),
    });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('hasta_la_vista_drains_total{outcome="refused"} 1');
    expect([...world.targetGroups.values()].map((group) => group.listed(world.clock.now()).length)).toEqual([2, 2]);
  });

  test("goes by force, in the query and in the body, and is told beforehand by a dry run", async () => {
    const { env, clock } = await account(undefined, 10);
    const { child, url } = await serveHere({ ...env, ...BOTH, SECRET }, [], { clock });
    const ask = (id: string, more: object, query = "") =>
      fetch(`${url}/drain${query}`, { method: "POST", headers: bearer, body: JSON.stringify({ id, ...more }) });
    expect(await (await ask(ID, { dryRun: true })).json()).toMatchObject({
      status: "planned",
      plan: {
        guard: {
          refusal: { reason: "too-few-healthy" },
          pools: expect.arrayContaining([{ ...SHORT, kind: "alb", loadBalancer: "web-lb", pool: "web" }]),
        },
      },
    });
    const [byBody, byQuery] = await Promise.all([ask(ID, { force: true }), ask(OTHER_ID, {}, "?force=1")]);
    expect([byBody.status, byQuery.status]).toEqual([200, 200]);
    expect(await byBody.json()).toMatchObject({ registrations: [{}, {}, {}].map(() => ({ guard: "forced" })) });
    expect(JSON.parse(await child.line(/"drain started"/))).toMatchObject({ forced: true });
  });
});

test("by HTTP nothing is refused with a deadline: the machine goes anyway", async () => {
  const { env, clock } = await account(undefined, 10);
  const { child, url } = await serveHere({ ...env, ...BOTH, SECRET, GUARD_WAIT: "0" }, [], { clock });
  const answer = await fetch(`${url}/drain?id=${ID}&deadline=600&timeout=3600`, { method: "POST", headers: bearer });
  expect(answer.status).toBe(200);
  expect(JSON.parse(await child.line(/"drain planned"/))).toMatchObject({ limit: "deadline" });
});

describe("on the command line a drain that would leave too few healthy targets", () => {
  test("ends with code 3, and says why and what to do; --force goes all the same", async () => {
    const { env, clock } = await account(undefined, 10);
    const refused = await runHere(["drain", ID, "--min-healthy", "2"], env, { clock });
    expect({ code: refused.code, stderr: refused.stderr }).toEqual({ code: 3, stderr: "" });
    expect(refused.stdout).toMatch(
      /^Refused: too few healthy targets would remain without i-0123456789abcdef0 \(--min-healthy is 2\)/m,
    );
    expect(refused.stdout).toMatch(/^alb +web-lb \/ web +1 of 2, 2 needed: too few$/m);
    expect(refused.stdout).toMatch(/^nlb +tcp-lb \/ tcp in eu-west-1a +1 of 2, 2 needed: too few$/m);
    expect(refused.stdout).toContain("--force");

    const asJson = await runHere(["drain", ID, "--json"], { ...env, ...BOTH }, { clock });
    expect(asJson.code).toBe(3);
    expect(JSON.parse(asJson.stdout)).toMatchObject({ status: "refused", reason: "too-few-healthy" });

    const forced = await runHere(["drain", ID, "--force"], { ...env, ...BOTH }, { clock });
    expect({ code: forced.code, stderr: forced.stderr }).toEqual({ code: 0, stderr: "" });
  });

  test("is told beforehand by plan, also what would stay where that is enough", async () => {
    const { env, clock } = await account(undefined, 10);
    const enough = await runHere(["plan", ID], env, { clock });
    expect(enough.stdout).toMatch(/^Healthy targets that would remain:\n {2}alb +web-lb \/ web +1 of 2, 1 needed$/m);
    expect(enough.stdout).not.toContain("refused");
    const short = await runHere(["plan", ID], { ...env, ...BOTH }, { clock });
    expect(short.code).toBe(EXIT.refused);
    expect(short.stdout).toMatch(
      /^It would be refused: too few healthy targets would remain without i-0123456789abcdef0/m,
    );
    const dying = await runHere(["plan", ID, "--deadline", "600"], { ...env, ...BOTH }, { clock });
    expect(dying.stdout).toMatch(/^Warning: it would wait for a replacement, at most 120 s and as long as its hold/m);
    expect(dying.stdout).not.toContain("refused");
    const unguarded = await runHere(["plan", ID], { ...env, MIN_HEALTHY: "0" }, { clock });
    expect(unguarded.stdout).not.toContain("would remain");
  });

  test("is not refused with a deadline, for the machine goes: it waits, and says so", async () => {
    const { env, clock } = await account(undefined, 10);
    const { code, stdout } = await runHere(
      ["drain", ID, "--deadline", "600", "--guard-wait", "30"],
      { ...env, ...BOTH },
      { clock },
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^ +\d+ s waiting for a replacement {2}web-lb \/ web: 2 healthy now, 1 would remain, 2 needed$/m,
    );
    expect(stdout).toMatch(/^ +\d+ s deregistering although too few healthy targets remain {2}legacy: 2 healthy now/m);
  });

  test("keeps the last healthy target where the machine dies at a fixed time, and says so", async () => {
    const { env } = await account();
    expect((await runHere(["drain", OTHER_ID], env)).code).toBe(0);
    const { code, stdout } = await runHere(["drain", ID, "--deadline", "20", "--guard-wait", "0"], env);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /kept, the last healthy target, until the machine terminates {2}web-lb \/ web: 1 healthy now/,
    );
    expect(stdout).toMatch(
      /is drained: 0 registrations deregistered and held.* It can be terminated; until then it serves as/,
    );
    expect(stdout).toMatch(/^ {2}kept +alb web-lb \/ web .*: its requests end when the machine terminates$/m);
  });

  test("is refused by a service with the same code and words, and --force goes through it", async () => {
    const { env, clock } = await account(undefined, 10);
    const { url } = await serveHere({ ...env, ...BOTH, SECRET }, [], { clock });
    const asker = { SECRET, AWS_ENDPOINT_URL: env.AWS_ENDPOINT_URL };
    const refused = await runHere(["drain", ID, "--server", url], asker, { clock });
    expect(refused.code).toBe(3);
    expect(refused.stdout).toMatch(/^Refused: too few .* On the command line: --force\.$/m);
    const forced = await runHere(["drain", ID, "--server", url, "--force"], asker, { clock });
    expect({ code: forced.code, stderr: forced.stderr }).toEqual({ code: 0, stderr: "" });
  });
});
