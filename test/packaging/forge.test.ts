import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import manifest from "../../package.json" with { type: "json" };

const read = (file: string) => readFileSync(file, "utf8");
const PLACE = "https://github.com/hasta-la-vista/hasta-la-vista";

describe("the forge", () => {
  test("runs .ci/run for every change, with no check of its own", () => {
    const { on, permissions, jobs } = parse(read(".github/workflows/ci.yml"));
    expect(Object.keys(on)).toEqual(["pull_request", "push"]);
    expect(permissions).toEqual({ contents: "read" });
    const steps: readonly { readonly uses?: string; readonly run?: string; readonly with?: object }[] = Object.values<{
      readonly steps: readonly object[];
    }>(jobs).flatMap((job) => job.steps);
    expect(steps.flatMap(({ run }) => run ?? [])).toEqual([".ci/run"]);
    expect(statSync(".ci/run").mode & 0o111).not.toBe(0);
    const images = Object.values<{ readonly container: string }>(jobs).map(({ container }) => container);
    const [oldest] = /\d+/.exec(manifest.engines.node) ?? [];
    expect(images).toEqual([expect.stringMatching(new RegExp(`^node:${oldest}-`))]);
  });

  test("asks reporters for what is needed, and sends vulnerabilities to a private place", () => {
    const folder = ".github/ISSUE_TEMPLATE";
    const forms = readdirSync(folder).filter((name) => name !== "config.yml");
    expect(forms.sort()).toEqual(["bug.yml", "feature.yml"]);
    for (const form of forms) {
      const { name, description, body } = parse(read(`${folder}/${form}`));
      expect([name, description].map((text) => typeof text)).toEqual(["string", "string"]);
      const fields: readonly { readonly type: string; readonly id?: string }[] = body;
      const ids = fields.flatMap(({ type, id }) => (type === "markdown" ? [] : (id ?? "none")));
      expect(ids).not.toContain("none");
      expect(new Set(ids).size).toBe(ids.length);
    }
    const { contact_links: links } = parse(read(`${folder}/config.yml`));
    const advisories = `${PLACE}/security/advisories/new`;
    expect(links.map(({ url }: { readonly url: string }) => url)).toContain(advisories);
    expect(read("SECURITY.md")).toContain(advisories);
    for (const { url } of links as readonly { readonly url: string }[]) {
      const file = url.split("/blob/main/")[1];
      if (file !== undefined) expect(existsSync(file)).toBe(true);
    }
  });

  test("asks the maintainers to review every change", () => {
    const rules = read(".github/CODEOWNERS")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    expect(rules).toEqual(["* @hasta-la-vista/maintainers"]);
  });

  test("every command in the pull request's template is a script of the package", () => {
    const named = [...read(".github/PULL_REQUEST_TEMPLATE.md").matchAll(/npm (?:run )?(\w+)/g)].map(
      (match) => match[1] ?? "",
    );
    expect(named.length).toBeGreaterThan(2);
    expect(named.filter((name) => !(name in manifest.scripts))).toEqual([]);
  });
});

interface Rule {
  readonly matchPackageNames?: readonly string[];
  readonly matchUpdateTypes?: readonly string[];
  readonly enabled?: boolean;
  readonly dependencyDashboardApproval?: boolean;
}

describe("renovate", () => {
  const { extends: presets, packageRules }: { extends: readonly string[]; packageRules: readonly Rule[] } = JSON.parse(
    read("renovate.json"),
  );
  const named = packageRules.flatMap(({ matchPackageNames = [] }) => matchPackageNames);

  test("keeps every version pinned", () => {
    expect(presets).toContain(":pinAllExceptPeerDependencies");
    const versions = Object.values(manifest.devDependencies);
    expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  test("writes the digest behind each tag of a base image, and renews it", () => {
    expect(presets).toContain("docker:pinDigests");
  });

  test("names only packages that the project has", () => {
    const has = Object.keys(manifest.devDependencies);
    const missing = named.filter((name) =>
      name.startsWith("/") ? !has.some((each) => new RegExp(name.slice(1, -1)).test(each)) : !has.includes(name),
    );
    expect(missing).toEqual([]);
  });

  test.each(["commander", "listr2", "vitest", "@types/node"])(
    "holds back the next major of %s, which needs Node 22",
    (name) => {
      const rule = packageRules.find(({ matchPackageNames }) => matchPackageNames?.includes(name));
      expect(rule).toMatchObject({ matchUpdateTypes: ["major"], enabled: false });
    },
  );

  test("updates the AWS SDK only after an approval", () => {
    const rule = packageRules.find(({ matchPackageNames }) => matchPackageNames?.includes("/^@aws-sdk/"));
    expect(rule?.dependencyDashboardApproval).toBe(true);
  });
});
