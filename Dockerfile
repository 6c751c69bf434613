# vasicd, vasicctl and vasic-fpm in an otherwise empty image: docker build -t vasic .

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# The same command as in .ci/run.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /image/ ./server/vasicd ./clients/vasicctl ./clients/vasic-fpm

FROM scratch
COPY --from=build /image/ /
# By number, since there is no /etc/passwd here and Kubernetes' runAsNonRoot cannot tell from a name.
USER 65532:65532
# gRPC and metrics.
EXPOSE 50151 9651
# Asks grpc.health.v1 on port 50151 of this container. Where --listen is given another port, set VASIC_LISTEN instead: both see it.
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s --retries=3 CMD ["/vasicd", "--healthcheck"]
ENTRYPOINT ["/vasicd"]
# A container's loopback reaches nobody, so this listens on every address of the container, and says aloud that it does so without TLS.
# Who may come in is decided by the ports that are published. With TLS, give other arguments here.
CMD ["--listen", "0.0.0.0:50151", "--metrics-listen", "0.0.0.0:9651", "--insecure"]
