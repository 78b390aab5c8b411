import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AskedEviction, GateVerdict } from "../../src/drain/eviction-gate.ts";
import { createEvictionReviewApp } from "../../src/web/eviction-review.ts";
import { evictionReview } from "../support/eviction-review.ts";

const PASSES: GateVerdict = { isHeld: false, because: "released" };

function app(verdict: GateVerdict = { isHeld: true }) {
  const asked: AskedEviction[] = [];
  const errors: unknown[] = [];
  const made = createEvictionReviewApp({
    judge: async (eviction) => {
      asked.push(eviction);
      return verdict;
    },
    onError: (error) => errors.push(error),
  });
  const post = (body: unknown, path = "/evictions", method = "POST") =>
    made.request(path, {
      method,
      ...(method === "POST" && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
  return { asked, errors, post };
}

describe("a review of an eviction", () => {
  test("is answered 429 as by a disruption budget while the eviction is held", async () => {
    const { post, asked } = app({ isHeld: true, retryAfterSeconds: 4 });
    const response = await post(evictionReview({ namespace: "shop", name: "web-1" }));
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^application\/json/);
    expect(await response.json()).toEqual({
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      response: {
        uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
        allowed: false,
        status: {
          status: "Failure",
          code: 429,
          reason: "TooManyRequests",
          message: expect.stringMatching(/load balancers may still send traffic/),
          details: { retryAfterSeconds: 4 },
        },
      },
    });
    expect(asked).toEqual([{ namespace: "shop", name: "web-1", isOwn: false, isDryRun: false }]);
  });

  test("names neither pod nor node nor drain in its answer, because any program in the cluster can ask", async () => {
    const { post } = app();
    const text = await (await post(evictionReview({ namespace: "shop", name: "web-1" }))).text();
    expect(text).not.toMatch(/shop|web-1|i-0|d-/);
    expect(text).not.toContain("retryAfterSeconds");
  });

  test("is allowed without a word where the eviction passes", async () => {
    const response = await app(PASSES).post(evictionReview());
    expect(await response.json()).toMatchObject({ response: { allowed: true } });
    const { response: answer } = (await (await app(PASSES).post(evictionReview())).json()) as { response: object };
    expect(Object.keys(answer)).toEqual(["uid", "allowed"]);
  });

  test("says which pod is meant, and how long it has to end", async () => {
    const { post, asked } = app();
    const deleteOptions = { gracePeriodSeconds: 7, preconditions: { uid: "uid-1" } };
    await post(evictionReview({ object: { deleteOptions } }));
    expect(asked).toEqual([
      { namespace: "default", name: "web", uid: "uid-1", graceMs: 7_000, isOwn: false, isDryRun: false },
    ]);
  });

  test.each([
    ["the request", { dryRun: true }],
    ["the eviction", { dryRun: false, object: { deleteOptions: { dryRun: ["All"] } } }],
  ])("knows a dry run by %s", async (_, request) => {
    const { post, asked } = app();
    await post(evictionReview(request));
    expect(asked).toMatchObject([{ isDryRun: true }]);
  });

  test("knows the program's own evictions by their label", async () => {
    const { post, asked } = app(PASSES);
    await post(
      evictionReview({ object: { metadata: { labels: { "app.kubernetes.io/managed-by": "hasta-la-vista" } } } }),
    );
    await post(evictionReview({ object: { metadata: { labels: { "app.kubernetes.io/managed-by": "helm" } } } }));
    expect(asked.map(({ isOwn }) => isOwn)).toEqual([true, false]);
  });

  test("reads what Go writes for what is absent", async () => {
    const { post, asked } = app();
    const object = {
      metadata: { labels: null },
      deleteOptions: { gracePeriodSeconds: null, preconditions: null, dryRun: null },
    };
    await post(evictionReview({ dryRun: null, object }));
    await post(evictionReview({ object: null }));
    expect(asked).toEqual(
      Array.from({ length: 2 }, () => ({ namespace: "default", name: "web", isOwn: false, isDryRun: false })),
    );
  });

  test.each([
    ["another operation", { operation: "UPDATE" }],
    ["another subresource", { subResource: "status" }],
    ["pods themselves", { subResource: undefined }],
    ["another resource", { resource: { group: "apps", version: "v1", resource: "deployments" } }],
    ["no pod", { name: undefined }],
    ["no namespace", { namespace: "" }],
    ["a name that no pod can have", { name: "x".repeat(254) }],
    ["a name that leads to another path", { name: "../../secrets" }],
    ["a namespace that leads to another path", { namespace: ".." }],
    ["an object that is none", { object: "text" }],
    ["a grace period that is none", { object: { deleteOptions: { gracePeriodSeconds: "soon" } } }],
    ["a negative grace period", { object: { deleteOptions: { gracePeriodSeconds: -1 } } }],
  ])("about %s is allowed, and nothing is asked", async (_, request) => {
    const { post, asked } = app();
    const response = await post(evictionReview(request));
    expect(await response.json()).toMatchObject({ response: { uid: expect.any(String), allowed: true } });
    expect(asked).toEqual([]);
  });

  test.each([
    ["no JSON", "{"],
    ["nothing", ""],
    ["null", null],
    ["a list", []],
    ["another version", { ...evictionReview(), apiVersion: "admission.k8s.io/v1beta1" }],
    ["another kind", { ...evictionReview(), kind: "ConversionReview" }],
    ["no request", { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" }],
    ["no uid", evictionReview({ uid: undefined })],
    ["an empty uid", evictionReview({ uid: "" })],
    ["a uid that is none", evictionReview({ uid: 1 })],
    ["a uid without end", evictionReview({ uid: "u".repeat(201) })],
  ])("with %s is refused, so that the API server lets the eviction pass", async (_, body) => {
    const { post, asked } = app();
    const response = await post(body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      detail: "the body is not an AdmissionReview of admission.k8s.io/v1",
    });
    expect(asked).toEqual([]);
  });

  test("of any form is answered without a fault", async () => {
    const { post, errors } = app();
    const reviews = fc.oneof(
      fc.jsonValue(),
      fc
        .record(
          { operation: fc.jsonValue(), name: fc.jsonValue(), object: fc.jsonValue(), dryRun: fc.jsonValue() },
          {
            requiredKeys: [],
          },
        )
        .map((request) => evictionReview(request)),
    );
    await fc.assert(
      fc.asyncProperty(reviews, async (body) => {
        const { status } = await post(JSON.stringify(body));
        expect([200, 400]).toContain(status);
      }),
      { numRuns: 500 },
    );
    expect(errors).toEqual([]);
  });

  test("of more than 64 KiB is refused", async () => {
    const { post, asked } = app();
    const response = await post(evictionReview({ object: { metadata: { labels: { long: "x".repeat(65_536) } } } }));
    expect(response.status).toBe(413);
    expect(asked).toEqual([]);
  });

  test("whose answer fails by a fault of ours is answered 500, without the fault", async () => {
    const errors: unknown[] = [];
    const broken = createEvictionReviewApp({
      judge: () => Promise.reject(new Error("a fault with shop/web-1")),
      onError: (error) => errors.push(error),
    });
    const response = await broken.request("/evictions", { method: "POST", body: JSON.stringify(evictionReview()) });
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("shop");
    expect(errors).toHaveLength(1);
  });

  test.each([
    ["GET", "/evictions"],
    ["POST", "/"],
    ["GET", "/metrics"],
    ["GET", "/health"],
    ["POST", "/drain"],
  ])("%s %s is no path of its port", async (method, path) => {
    expect((await app().post("{}", path, method)).status).toBe(404);
  });
});
