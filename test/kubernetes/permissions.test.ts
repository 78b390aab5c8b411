import { describe, expect, test } from "vitest";
import { SystemClock } from "../../src/drain/clock.ts";
import { checkMayEvict } from "../../src/kubernetes/permissions.ts";
import { clientOf } from "../support/api-client.ts";
import { FakeApiServer, type FakeRequest, refusal } from "../support/fake-api-server.ts";
import { never } from "../support/simulated-region.ts";

const REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/** An API server that answers each review by `answer`, and what it was asked. */
async function scene(answer: (asked: Readonly<Record<string, unknown>>) => unknown) {
  const clock = new SystemClock();
  const fake = await FakeApiServer.start(clock);
  const asked: unknown[] = [];
  fake.intercept = ({ path, body }: FakeRequest) => {
    if (path !== REVIEWS) return undefined;
    const { spec } = body as { readonly spec: { readonly resourceAttributes: Readonly<Record<string, unknown>> } };
    asked.push(spec.resourceAttributes);
    const allowed = answer(spec.resourceAttributes);
    return allowed === undefined ? refusal(403, "Forbidden") : { status: 201, body: { status: { allowed } } };
  };
  const server = await clientOf(fake, clock);
  const check = (disablesEviction = false) =>
    checkMayEvict(
      server,
      [{ name: "shop/web-1" }, { name: "shop/web-2" }],
      disablesEviction ? { disablesEviction } : {},
      never,
    );
  return { asked, check };
}

describe("whether pods may be evicted is asked before anything is changed", () => {
  test("once for each namespace: to evict, or to delete", async () => {
    const { asked, check } = await scene(() => true);
    await check();
    await check(true);
    expect(asked).toEqual([
      { verb: "create", resource: "pods", subresource: "eviction", namespace: "shop" },
      { verb: "delete", resource: "pods", namespace: "shop" },
    ]);
  });

  test("a permission that is missing is named, with the role that has it", async () => {
    const { check } = await scene(() => false);
    await expect(check()).rejects.toMatchObject({
      code: "not-evicted",
      message: expect.stringMatching(
        /no 'create' of 'pods\/eviction' in the namespace shop.*'hasta-la-vista rbac' prints/,
      ),
    });
    await expect(check(true)).rejects.toThrow(/no 'delete' of 'pods' in the namespace shop.*rbac --disable-eviction'/);
  });

  test("what can't be asked is taken to be allowed", async () => {
    await expect((await scene(() => undefined)).check()).resolves.toBeUndefined();
  });
});
