/** The same cases at each run; FUZZ_SEED=<number> gives others. Failures say which seed they had. */
export const SEED = Number(process.env["FUZZ_SEED"] ?? 20_260_101);
