import { percent } from "./format.ts";

interface BarProps {
  /** For screen readers. */
  readonly label: string;
  /** Between 0 and 1. */
  readonly done: number;
  readonly kind: "holding" | "registered" | "released" | "failed" | "kept" | "use";
  /** The limit: what comes after it does not fit. Undefined: everything fits. */
  readonly limitAt?: number | undefined;
}

/** Widths are attributes of SVG, because the page's policy allows no inline styles. */
export function Bar({ label, done, kind, limitAt }: BarProps) {
  return (
    <svg class={`bar ${kind}`} role="img" aria-label={label}>
      <rect class="track" width="100%" height="100%" rx="3" />
      <rect class="fill" width={percent(done, 1)} height="100%" rx="3" />
      {limitAt !== undefined && (
        <>
          <rect class="short" x={percent(limitAt, 1)} width={percent(1 - limitAt, 1)} height="100%" />
          <line class="limit" x1={percent(limitAt, 1)} x2={percent(limitAt, 1)} y1="0" y2="100%" />
        </>
      )}
    </svg>
  );
}
