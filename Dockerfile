# The image: one static program, the authorities it trusts, and a list of what
# it is made of. There is no shell and nothing else in it; it runs as 65532,
# needs no capability and writes nowhere.
#
#   docker build --build-arg VERSION=v1.2.3 -t orderwalk:v1.2.3 .
#   docker buildx build --platform linux/amd64,linux/arm64 …
#
# There is one program: the Kafka of `orderwalk dev` and the simulator are in it.
# They are 4.9 of its 18.7 MB, 0.3 ms of its start and nothing of its memory where
# they are not used; left out by a build tag, what is tested would not be what is
# shipped, and nobody could have the simulator beside their own tests without Go.
#
# `make image` gives every argument its value. Go itself notes commit and version
# of the working tree in the program, which is why .git is part of the context
# and .dockerignore leaves out only what git ignores too.

# Name a digest here to pin what a tag can move, a mirror where these are out of
# reach, or scratch in place of the second: nothing of it is needed.
ARG GO_IMAGE=docker.io/library/golang:1.26.11-bookworm
ARG BASE_IMAGE=gcr.io/distroless/static-debian12:nonroot

FROM --platform=$BUILDPLATFORM $GO_IMAGE AS build
WORKDIR /src
# For networks that reach no public module proxy.
ARG GOPROXY GOSUMDB
# The base image decides which Go it is: no other is fetched.
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
COPY . .
ARG TARGETOS=linux TARGETARCH=amd64
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
	GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=auto -ldflags='-s -w' -o /out/orderwalk . && \
	go build -C tools/sbom -trimpath -buildvcs=false -o /tmp/sbom github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod && \
	/tmp/sbom bin -json -std -noserial -notimestamp -output /out/sbom.cdx.json /out/orderwalk

FROM $BASE_IMAGE
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/sbom.cdx.json /usr/share/doc/orderwalk/sbom.cdx.json
COPY LICENSE NOTICE /usr/share/doc/orderwalk/
COPY --from=build /out/orderwalk /usr/local/bin/orderwalk
ARG VERSION REVISION CREATED
LABEL org.opencontainers.image.title="orderwalk" \
	org.opencontainers.image.description="Publishes the order IDs of WeChat Shops to Kafka, each exactly once" \
	org.opencontainers.image.version=$VERSION \
	org.opencontainers.image.revision=$REVISION \
	org.opencontainers.image.created=$CREATED
# By number, so that Kubernetes sees that it is not root.
USER 65532:65532
EXPOSE 8083
# For engines without probes of their own; Kubernetes ignores it and has the chart's,
# of which it is the one for liveness. podman and buildah leave it out unless they
# are told --format docker, which also writes down which container built the image.
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=6 CMD ["/usr/local/bin/orderwalk", "health"]
ENTRYPOINT ["/usr/local/bin/orderwalk"]
CMD ["run"]
