import type * as z from "zod";
import type { DRAIN, DRAINS } from "../drain-schemas.ts";
import type { OVERVIEW } from "../overview-schemas.ts";

/** The types of the API's answers, from the schemas that describe them. No code of the service is in the page. */

export type Overview = z.infer<typeof OVERVIEW>;
export type LiveDrain = Overview["running"][number];
export type LiveRegistration = LiveDrain["registrations"][number];
export type Decision = Overview["decisions"][number];
export type Cloud = Overview["clouds"][number];
export type Quota = Cloud["quotas"][number];
export type Standing = NonNullable<Decision["standing"]>;

/** An event of the stream: `running` and `decisions` have what is new, `over` the drains that have ended. */
export type Changes = Omit<Overview, never> & { readonly over: readonly string[] };

export type PastDrain = z.infer<typeof DRAINS>["drains"][number];
export type DrainDetails = z.infer<typeof DRAIN>;
