# One image with every program; what runs is the command: /api (the default), /worker or
# /eventio, which needs neither NATS nor MongoDB and keeps its data in /data.

# The build runs on the builder's own platform and crosses over: no emulation.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
# Dependencies come before the code: a change of code does not load them anew.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
# What --version says, as the repository is not in the build: --build-arg COMMIT=$(git rev-parse HEAD)
ARG VERSION COMMIT
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags="-s -w \
        -X github.com/eventio/eventio/internal/process.linkedVersion=$VERSION \
        -X github.com/eventio/eventio/internal/process.linkedCommit=$COMMIT" \
        -o /out/ ./cmd/api ./cmd/worker ./cmd/notifier ./cmd/eventio \
    && mkdir /out/data

# No shell, no package manager, not root.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/api /api
COPY --from=build /out/worker /worker
COPY --from=build /out/notifier /notifier
COPY --from=build /out/eventio /eventio
# A volume mounted here takes over the owner: 65532 is the image's nonroot.
COPY --from=build --chown=65532:65532 /out/data /data
ENV EVENTIO_ADDR=0.0.0.0:3000 EVENTIO_DATA=/data
EXPOSE 3000
# Asks /readyz at EVENTIO_ADDR, so it serves whichever of them runs.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s CMD ["/api", "healthcheck"]
CMD ["/api"]
