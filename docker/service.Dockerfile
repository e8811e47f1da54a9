# The image of the service: docker build --file docker/service.Dockerfile --target cpu .
# The targets are cpu and gpu; `make images` builds them.
#
# BASE is any image whose python3 is 3.11, 3.12 or 3.13, with venv and pip. The settings of a package index and a
# certificate are the build secrets pip.conf and ca.crt, so no layer contains them.
# checkov:skip=CKV_DOCKER_7:the tag is in BASE
ARG BASE=python:3.11-slim-bookworm


# The packages that the service needs. They are compiled here, because nothing can be compiled on a read-only root.
# Their tests are left out.
FROM ${BASE} AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv --without-pip /opt/facenet
WORKDIR /build
COPY docker/packages.sh docker/

FROM packages AS packages-cpu
COPY locks/serve-cpu.txt locks/
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca.crt \
    sh docker/packages.sh locks/serve-cpu.txt

FROM packages AS packages-gpu
COPY locks/serve-gpu.txt locks/
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca.crt \
    sh docker/packages.sh locks/serve-gpu.txt


# The default models are downloaded, converted and checked here. The project and its client are built as wheels.
FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY locks/cpu.txt locks/
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca.crt \
    python3 -m venv /tools && /tools/bin/python -m pip install --quiet --require-hashes --no-deps --requirement locks/cpu.txt
COPY pyproject.toml README.md LICENSE ./
COPY service/ service/
COPY models/ models/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca.crt \
    /tools/bin/python -m models pull sface sface-int8 yunet onet \
    && chmod -R a+rX .
RUN /tools/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir wheels . ./service/client


# The service does not need what makes models. It also holds a model that is for research only.
FROM packages AS project
COPY --from=build /build/wheels wheels
RUN python3 -m pip --python /opt/facenet/bin/python install --quiet --no-index --no-deps --no-compile --root /image \
        wheels/*.whl \
    && rm -r /image/opt/facenet/bin/facenet-models /image/opt/facenet/lib/python3*/site-packages/models \
    && python3 -m compileall -q -s /image -p / /image


FROM ${BASE} AS runtime
LABEL org.opencontainers.image.title="FaceNet service" \
      org.opencontainers.image.description="Face verification, identification and clustering over HTTP" \
      org.opencontainers.image.licenses="Apache-2.0"
# The models are outside of every mount point. A volume that is mounted over them would keep the old models after an
# update.
ENV PATH=/opt/facenet/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    FACE_HOST=0.0.0.0 \
    FACE_PORT=8000 \
    FACE_DATA_DIR=/data \
    FACE_MODELS__DIR=/opt/facenet/models
COPY --from=build /build/var/models/ /opt/facenet/models/
# /models is for your own models: FACE_MODELS__EMBEDDER=/models/NAME.onnx
RUN mkdir /data /models && chown 65532:65532 /data /models
WORKDIR /data
EXPOSE 8000
# -I: no module is imported from /data.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python3", "-I", "-c", "import http.client as h, os, sys; c = h.HTTPConnection('127.0.0.1', int(os.environ['FACE_PORT'])); c.request('GET', '/readyz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["facenet"]
CMD ["serve"]


FROM runtime AS gpu
# CUDA and cuDNN are Python packages in the image. The node needs a driver (580 or newer) and NVIDIA's container
# toolkit. Most toolkits put the driver where the loader finds it; GKE mounts it under /usr/local/nvidia.
ENV FACE_INFERENCE__PROVIDER=cuda \
    PATH=$PATH:/usr/local/nvidia/bin \
    LD_LIBRARY_PATH=/usr/local/nvidia/lib64 \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=packages-gpu /opt/facenet /opt/facenet
COPY --from=project /image /
USER 65532:65532


FROM runtime AS cpu
COPY --from=packages-cpu /opt/facenet /opt/facenet
COPY --from=project /image /
USER 65532:65532
