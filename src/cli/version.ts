/** The package's, which the build writes in. */
declare const __VERSION__: string;

export const VERSION = __VERSION__;
