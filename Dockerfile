# The service as an image without a shell or a package manager, run by an ordinary user, on a file system that may be
# read-only. Any architecture that the base has:
#   docker buildx build --platform linux/amd64,linux/arm64 --tag hasta-la-vista .
# `--target simulator` is a simulated AWS region (docs/simulator.md, compose.yaml): AWS on port 4566, and the load balancers on
# the ports from 4600 on.
#
# Tags move with security fixes. Renovate writes the digest behind each tag, and renews it (renovate.json); the digests are
# not here yet, because it has not run. To pin them now, write them as in
#   node:24.21.0-bookworm-slim@sha256:…      (docker buildx imagetools inspect IMAGE prints it)

# The bundles are the same everywhere, so they are made once, on the machine that builds.
FROM --platform=$BUILDPLATFORM node:24.21.0-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
# No package needs its install script to bundle.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY build.mjs tsconfig.json ./
COPY packaging packaging
COPY src src
RUN npm run build

FROM gcr.io/distroless/nodejs24-debian12:nonroot AS simulator
COPY --from=build /build/dist/cli.js /app/
COPY --from=build /build/dist/cli /app/cli
# By it Node knows that they are modules.
COPY --from=build /build/package.json /app/
COPY --from=build /build/dist/THIRD-PARTY-LICENSES /app/
COPY --from=build /build/dist/sbom.cdx.json /app/
COPY LICENSE /app/
COPY docs/scenarios /app/scenarios
# The base's user `nonroot`, as a number: Kubernetes can't tell from a name that it isn't root.
USER 65532:65532
WORKDIR /app
EXPOSE 4566
# 200 once the load balancers listen.
HEALTHCHECK --interval=5s --timeout=3s CMD ["/nodejs/bin/node", "-e", "fetch('http://127.0.0.1:4566/_simulator/health').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/nodejs/bin/node", "/app/cli.js"]
CMD ["simulate", "--host", "0.0.0.0", "--first-port", "4600", "--port", "4566"]

FROM gcr.io/distroless/nodejs24-debian12:nonroot AS service
COPY --from=build /build/dist/service.js /app/
COPY --from=build /build/dist/service /app/service
COPY --from=build /build/dist/dashboard /app/dashboard
# By it Node knows that they are modules.
COPY --from=build /build/package.json /app/
COPY --from=build /build/dist/THIRD-PARTY-LICENSES /app/
COPY --from=build /build/dist/sbom.cdx.json /app/
COPY LICENSE /app/
USER 65532:65532
WORKDIR /app
EXPOSE 8080
# For Docker alone: Kubernetes has probes of its own, and asks GET /health itself. Another --port than PORT, a HOST
# without loopback, or TLS needs another check.
HEALTHCHECK --interval=15s --timeout=3s CMD ["/nodejs/bin/node", "-e", "fetch('http://127.0.0.1:' + (process.env.PORT || 8080) + '/health').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# By default Node 24 lets the young generation grow to several times this, and the heap to four times of what lives. A burst of
# messages fills both. Neither flag limits the memory that the service can have (docs/performance.md, Messages).
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=4", "--heap-growing-percent=60", "/app/service.js"]
