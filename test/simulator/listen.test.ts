import { expect, test } from "vitest";
import { urlOf } from "../../src/simulator/listen.ts";

test.each([
  ["127.0.0.1", "http://127.0.0.1:4566"],
  ["192.0.2.7", "http://192.0.2.7:4566"],
  ["::1", "http://[::1]:4566"],
  ["0.0.0.0", "http://127.0.0.1:4566"],
  ["::", "http://[::1]:4566"],
])("what listens on %s is reached by %s", (address, url) => {
  expect(urlOf({ address, port: 4566 })).toBe(url);
});
