import { Bar } from "./bar.tsx";
import { counted, duration, localTime, sentence } from "./format.ts";
import type { Cloud, Overview, Quota } from "./reports.ts";

/** An index that is older needs attention: it normally reads a group a second. */
const OLD_MS = 15 * 60_000;

export function Service({ overview, now }: { readonly overview: Overview; readonly now: number }) {
  const { clouds, ready } = overview;
  return (
    <section aria-labelledby="service">
      <h2 id="service">AWS</h2>
      <p class="quiet">
        Access:{" "}
        {ready.status === "ready" && ready.checkedAt !== undefined
          ? `all calls allowed, checked ${duration(now - Date.parse(ready.checkedAt))} ago.`
          : ready.status === "not-ready"
            ? "see above."
            : "not checked yet."}
      </p>
      {clouds.map((cloud) => (
        <Place key={cloud.place ?? ""} cloud={cloud} now={now} />
      ))}
    </section>
  );
}

function Place({ cloud, now }: { readonly cloud: Cloud; readonly now: number }) {
  const { place, quotas } = cloud;
  return (
    <div class="place">
      {place !== undefined && <h3>{place}</h3>}
      <Index cloud={cloud} now={now} />
      <h3 class="unseen">Request quotas {place}</h3>
      <ul class="quotas">
        {quotas.map((quota) => (
          <QuotaUse key={quota.name} quota={quota} />
        ))}
      </ul>
    </div>
  );
}

function Index({ cloud: { index }, now }: { readonly cloud: Cloud; readonly now: number }) {
  const { kept, listedAt, groups, groupsRead, classics, oldestReadAt, failure } = index;
  if (!kept) return <p>The index is off (INDEX_RATE is 0): each drain searches first.</p>;
  const ageMs = oldestReadAt === undefined ? undefined : now - Date.parse(oldestReadAt);
  const known = `${counted(groups, "target group")} and ${counted(classics, "classic load balancer")}`;
  const unread = groups - groupsRead;
  return (
    <>
      <p>
        The index knows {known}
        {listedAt === undefined ? ", not listed yet" : `, listed ${duration(now - Date.parse(listedAt))} ago`}.{" "}
        {unread > 0 && `${counted(unread, "group")} not read yet. `}
        {ageMs !== undefined && (
          <span class={ageMs > OLD_MS ? "bad" : ""}>The oldest read is {duration(ageMs)} old.</span>
        )}
      </p>
      {failure && (
        <p class="bad">
          The last read failed at {localTime(failure.at, now)}: {sentence(failure.message)}{" "}
          <span class="quiet">{failure.code}</span>
        </p>
      )}
    </>
  );
}

function QuotaUse({ quota }: { readonly quota: Quota }) {
  const { name, available, burst, perSecond, fullPerSecond, waiting, granted, throttled } = quota;
  const used = Math.max(0, burst - available);
  const title = NAMES[name] ?? name;
  const isSlowed = perSecond < fullPerSecond * 0.99;
  return (
    <li>
      <span class="name">{title}</span>
      <Bar
        label={`${title}: ${Math.round(used)} of ${Math.round(burst)} used`}
        done={burst > 0 ? used / burst : 0}
        kind={waiting > 0 || isSlowed ? "failed" : "use"}
      />
      <span class="why">
        {Math.floor(available)} of {counted(Math.floor(burst), "call")} available, {perSecond}/s more
        {waiting > 0 && <strong>, {counted(waiting, "call")} waiting</strong>}
        {isSlowed && <strong>, slowed after throttling</strong>}
        <span class="quiet">
          . {counted(granted, "call")} since the start{throttled > 0 && `, ${throttled} throttled`}.
        </span>
      </span>
    </li>
  );
}

const NAMES: Readonly<Record<string, string>> = {
  all: "All load balancer calls",
  "v2-read": "Target groups: reads",
  "v2-register": "Target groups: (de)registrations",
  "classic-read": "Classic: reads",
  "classic-register": "Classic: (de)registrations",
  "ec2-describe-instances": "EC2: DescribeInstances",
  "ec2-describe-network-interfaces": "EC2: DescribeNetworkInterfaces",
};
