# Two commands do everything on a fresh machine: `make run` sets up and serves, `make test` sets up and tests.
# You need Python 3.11, 3.12 or 3.13, and make.

PYTHON ?= python3
HOST   ?= $(or $(FACE_HOST),127.0.0.1)
PORT   ?= $(or $(FACE_PORT),8000)
MODEL  ?= $(or $(FACE_MODELS__EMBEDDER),sface)
# Which ONNX Runtime: cpu, gpu or openvino.
TARGET ?= cpu
# Labelled Faces in the Wild: LFW/images/NAME/NAME_0001.jpg and LFW/pairs.txt, from http://vis-www.cs.umass.edu/lfw/
# (lfw.tgz, pairs.txt). Without it, `make accuracy` cannot run, and the tests that need it are skipped.
LFW    ?= ../shared/lfw
# Where `make demo` enrols. A collection holds the faces of one model.
COLLECTION ?= demo
RECIPE ?= smoke
# Every recipe of models/training/recipes/recipes.py. So a wrong one is refused before anything is set up.
RECIPES := smoke distil-compact-start distil-compact distil-nns2 triplets-nn4 triplets-nns2 arcface-nns2 cosface-nns2 \
	triplets-nns2-d64 triplets-nns2-d128 triplets-nns2-d256 triplets-nns2-d512 \
	triplets-nns2-p100 triplets-nns2-p250 triplets-nns2-p500 harmonic-compact paper-nn1 paper-nn2 paper-nn3
ifneq ($(filter train,$(MAKECMDGOALS)),)
ifeq ($(filter $(RECIPE),$(RECIPES)),)
$(error There is no recipe $(RECIPE). The recipes are $(RECIPES))
endif
endif
FACES  ?= var/photographs
CROP   ?= five_point
# The package index of PyTorch: the build for the CPU, or for a GPU such as https://download.pytorch.org/whl/cu130
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TORCH := torch==2.13.0
# The newest server that is a Python package. It needs no other package, and runs on Linux on x86-64.
MILVUS := milvus==2.3.5
# Container images: the engine, the base image, and build secrets for a package index. No image keeps the secrets:
# --secret id=pip.conf,src=/etc/pip.conf --secret id=ca.crt,src=/etc/ssl/certs/ca-certificates.crt
DOCKER ?= docker
BASE   ?= python:3.11-slim-bookworm
BUILD_SECRETS ?=
IMAGES ?= cpu training

# Two ONNX Runtimes cannot be installed together, so each has its own environment.
ENV := .venv$(if $(filter-out cpu,$(TARGET)),-$(TARGET))
PROVIDER := $(if $(filter gpu,$(TARGET)),cuda,$(TARGET))
BIN := $(ENV)/bin
.DEFAULT_GOAL := help
.PHONY: help run demo test test-quick coverage check bench bench-gpu bench-openvino bench-peers bench-gallery bench-training chaos overload soak fuzz accuracy train models photographs images engine
.PHONY: client-schemas format lock clean test-notice test-containers test-milvus sbom audit

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

run: $(ENV)/$(TARGET)  ## Set up and serve on 127.0.0.1:8000 (MODEL=compact PORT=8080 TARGET=gpu or openvino)
	@test -e var/models/onet.onnx || echo "The models are downloaded and converted now: about 60 MB."
	$(BIN)/facenet-models pull $(MODEL) $(if $(filter sface,$(MODEL)),sface-int8) yunet onet
	FACE_HOST=$(HOST) FACE_PORT=$(PORT) FACE_MODELS__EMBEDDER=$(MODEL) FACE_LOG__FORMAT=$(or $(FACE_LOG__FORMAT),console) \
	FACE_INFERENCE__PROVIDER=$(or $(FACE_INFERENCE__PROVIDER),$(PROVIDER)) $(BIN)/facenet serve

demo: $(ENV)/$(TARGET)  ## Enrol real photographs in the running service, then verify, identify and cluster them (COLLECTION=demo2)
	$(BIN)/facenet-models photographs
	$(BIN)/facenet demo var/photographs --collection $(COLLECTION) --url http://$(HOST):$(PORT)

test: test-notice models photographs .venv-sdk/sdk  ## Set up and run all tests in parallel, with coverage (ARGS="-k verify" runs a part)
	rm -f var/coverage/.coverage*
	LFW=$(LFW) $(BIN)/python -m coverage run -m pytest -n auto --dist loadfile $(ARGS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --include="service/*" --format=total $(if $(ARGS),,--fail-under=95)
	$(BIN)/python -m coverage report --include="models/*" --format=total $(if $(ARGS),,--fail-under=90)

test-quick: models photographs  ## Run the quick tests only, in parallel: about two minutes on two cores
	LFW=$(LFW) $(BIN)/python -m pytest -m "not slow" -n auto $(ARGS)

coverage: test  ## Run all tests, then print the lines and branches that no test reached
	$(BIN)/python -m coverage report --show-missing --skip-covered

test-notice:
	@test -e .venv/dev && test -e var/photographs || echo "The first run sets up .venv and var/. It downloads about 1 GB:" \
		"Python packages, PyTorch for the CPU, models and photographs. This takes about 4 minutes."
	@echo "All tests take about 40 minutes on two cores, make test-quick runs the quick ones only, in about two."

check: .venv/dev  ## Check format, lint, types, import directions and unused dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry service models

bench: models photographs  ## Measure the service beside its limits, in one run and one table (about 5 minutes)
	$(BIN)/python -m benchmarks.speed $(if $(wildcard $(LFW)/images),--photographs $(LFW)/images) $(ARGS)

bench-gpu: .venv-gpu/gpu  ## Measure the embedder on a GPU, alone and through the service (ARGS="--provider tensorrt")
	.venv-gpu/bin/facenet-models pull sface yunet onet
	.venv-gpu/bin/facenet-models photographs
	.venv-gpu/bin/python -m benchmarks.gpu $(ARGS)

bench-openvino: .venv-openvino/openvino  ## Measure OpenVINO beside ONNX Runtime's own kernels, on one thread
	.venv-openvino/bin/facenet-models pull sface
	.venv-openvino/bin/python -m benchmarks.openvino $(ARGS)

bench-peers: models photographs  ## Measure the service beside deepface and verifyface, on LFW (about 7 minutes)
	$(BIN)/python -m benchmarks.peers --lfw $(LFW) $(ARGS)

bench-gallery: models  ## Measure galleries of 10,000 to 1,000,000 faces, with vectors shaped like those of LFW (about 15 minutes)
	$(BIN)/python -m benchmarks.gallery $(LFW)/images $(ARGS)

bench-training: .venv/dev  ## Measure the search for triplets, and the training
	$(BIN)/python -m benchmarks.mining
	$(BIN)/python -m benchmarks.training

chaos: models  ## Kill the service, fill its disk and take its files away while clients change the gallery (about 40 minutes)
	$(BIN)/python -m benchmarks.chaos $(ARGS)

overload: models photographs  ## Offer ten times the capacity for a minute, and measure what is still answered (about 3 minutes)
	$(BIN)/python -m benchmarks.overload $(ARGS)

soak: models photographs  ## Send mixed traffic for 20 minutes, and compare memory and gallery (ARGS="--minutes 5")
	$(BIN)/python -m benchmarks.soak $(ARGS)

fuzz: models  ## Send 20,000 changed images of each format, and 20,000 changed bodies (ARGS="--images 500 --bodies 500")
	$(BIN)/python -m benchmarks.fuzz $(ARGS)

accuracy: models  ## Measure the service on Labelled Faces in the Wild (LFW=DIR with images/ and pairs.txt)
	$(BIN)/facenet-models evaluate lfw --images $(LFW)/images --pairs $(LFW)/pairs.txt --out var/lfw
	$(BIN)/python -m benchmarks.accuracy $(LFW)

train: .venv/train  ## Train a network and write its model file (RECIPE=distil-compact-start FACES=FOLDER)
	.venv/bin/facenet-models pull
	$(if $(filter var/photographs,$(FACES)),.venv/bin/facenet-models photographs)
	.venv/bin/facenet-models prepare $(FACES) var/faces/$(notdir $(FACES)) --crop $(CROP)
	.venv/bin/facenet-models train $(RECIPE) --data var/faces/$(notdir $(FACES)) --out var/runs/$(RECIPE)
	.venv/bin/facenet-models export var/runs/$(RECIPE)/checkpoint.pt $(RECIPE) --data var/faces/$(notdir $(FACES))

images: engine $(addprefix image-,$(IMAGES))  ## Build images (IMAGES="cpu gpu training training-cuda")

# The image format of podman has no health checks, so podman is told to write the format of Docker.
BUILD = labels=$$($(PYTHON) docker/labels.py sface sface-int8 yunet onet) && DOCKER_BUILDKIT=1 $(DOCKER) build $$labels \
	$(if $(findstring podman,$(DOCKER)),--format docker) --build-arg BASE=$(BASE) $(BUILD_SECRETS)
image-cpu image-gpu: image-%: engine
	$(BUILD) --file docker/service.Dockerfile --target $* --tag facenet-service:$* .

image-training image-training-cuda: image-%: engine
	$(BUILD) --file docker/training.Dockerfile --build-arg TORCH_INDEX=$(INDEX_$*) --build-arg TORCH=$(TORCH) \
		--tag facenet-training:$(if $(findstring cuda,$*),cuda,cpu) .
INDEX_training := https://download.pytorch.org/whl/cpu
INDEX_training-cuda := https://download.pytorch.org/whl/cu130

engine:
	@$(DOCKER) info >/dev/null 2>&1 || { echo "No container engine answers. Install Docker 20.10 or newer (Debian:" \
		"docker.io), start it, or choose another client: make images DOCKER=podman"; exit 1; }

sbom: .venv/dev  ## List what is in each image, as CycloneDX: var/sbom/*.json
	mkdir -p var/sbom
	$(BIN)/python docker/sbom.py locks/serve-cpu.txt sface yunet onet > var/sbom/facenet-service-cpu.json
	$(BIN)/python docker/sbom.py locks/serve-gpu.txt sface yunet onet > var/sbom/facenet-service-gpu.json
	$(BIN)/python docker/sbom.py locks/train.txt $(TORCH) sface yunet onet > var/sbom/facenet-training.json

# The folders that an operator applies to a cluster.
AUDITED := overlays/cpu overlays/gpu overlays/scale-out milvus jobs jobs/claims jobs/workspace jobs/several-nodes
audit: .venv/dev .venv-audit/audit  ## Check the Dockerfiles, the manifests, and the packages for known vulnerabilities
	mkdir -p var/rendered
	$(foreach one,$(AUDITED),$(BIN)/kubectl kustomize k8s/$(one) > var/rendered/$(subst /,-,$(one)).yaml &&) true
	$(BIN)/hadolint docker/*.Dockerfile
	.venv-audit/bin/checkov --skip-download --quiet --compact --framework dockerfile --directory docker
	.venv-audit/bin/checkov --skip-download --quiet --compact --framework kubernetes --directory var/rendered
	$(BIN)/python docker/vulnerabilities.py .venv-audit/bin/pip-audit locks/*.txt || test $$? -eq 2  # 2: no network

test-containers: engine models photographs  ## Run the tests of the images and of docker-compose.yml
	DOCKER=$(DOCKER) $(BIN)/python -m pytest -m containers tests/containers $(ARGS)

test-milvus: models .venv-milvus/milvus  ## Run the tests that need a real Milvus server, which it installs (Linux on x86-64, about 10 minutes)
	MILVUS_SERVER=$(CURDIR)/.venv-milvus $(BIN)/python -m pytest -m milvus tests/contracts tests/service/gallery/milvus $(ARGS)

models: .venv/dev  ## Download and convert every model of the zoo
	$(BIN)/facenet-models pull sface sface-int8 yunet onet facenet compact

photographs: .venv/dev  ## Download the photographs of the demo and the tests
	$(BIN)/facenet-models photographs

# As `facenet openapi` does, but without the commands: they need the client, which may not fit yet.
DESCRIBE := import json; from service.app import describe_app; from service.settings.environment import Settings; \
	print(json.dumps(describe_app(Settings()).openapi()))
client-schemas: .venv/dev  ## Write the schemas of the Python client again, after a change of the API
	$(BIN)/python -c "$(DESCRIBE)" > var/openapi.json
	$(BIN)/python service/client/write_schemas.py var/openapi.json service/client/facenet_client/schemas

format: .venv/dev  ## Format the code and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## Remove what the other targets have set up; the gallery in var/data stays
	rm -rf .venv .venv-gpu .venv-openvino .venv-audit .venv-sdk .venv-milvus var/models var/packages var/photographs

# Each environment has a lock file with hashes, so every installation has the same packages. The lock dev contains the
# lock cpu. A lock lists every package, so pip does not look for dependencies (--no-deps). Only PyTorch is from TORCH_INDEX.
.venv/% .venv-gpu/% .venv-openvino/%: locks/%.txt pyproject.toml service/client/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed; name it: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up $(@D): Python packages are downloaded and installed$(if $(SIZE_$*), ($(SIZE_$*))). This takes a minute or several."
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement $<
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--editable . --editable service/client
	$(if $(filter dev train,$*),$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --retries 1 \
		--extra-index-url $(TORCH_INDEX) $(TORCH))
	@touch $@

# What an environment takes on the disk. It is said before the wait.
SIZE_cpu := 900 MB
SIZE_train := about 2 GB with PyTorch
SIZE_dev := 2.4 GB with PyTorch
SIZE_gpu := several GB with CUDA

# checkov and openapi-python-client need older versions of packages of the service, so they have their own environments.
.venv-audit/% .venv-sdk/%: locks/%.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement $<
	@touch $@

.venv-milvus/milvus:
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check $(MILVUS)
	@touch $@

LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
	--no-emit-index-url --custom-compile-command "make lock"
# The extras that make models and install the project. The image of the service needs neither: its lock is without them.
MAKES := --extra convert --extra install
lock:  ## Write the lock files with the newest versions
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) $(MAKES) --extra cpu --output-file locks/cpu.txt pyproject.toml
	$(LOCK) $(MAKES) --extra gpu --output-file locks/gpu.txt pyproject.toml
	$(LOCK) $(MAKES) --extra openvino --constraint locks/cpu.txt --output-file locks/openvino.txt pyproject.toml
	$(LOCK) $(MAKES) --extra cpu --extra train --output-file locks/train.txt pyproject.toml
	$(LOCK) $(MAKES) --extra cpu --extra train --extra dev --output-file locks/dev.txt pyproject.toml
	printf 'checkov\npip-audit\n' | $(LOCK) --output-file locks/audit.txt -
	echo openapi-python-client | $(LOCK) --output-file locks/sdk.txt -
	$(LOCK) --extra cpu --extra milvus --constraint locks/cpu.txt --output-file locks/serve-cpu.txt pyproject.toml
	$(LOCK) --extra gpu --extra milvus --constraint locks/gpu.txt --output-file locks/serve-gpu.txt pyproject.toml
