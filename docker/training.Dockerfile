# The image of the training job: docker build --file docker/training.Dockerfile .
# `make images` builds it.
#
# TORCH_INDEX is the package index of PyTorch: the build for the CPU, or for a GPU such as
# https://download.pytorch.org/whl/cu130. A wheel in docker/wheelhouse/ is offered beside the index. So no index is
# needed if the wheel is there. BASE, pip.conf and ca.crt are those of service.Dockerfile.
# checkov:skip=CKV_DOCKER_7:the tag is in BASE
# checkov:skip=CKV_DOCKER_2:a job needs no health check, because it ends by itself
ARG BASE=python:3.11-slim-bookworm


FROM ${BASE} AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TORCH=torch==2.13.0
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/facenet
WORKDIR /opt/facenet/src
COPY locks/train.txt locks/
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca.crt --mount=type=bind,source=docker/wheelhouse,target=/wheelhouse \
    /opt/facenet/bin/python -m pip install --quiet --require-hashes --no-deps --requirement locks/train.txt \
    && /opt/facenet/bin/python -m pip install --quiet --retries 1 --find-links /wheelhouse --extra-index-url "${TORCH_INDEX}" \
        "${TORCH}"
COPY pyproject.toml README.md LICENSE ./
COPY service/ service/
COPY models/ models/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca.crt \
    /opt/facenet/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable . --editable service/client \
    && /opt/facenet/bin/facenet-models pull \
    && mv var/models /opt/facenet/models && rm -r var/packages && ln -s /opt/facenet/models var/models \
    && chmod -R a+rX . \
    && /opt/facenet/bin/python -m compileall -q /opt/facenet/src


FROM ${BASE}
LABEL org.opencontainers.image.title="FaceNet training" \
      org.opencontainers.image.description="Trains FaceNet's networks and writes the file that the service loads" \
      org.opencontainers.image.licenses="Apache-2.0"
# HOME is /tmp, because PyTorch and Matplotlib write caches there and the root is read-only.
ENV PATH=/opt/facenet/bin:$PATH:/usr/local/nvidia/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    LD_LIBRARY_PATH=/usr/local/nvidia/lib64 \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=build /opt/facenet /opt/facenet
# /faces: prepared faces. /runs: runs with their checkpoints. /models: the models that the job makes.
RUN mkdir /faces /runs /models && chown 65532:65532 /faces /runs /models
WORKDIR /opt/facenet/src
USER 65532:65532
ENTRYPOINT ["facenet-models"]
CMD ["--help"]
