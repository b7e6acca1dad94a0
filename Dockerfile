# The image of every program of ours but the pipelines' flex template (pipelines/Dockerfile). The programs are built before, all at once
# and with Go's cache (delivery/programs.sh); an image is one of them on a base without shell or package manager.
#
#     docker build --build-arg PROGRAM=cart .larder/images
ARG BASE=gcr.io/distroless/static-debian12:nonroot@sha256:f5b485ea962d9bd1186b2f6b3a061191539b905b82ec395de78cbfae51f20e35
FROM ${BASE}
ARG PROGRAM
COPY ${PROGRAM} /program
USER 65532:65532
ENTRYPOINT ["/program"]
