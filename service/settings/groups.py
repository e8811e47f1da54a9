"""The groups of settings: default, range, and one sentence for each setting."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from service.model_files.catalogue import CATALOGUE

Count = Annotated[int, Field(ge=1, le=1024)]


class Group(BaseModel):
    """Settings whose names start in the same way. A value cannot be changed, and an unknown name is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Models(Group):
    """Which models are loaded."""

    dir: Path = Field(Path("var/models"), description="the folder of the NAME.onnx files")
    zoo: Path = Field(CATALOGUE, description="the file that lists the known models, and the sha256 that each must have")
    embedder: str = Field("sface", description="a name in `dir`, or the path of an .onnx file")
    next_embedder: str | None = Field(
        None,
        description="a second embedder: a name in `dir`, or a path. Collections can be embedded again by it while "
        "their own model serves",
    )
    detector: str = Field("yunet", description="a name in `dir`, or the path of an .onnx file")
    landmarks: str = Field(
        "onet", description="a name in `dir`, a path, or `detector` for the landmarks of the detector"
    )
    mirror: Literal["off", "enrolment", "always"] = Field(
        "off",
        description="when an embedding is averaged with that of the mirror image. The embedder then works twice",
    )


class Inference(Group):
    """How the models are run."""

    provider: Literal["cpu", "cuda", "tensorrt", "openvino"] = Field(
        "cpu", description="the execution provider of ONNX Runtime. The service does not start if it is missing"
    )
    precision: Literal["auto", "float32", "int8", "float16", "bfloat16"] = Field(
        "auto",
        description="the numbers that the embedder computes with. `auto`: int8 if the file NAME-int8.onnx is there, "
        "and this CPU is faster with it and the embeddings agree. `float16` needs the provider `tensorrt`, `bfloat16` "
        "needs `openvino`",
    )
    threads: Count | None = Field(
        None, description="how many photographs are decoded and detected in parallel. Default: the number of CPUs"
    )
    workers: Count | None = Field(
        None, description="how many embedder calls run in parallel. Default: the number of CPUs; 2 on a GPU"
    )
    max_batch: int | None = Field(
        None, ge=1, le=1024, description="the most crops in one embedder call. Default: 2; 64 on a GPU"
    )
    threads_per_call: Count = Field(1, description="threads inside one embedder call")


class Detection(Group):
    """What counts as a face."""

    min_face_px: int = Field(
        40, ge=10, le=2000, description="the width of the smallest face to look for, in pixels of the photograph"
    )
    max_side_px: int = Field(
        65_535,
        ge=128,
        le=65_535,
        description="for detection, the longer side of a larger photograph is shrunk to this. 640 saves time",
    )
    min_score: float = Field(
        0.8,
        gt=0,
        lt=1,
        description="the lowest detection score of a face. For a face that is narrower than 40 pixels where it is "
        "searched, 0.55 is enough, because the landmark network also judges it",
    )
    max_faces: int = Field(
        100, ge=1, le=1000, description="the most faces of one photograph. Those with the highest scores are used"
    )


class GallerySettings(Group):
    """How the gallery is searched."""

    url: SecretStr | None = Field(
        None,
        description="where the records are: postgresql://USER:PASSWORD@HOST:5432/DATABASE. Default: a file in "
        "FACE_DATA_DIR",
    )
    index: str = Field(
        "faiss",
        description="`faiss`: exact up to 50,000 faces in a collection, then compressed. `flat`: always exact. "
        "`exact`: plain NumPy, slow. `pgvector`: PostgreSQL searches, for several replicas. `milvus`: a Milvus server "
        "searches",
    )
    milvus_uri: SecretStr | None = Field(
        None,
        description="with `FACE_GALLERY__INDEX=milvus`: http://HOST:19530. Or the name of a file that ends with .db, "
        "for trials without a server",
    )
    milvus_token_file: Path | None = Field(
        None, description="a file with one line: USER:PASSWORD or an API key of Milvus. Default: Milvus asks for none"
    )
    keep_crops: Literal["no", "yes"] = Field(
        "no",
        description="`yes`: pictures of faces are stored. Of each photograph that is enrolled, the part around the "
        "face is kept, so that another model can embed it later",
    )
    encryption_key_file: Path | None = Field(
        None, description="the file of the key that encrypts the gallery (`facenet encryption-key`). Default: plain"
    )


class Limits(Group):
    """What a client may send."""

    body_bytes: int = Field(32 * 2**20, ge=1024, le=2**30, description="the most bytes in the body of one request")
    body_bytes_in_flight: int = Field(
        256 * 2**20, ge=1024, description="the most bytes in the bodies of all running requests together"
    )
    pixels: int = Field(
        52_000_000, ge=1, le=500_000_000, description="the most pixels of one photograph. Its header is checked first"
    )
    images_per_request: int = Field(64, ge=1, le=4096, description="the most photographs in one request")
    images_in_flight: int = Field(
        128, ge=1, le=65536, description="the most photographs in all running requests together"
    )
    connections: int = Field(
        2048,
        ge=16,
        le=2**20,
        description="the most open connections. It is less if the process may have too few descriptors (ulimit -n)",
    )
    connections_per_address: int = Field(
        512,
        ge=1,
        le=2**20,
        description="the most open connections of one client address. The proxies of `trusted_proxies` can have more",
    )
    embeddings_per_request: int = Field(5_000, ge=1, le=20_000, description="the most faces in one /cluster")
    request_timeout_s: float = Field(
        30.0, gt=0, le=3600, description="the time from the end of the request's body to the start of the response"
    )
    upload_idle_s: float = Field(
        30.0, gt=0, le=3600, description="an upload is ended if no byte of the body came for this long"
    )
    upload_bytes_per_s: float = Field(
        1000,
        ge=0,
        le=2**30,
        description="an upload is ended if fewer bytes a second came, on average over `upload_span_s`. 0: never",
    )
    upload_span_s: float = Field(60.0, gt=0, le=3600, description="the span of `upload_bytes_per_s`")


class Audit(Group):
    """The audit log in the data directory."""

    keep_days: int = Field(365, ge=1, le=36_500, description="how long lines are kept")
    max_bytes: int = Field(
        2 * 2**30,
        ge=64 * 2**20,
        le=2**40,
        description="the most bytes of all files. The oldest file is deleted if there are more",
    )
    secret_file: Path | None = Field(
        None,
        description="the secret of the chain and of the pseudonyms. It is created at the first start. Default: "
        "`audit/secret` in the data directory",
    )

    def secret_in(self, data_dir: Path) -> Path:
        """Return the file of the secret."""
        return self.secret_file or data_dir / "audit" / "secret"


class Log(Group):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="the lowest level that is written")
    format: Literal["json", "console"] = Field(
        "json", description="`json`: one object on each line. `console`: text for people"
    )
