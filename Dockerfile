# The plugin alone, for `kubectl netpath check SUITE --in-cluster`. It takes what `.ci/release` built, and the program
# has to be static: .ci/release agents && .ci/release plugin x86_64-unknown-linux-musl && docker build .
FROM scratch
ARG TARGETARCH
COPY target/dist/linux-${TARGETARCH}/kubectl-netpath target/dist/linux-${TARGETARCH}/LICENSE /
USER 65534:65534
ENTRYPOINT ["/kubectl-netpath"]
