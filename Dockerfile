# bkg in a container: built and packed here, then one binary in a small image, as a user without rights.
#   docker build -t bkg .
#   docker run --name bkg -e BKG_ADMIN_PASSWORD -p 127.0.0.1:43119:43119 -v bkg:/data bkg   (docs/deploy.md has more)
# The cells' sandbox is processes, not containers: it needs no privilege, no capability and no device.

FROM node:22-bookworm-slim AS build
# deno compile unpacks the base of its binaries with unzip.
RUN apt-get update \
  && apt-get install -y --no-install-recommends unzip \
  && rm -rf /var/lib/apt/lists/*
RUN npm install --global deno@2.9.6
WORKDIR /src
# The packages, in a layer that lasts until the lock changes.
COPY deno.json deno.lock import_map.json ./
RUN deno cache $(node -p 'Object.keys(JSON.parse(fs.readFileSync("deno.lock")).specifiers).join(" ")')
COPY . .
RUN deno task compile --output /out/bkg

# A shell stays in: on Linux a cell's memory limit is set by one (ulimit) before it starts.
FROM debian:bookworm-slim
RUN useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin bkg \
  && install --directory --owner bkg --group bkg --mode 0700 /data
COPY --from=build /src/LICENSE /usr/share/doc/bkg/LICENSE
COPY --from=build /out/bkg /usr/local/bin/bkg
# By number, so that a cluster can see that it is not root.
USER 10001:10001
ENV BKG_DATA_DIR=/data BKG_HOST=0.0.0.0
VOLUME /data
EXPOSE 43119
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["bkg", "doctor", "--server", "--quiet"]
ENTRYPOINT ["bkg"]
# Without an owner it does not open its port: the first start takes BKG_ADMIN_PASSWORD (or _FILE).
CMD ["serve", "--log", "json"]
