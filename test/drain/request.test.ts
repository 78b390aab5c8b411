import { describe, expect, test } from "vitest";
import { nodeReference, parseNodeReference, typedNodeReference } from "../../src/drain/request.ts";

const ID = "i-0123456789abcdef0";
const NAME = "ip-10-0-1-5.eu-west-1.compute.internal";

describe("a node is named as it is printed elsewhere", () => {
  test.each<[string, string, object]>([
    ["its instance id", ID, { by: "id", value: ID }],
    ["an id in capitals", ID.toUpperCase(), { by: "id", value: ID }],
    ["an id with blanks around it", `  ${ID}\n`, { by: "id", value: ID }],
    ["the providerID that kubectl shows", `aws:///eu-west-1a/${ID}`, { by: "id", value: ID }],
    ["a providerID with blanks", ` aws:///eu-west-1a/${ID} `, { by: "id", value: ID }],
    ["'kubectl get nodes -o name'", `node/${NAME}`, { by: "name", value: NAME }],
    ["its long form", `nodes/${NAME}`, { by: "name", value: NAME }],
    ["'kubectl get nodes -o name' of a node that is named by its id", `node/${ID}`, { by: "id", value: ID }],
    [
      "a name that begins with the id",
      `node/${ID}.eu-west-1.compute.internal`,
      {
        by: "name",
        value: `${ID}.eu-west-1.compute.internal`,
      },
    ],
    ["a name in capitals", NAME.toUpperCase(), { by: "name", value: NAME }],
    ["an address with blanks", "\t10.0.1.5 ", { by: "ip", value: "10.0.1.5" }],
    ["an IPv6 address", " 2001:db8::1", { by: "ip", value: "2001:db8::1" }],
  ])("%s", (_, text, reference) => {
    expect(parseNodeReference(text)).toEqual(reference);
  });

  test("also where it is said what kind of name it is", () => {
    expect(typedNodeReference("id", ` aws:///eu-west-1a/${ID}`)).toEqual({ by: "id", value: ID });
    expect(typedNodeReference("name", `node/${NAME.toUpperCase()}`)).toEqual({ by: "name", value: NAME });
    expect(typedNodeReference("name", `aws:///eu-west-1a/${ID}`)).toEqual({ by: "id", value: ID });
    expect(typedNodeReference("ip", " 10.0.1.5")).toEqual({ by: "ip", value: "10.0.1.5" });
  });

  test.each<[string, RegExp]>([
    ["node/", /^'node\/' is not a node name/],
    ["node/node/a", /^'node\/node\/a' is not a node name/],
    ["pod/a", /^'pod\/a' is not a node name/],
    ["aws:///eu-west-1a/fargate-ip-10-0-1-5.eu-west-1.compute.internal", /is not a node name/],
    ["gce://project/zone/name", /is not a node name/],
    ["i-012345", /^'i-012345' is not an instance id/],
    ["10.0.1", /^'10\.0\.1' is not an IP address/],
    ["  ", /^' {2}' is not a node name/],
  ])("and %j is refused as it was given", (text, message) => {
    expect(() => parseNodeReference(text)).toThrow(message);
  });

  test.each([` ${ID}`, ID.toUpperCase(), `node/${ID}`])(
    "but an event that says %j of an instance is malformed",
    (id) => {
      expect(() => nodeReference("id", id)).toThrow(/is not an instance id/);
    },
  );
});
