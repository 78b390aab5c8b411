// The software bill of materials of the bundles, for dist/sbom.cdx.json: CycloneDX, as `npm sbom` writes it.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** @typedef {import("./third-party-licences.mjs").BundledPackage} BundledPackage */
/** @typedef {{ "bom-ref": string, properties?: { name: string }[] }} Component */
/** @typedef {{ ref: string, dependsOn?: string[] }} Dependency */

const OUTPUT_BYTES_MAX = 64_000_000;
/** Every package that is bundled is a development dependency, because none is installed with the program. */
const DEVELOPMENT = "cdx:npm:package:development";

/**
 * The bill as JSON. `npm sbom` lists everything that is installed to build and test; the bill lists what the bundles carry.
 * It has no time and no serial number, so that the same source gives the same file. Rejects for a bundled package that is
 * not in package-lock.json.
 *
 * @param {string} name of the product
 * @param {readonly BundledPackage[]} packages
 * @returns {Promise<string>}
 */
export async function bundleSbom(name, packages) {
  const args = ["sbom", "--sbom-format", "cyclonedx", "--package-lock-only"];
  const { stdout } = await promisify(execFile)("npm", args, { maxBuffer: OUTPUT_BYTES_MAX });
  const { serialNumber, metadata, components, dependencies, ...bill } = JSON.parse(stdout);
  const { timestamp, component, ...about } = metadata;
  const bundled = new Set(packages.map((one) => `${one.name}@${one.version}`));
  /** @type {Component[]} */
  const carried = components.filter((/** @type {Component} */ { "bom-ref": ref }) => bundled.has(ref));
  const missing = [...bundled].filter((ref) => !carried.some(({ "bom-ref": found }) => found === ref));
  if (missing.length > 0) throw new Error(`bundled, but not in package-lock.json: ${missing.join(", ")}`);
  const isCarried = (/** @type {string} */ ref) => bundled.has(ref);
  const whole = {
    ...bill,
    metadata: { ...about, component: { ...component, type: "application", name } },
    components: carried.map(({ properties = [], ...rest }) => ({
      ...rest,
      properties: properties.filter((property) => property.name !== DEVELOPMENT),
    })),
    dependencies: dependencies
      .filter((/** @type {Dependency} */ { ref }) => ref === component["bom-ref"] || isCarried(ref))
      .map((/** @type {Dependency} */ { ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter(isCarried) })),
  };
  return `${JSON.stringify(whole, null, 2)}\n`;
}
