# The training job: docker build --file docker/training.Dockerfile .      (make images builds all)
#
# TORCH_INDEX says which PyTorch: the CPU's, or such as https://download.pytorch.org/whl/cu130 for a GPU. Wheels in
# docker/wheelhouse/ are looked at beside it, so that no index need be asked. BASE, pip.conf and ca.crt are as for the service.
# checkov:skip=CKV_DOCKER_7:the tag is in BASE
# checkov:skip=CKV_DOCKER_2:a job is not asked whether it is well, it ends
ARG BASE=python:3.11-slim-bookworm


FROM ${BASE} AS made
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
    /opt/facenet/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable . \
    && /opt/facenet/bin/facenet-models pull \
    && mv var/models /opt/facenet/models && rm -r var/packages && ln -s /opt/facenet/models var/models \
    && chmod -R a+rX . \
    && /opt/facenet/bin/python -m compileall -q /opt/facenet/src


FROM ${BASE}
LABEL org.opencontainers.image.title="FaceNet training" \
      org.opencontainers.image.description="Trains FaceNet's networks and writes the file that the service loads" \
      org.opencontainers.image.licenses="Apache-2.0"
# HOME: PyTorch and Matplotlib keep caches, and the root is read-only.
ENV PATH=/opt/facenet/bin:$PATH:/usr/local/nvidia/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    LD_LIBRARY_PATH=/usr/local/nvidia/lib64 \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=made /opt/facenet /opt/facenet
# Prepared faces, runs with their checkpoints, and the models that are made.
RUN mkdir /faces /runs /models && chown 65532:65532 /faces /runs /models
WORKDIR /opt/facenet/src
USER 65532:65532
ENTRYPOINT ["facenet-models"]
CMD ["--help"]
