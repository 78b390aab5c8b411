import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv } from "ajv";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import manifest from "../../package.json" with { type: "json" };
import { OPTIONS, type Option, type OptionName } from "../../src/config/config.ts";
import { OPTION_TEXTS } from "../../src/config/option-texts.ts";
import { account } from "../support/account.ts";
import {
  AGENT_OPTIONS,
  CHART,
  CHART_DEFAULTS,
  type ChartOption,
  COPIES,
  SERVICE_OPTIONS,
  SET_BY_CHART,
  VALUES_FILES,
  withChartOptions,
} from "../support/chart-options.ts";
import {
  ADDED_RULES,
  addedRules,
  LEASE_NAME,
  LEASE_ROLE,
  leaseRoleRules,
  ROLES,
  roleRules,
} from "../support/chart-role.ts";
import { chartSchema, renamedValues } from "../support/chart-schema.ts";
import { Child, startService } from "../support/child-process.ts";
import { filesBelow } from "../support/documents.ts";
import { runHere } from "../support/run-here.ts";

type Values = Readonly<Record<string, unknown>>;

const read = (file: string) => readFileSync(`${CHART}/${file}`, "utf8");
const DEFAULTS: Values = parse(read("values.yaml"));
const accepts = new Ajv({ strict: false }).compile(chartSchema());
const without = (values: Values, removed: string) =>
  Object.fromEntries(Object.entries(values).filter(([key]) => key !== removed));
/** As Helm merges the values of a user into the defaults, one level deep. */
const isAccepted = (section: string, key: string, value: unknown) =>
  accepts({ ...DEFAULTS, [section]: { ...(DEFAULTS[section] as Values), [key]: value } });

describe("the values of the chart", () => {
  test("have every option of the service, with its description and default: npm run docs", () => {
    expect(read("values.yaml")).toBe(withChartOptions(read("values.yaml")));
    const all = (Object.entries(OPTIONS) as [OptionName, Option][]).filter(([, { usedBy }]) =>
      usedBy.includes("serve"),
    );
    const missing = all.filter(
      ([name, { variable }]) => !(variable in (DEFAULTS["options"] as Values)) && !(name in SET_BY_CHART),
    );
    expect(missing).toEqual([]);
    for (const path of Object.values(SET_BY_CHART)) {
      const [section = "", key = ""] = path.split(".");
      expect(DEFAULTS[section]).toHaveProperty(key);
    }
  });

  test("differ from the defaults of the service only where a pod needs it", () => {
    for (const { name, default: value } of SERVICE_OPTIONS)
      expect([name, value === null]).toEqual([name, !(name in CHART_DEFAULTS)]);
    for (const [name, value] of Object.entries(CHART_DEFAULTS))
      expect(() => OPTIONS[name as OptionName].parse(String(value))).not.toThrow();
  });

  test("have every option that an agent has with --server", () => {
    expect(Object.keys((DEFAULTS["agent"] as { readonly options: object }).options)).toEqual(
      AGENT_OPTIONS.map(({ option }) => option.variable),
    );
  });

  test("run two replicas, which need no volume", () => {
    expect(DEFAULTS["replicas"]).toBe(2);
    expect(DEFAULTS["persistence"]).toMatchObject({ enabled: false });
  });

  test("name no value in the templates that is not there", () => {
    const templates = filesBelow(`${CHART}/templates`).map((file) => readFileSync(file, "utf8"));
    const named = templates.flatMap((text) => [...text.matchAll(/\.Values\.([\w.]+)/g)].map(([, path = ""]) => path));
    expect(named.length).toBeGreaterThan(60);
    const value = (path: string) =>
      path.split(".").reduce<unknown>((found, key) => (found as Values | undefined)?.[key], DEFAULTS);
    expect(named.filter((path) => value(path) === undefined)).toEqual([]);
  });
});

describe("the schema of the values", () => {
  test("is made from the table of options: npm run docs", () => {
    expect(JSON.parse(read("values.schema.json"))).toEqual(chartSchema());
  });

  test("accepts the defaults", () => {
    expect([accepts(DEFAULTS), accepts.errors]).toEqual([true, null]);
  });

  test("knows every value that there is, and refuses each one misspelt", () => {
    const misspelt = (values: Values, path: readonly string[] = []): readonly string[] =>
      Object.entries(values).flatMap(([key, value]) => {
        const at = [...path, key];
        // Below these stand names of Kubernetes, which the API server checks.
        const isFree = /(affinity|securityContext|resources)$/i.test(key);
        const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
        return [at.join("."), ...(isObject && !isFree ? misspelt(value as Values, at) : [])];
      });
    const paths = misspelt(DEFAULTS);
    expect(paths.length).toBeGreaterThan(100);
    const refused = paths.filter((path) => !accepts(withMisspelt(DEFAULTS, path.split("."))));
    expect(paths.filter((path) => !refused.includes(path))).toEqual([]);
  });

  test.each(Object.keys(DEFAULTS))("refuses a %s of every wrong kind", (key) => {
    const kinds = { object: {}, list: [], text: "X y", number: 1.5, boolean: true, nothing: null };
    const own = Array.isArray(DEFAULTS[key]) ? "list" : typeof DEFAULTS[key] === "object" ? "object" : "";
    for (const [kind, value] of Object.entries(kinds)) {
      if (kind === own || (key === "terminationGracePeriodSeconds" && kind === "nothing")) continue;
      expect([kind, accepts({ ...DEFAULTS, [key]: value })]).toEqual([kind, false]);
    }
  });

  const OPTION_VALUES = SERVICE_OPTIONS.map((each) => [each.option.variable, each] as const);
  test.each(OPTION_VALUES)(
    "takes for %s what the service takes, and refuses another kind of value",
    (variable, each) => {
      for (const value of [asValue(each), null])
        expect([value, isAccepted("options", variable, value)]).toEqual([value, true]);
      for (const value of [[], {}, { secretKeyRef: {} }, ""])
        expect([value, isAccepted("options", variable, value)]).toEqual([value, false]);
      const { range } = each.option;
      expect(isAccepted("options", variable, "not such a value\n")).toBe(false);
      const [, min = "0", max = "0"] = /from ([\d.]+)%? to ([\d.]+)/.exec(range) ?? [];
      if (max === "0") return;
      const lowest = variable.endsWith("PORT") ? 1 : Number(min);
      for (const [value, expected] of [
        [lowest, true],
        [Number(max), true],
        [lowest - 1, false],
        [Number(max) + 1, false],
        ["100000000%", false],
      ] as const)
        expect([value, isAccepted("options", variable, value)]).toEqual([value, expected]);
    },
  );

  test("takes a proxy with a password from a Secret", () => {
    const fromSecret = { secretKeyRef: { name: "proxy", key: "url" } };
    expect(isAccepted("options", "HTTPS_PROXY", fromSecret)).toBe(true);
    expect(isAccepted("options", "HTTPS_PROXY", { secretKeyRef: { name: "proxy", key: "url", optional: true } })).toBe(
      false,
    );
  });

  test("refuses labels by which the chart selects its pods", () => {
    expect(accepts({ ...DEFAULTS, labels: { team: "platform" } })).toBe(true);
    expect(accepts({ ...DEFAULTS, labels: { "app.kubernetes.io/component": "mine" } })).toBe(false);
  });

  test("lets values of 1.0 pass, which the chart refuses by their new names", () => {
    const renamed = Object.keys(renamedValues());
    expect(renamed.length).toBeGreaterThan(25);
    for (const path of renamed) {
      const [key = "", ...rest] = path.split(".");
      const value = rest.reduceRight<unknown>((inner, each) => ({ [each]: inner }), "x") as Values;
      const merged = rest.length === 0 ? "x" : { ...(DEFAULTS[key] as Values | undefined), ...value };
      expect([path, accepts({ ...DEFAULTS, [key]: merged })]).toEqual([path, true]);
      expect(path in DEFAULTS).toBe(false);
    }
  });

  test("names values that there are, where one of 1.0 has another name now", () => {
    const named = Object.values(renamedValues()).flatMap((advice) => [...advice.matchAll(/\bset ([\w.]+)/g)]);
    expect(named.length).toBeGreaterThan(12);
    for (const [, path = ""] of named) {
      const found = path.split(".").reduce<unknown>((values, key) => (values as Values | undefined)?.[key], DEFAULTS);
      expect([path, found === undefined]).toEqual([path, false]);
    }
  });
});

/** The example of the option's text, as YAML would have it. */
function asValue({ name, option }: ChartOption): unknown {
  const { example } = OPTION_TEXTS[name];
  if (/^(boolean|number|seconds|whole number)$/.test(option.type)) return JSON.parse(example);
  return /^\d+$/.test(example) ? Number(example) : example;
}

function withMisspelt(values: Values, [key = "", ...rest]: readonly string[]): Values {
  if (rest.length > 0) return { ...values, [key]: withMisspelt(values[key] as Values, rest) };
  return { ...without(values, key), [`${key}s_`]: values[key] };
}

test.each(ROLES)("the role of the chart is what hasta-la-vista rbac %s prints: npm run docs", async (flags, file) => {
  expect(readFileSync(file, "utf8")).toBe(roleRules(flags));
  const { stdout } = await runHere(["rbac", ...flags]);
  expect(parseAllDocuments(stdout)[0]?.toJS().rules).toEqual(parse(roleRules(flags)));
});

test("the Role of the chart is what hasta-la-vista rbac --lease prints besides: npm run docs", async () => {
  expect(readFileSync(LEASE_ROLE, "utf8")).toBe(leaseRoleRules());
  const { stdout } = await runHere(["rbac", "--lease", "production"]);
  const documents = parseAllDocuments(stdout).map((document) => document.toJS());
  expect(documents[2]).toMatchObject({
    kind: "Role",
    rules: parse(leaseRoleRules().replaceAll(LEASE_NAME, "production")),
  });
});

test.each(ADDED_RULES)("%s adds rules to each role of the chart as rbac does: npm run docs", async (flag, file) => {
  expect(readFileSync(file, "utf8")).toBe(addedRules(flag));
  for (const [flags, whole] of ROLES) {
    const { stdout } = await runHere(["rbac", ...flags, flag]);
    const rules = readFileSync(whole, "utf8") + readFileSync(file, "utf8");
    expect(parseAllDocuments(stdout)[0]?.toJS().rules).toEqual(parse(rules));
  }
});

test("the chart has the version of the package, and needs no later Kubernetes than the page says", () => {
  const { version, appVersion, kubeVersion } = parse(read("Chart.yaml"));
  expect([version, appVersion]).toEqual([manifest.version, manifest.version]);
  expect(kubeVersion).toBe(">=1.30.0-0");
  expect(readFileSync("docs/compatibility.md", "utf8")).toContain("Kubernetes 1.30");
});

test.each(COPIES)("%s is a copy of %s: npm run docs", (file, source) => {
  expect(readFileSync(file, "utf8")).toBe(readFileSync(source, "utf8"));
});

test("values files in the documents are accepted", () => {
  expect(VALUES_FILES.length).toBeGreaterThan(0);
  for (const { document, line, text } of VALUES_FILES) {
    const merged = merge(DEFAULTS, parse(text));
    expect([`${document}:${line}`, accepts(merged), accepts.errors]).toEqual([`${document}:${line}`, true, null]);
  }
});

function merge(base: Values, over: Values): Values {
  const isMap = (value: unknown): value is Values =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  const merged = Object.entries(over).map(([key, value]) => {
    const before = base[key];
    return [key, isMap(before) && isMap(value) ? merge(before, value) : value];
  });
  return { ...base, ...Object.fromEntries(merged) };
}

describe("helm test", () => {
  const SECRET = "a-secret-of-the-chart";

  function fileWith(secret: string): string {
    const folder = mkdtempSync(join(tmpdir(), "secret-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "secret");
    writeFileSync(file, `${secret}\n`);
    return file;
  }

  async function check(url: string, secretFile: string) {
    const command = [process.execPath, "--input-type=module", "--eval", read("files/check.mjs")];
    return new Child({ command, options: {} }, [], { SERVICE_URL: url, SECRET_FILE: secretFile }).finished;
  }

  test("passes against a service that is ready, with its secret", async () => {
    const { env } = await account();
    const { url } = await startService({ ...env, SECRET });
    await expect.poll(async () => (await fetch(`${url}/ready`)).status).toBe(200);
    const { code, stdout, stderr } = await check(url, fileWith(SECRET));
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout:
        "ok: the service is ready\nok: the service takes the secret\nok: the service refuses a caller without the secret\n",
      stderr: "",
    });
  });

  test("fails, and says why, with another secret and where no service answers", async () => {
    const { env } = await account();
    const { url } = await startService({ ...env, SECRET });
    const wrong = await check(url, fileWith("another-secret-than-that"));
    expect(wrong.code).toBe(1);
    expect(wrong.stdout).toContain("failed: the service takes the secret: GET /drains answered 403");
    const nowhere = await check("http://127.0.0.1:1", fileWith(SECRET));
    expect(nowhere.code).toBe(1);
    expect(nowhere.stdout).toMatch(/failed: the service is ready: GET \/ready: .*ECONNREFUSED/);
  });
});
