import { expect, test } from "vitest";
import { isPoolGone, isTargetGone, toDrainError } from "../../src/aws/errors.ts";
import { DrainError } from "../../src/drain/errors.ts";

const ACTION = "elasticloadbalancing:DescribeTargetHealth";

/** An error as the SDK throws it where it knows AWS's code (`Code`), and where it does not. */
function sdkErrors(code: string, message = "AWS's words"): readonly Error[] {
  return [
    Object.assign(new Error(message), { name: code }),
    Object.assign(new Error(message), { name: `${code}Exception`, Code: code }),
    Object.assign(new Error(message), { name: "SomethingElse", Code: code }),
  ];
}

test.each([
  ...["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedAccess"].map((code) => ({
    code,
    means: "access-denied",
  })),
  ...[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "EC2ThrottledException",
    "DependencyThrottle",
    "DependencyThrottleException",
    "TooManyRequestsException",
  ].map((code) => ({ code, means: "throttled" })),
  ...[
    "CredentialsProviderError",
    "TokenProviderError",
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "AuthFailure",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "MissingAuthenticationToken",
  ].map((code) => ({ code, means: "no-credentials" })),
  { code: "TimeoutError", means: "unreachable" },
  ...["ValidationError", "InternalFailure", "HealthUnavailable", "TargetGroupNotFound", "InvalidTarget"].map(
    (code) => ({
      code,
      means: "cloud-error",
    }),
  ),
])("AWS's $code means $means, under both of its names", ({ code, means }) => {
  for (const error of sdkErrors(code)) {
    const drainError = toDrainError(error, ACTION);
    expect(drainError.code).toBe(means);
    expect(drainError.message).toContain(ACTION);
    expect(drainError.cause).toBe(error);
  }
});

test.each([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
])("Node's %s means unreachable", (code) => {
  expect(toDrainError(Object.assign(new Error(""), { code }), ACTION).code).toBe("unreachable");
});

test.each<[string, object, string]>([
  [
    "a host without an address",
    { code: "ENOTFOUND", hostname: "ec2.xx-east-1.amazonaws.com" },
    "ec2.xx-east-1.amazonaws.com",
  ],
  ["an address", { code: "ECONNREFUSED", address: "10.0.0.9", port: 443 }, "10.0.0.9:443"],
  ["a host of several addresses", { code: "ECONNREFUSED", errors: [{ address: "::1", port: 443 }] }, "::1:443"],
  ["nobody in particular", { code: "ETIMEDOUT" }, "AWS"],
])("an unreachable endpoint is named: %s", (_, properties, where) => {
  const { message } = toDrainError(Object.assign(new Error(""), properties), ACTION);
  expect(message).toBe(
    `could not reach ${where} for ${ACTION} (${Reflect.get(properties, "code")}): check AWS_REGION, AWS_ENDPOINT_URL and the network`,
  );
});

test("any other failure keeps AWS's code and words, in one line", () => {
  const error = Object.assign(new Error("One or more\n  parameters"), { name: "ValidationError" });
  expect(toDrainError(error, ACTION).message).toBe(`${ACTION} failed: ValidationError: One or more parameters`);
});

test("a failure without AWS's code is named by its own name, even where it has a number", () => {
  const error = toDrainError(new DOMException("too late", "DataCloneError"), ACTION);
  expect(error.message).toBe(`${ACTION} failed: DataCloneError: too late`);
  expect(toDrainError(new DOMException("too late", "TimeoutError"), ACTION).code).toBe("unreachable");
});

test("a failure that is told already is not told anew", () => {
  const error = new DrainError("node-not-found", "no such node");
  expect(toDrainError(error, ACTION)).toBe(error);
});

test.each([
  ["TargetGroupNotFound", true, false],
  ["LoadBalancerNotFound", true, false],
  ["AccessPointNotFound", true, false],
  ["InvalidTarget", false, true],
  ["InvalidInstance", false, true],
  ["InvalidEndPoint", false, true],
  ["ValidationError", false, false],
  ["AccessDenied", false, false],
])("AWS's %s: the pool is gone: %s; a target is gone: %s", (code, poolGone, targetGone) => {
  for (const error of sdkErrors(code).flatMap((thrown) => [thrown, toDrainError(thrown, ACTION)])) {
    expect([isPoolGone(error), isTargetGone(error)]).toEqual([poolGone, targetGone]);
  }
});

test.each(["TargetGroupNotFoundException", "LoadBalancerNotFoundException", "AccessPointNotFoundException"])(
  "the SDK's own name %s says that the pool is gone",
  (name) => expect(isPoolGone(Object.assign(new Error(), { name }))).toBe(true),
);

test.each(["InvalidTargetException", "InvalidEndPointException"])(
  "the SDK's own name %s says that a target is gone",
  (name) => expect(isTargetGone(Object.assign(new Error(), { name }))).toBe(true),
);

test.each([undefined, null, "text", 0])("what is no error at all (%s) says nothing about pools", (thrown) => {
  expect([isPoolGone(thrown), isTargetGone(thrown)]).toEqual([false, false]);
});
