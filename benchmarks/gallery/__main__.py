"""The gallery with many faces: search, changes, memory and start, over HTTP, in one run and one table.

    python -m benchmarks.gallery LFW/images [--faces 10000 100000 1000000] [--probes 5000] [--encrypted]

The vectors are shaped like faces: `face_shape.py` says how. Each person has ten. The people of LFW that were measured
for this are enrolled beside them. The embedding is in the body of the request, so no photograph is embedded. A
collection of 1,000 faces is searched in turns with the large one.

Writes gallery.json and gallery.png. docs/gallery-size.md explains the rows.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks import load
from benchmarks.gallery.face_shape import measured_shape
from benchmarks.gallery.measurements import GalleryBench, Measured
from benchmarks.gallery.report import GalleryReport, table
from models.commands.options import PipelineChoice
from models.evaluation.reports.report import write_report
from service.access.secret_file import write_encryption_key

ROOT = Path(__file__).parents[2]
SHAPE_FILE = "embeddings_of_lfw.npz"


def main() -> None:
    """Measure, print the table, and write it."""
    arguments = _parse_arguments()
    console = Console(stderr=True)
    options = PipelineChoice(arguments.model).pipeline_options()
    shape = measured_shape(arguments.out / SHAPE_FILE, arguments.photographs, options)
    with load.generator_process() as generator, TemporaryDirectory(dir=arguments.folder) as folder:
        settings = _encryption(Path(folder)) if arguments.encrypted else {}
        models = options.embedder.path.parent.resolve()
        bench = GalleryBench(shape, generator, models, Path(folder), settings, arguments.probes, console.log)
        measured: list[Measured] = []
        for faces in arguments.faces:
            measured.append(bench.measure(faces))
            report = GalleryReport(measured)
            Console(width=None if Console().is_terminal else 200).print(table(report))
            write_report(report, arguments.out, "gallery", {"models": [arguments.model], "probes": arguments.probes})
    print(f"Written: {arguments.out / 'gallery.json'}, {arguments.out / 'gallery.png'}")


def _encryption(folder: Path) -> dict[str, str]:
    """Make a key, and return the setting that encrypts the gallery with it."""
    write_encryption_key(folder / "key")
    return {"FACE_GALLERY__ENCRYPTION_KEY_FILE": str(folder / "key")}


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, help="LFW/images: a folder for each person")
    parser.add_argument("--faces", type=int, nargs="*", default=[10_000, 100_000, 1_000_000], help="sizes")
    parser.add_argument("--probes", type=int, default=5000, help="mated ones, and as many of strangers")
    parser.add_argument("--encrypted", action="store_true", help="encrypt the gallery")
    parser.add_argument("--model", default="sface", help="the embedder")
    parser.add_argument("--folder", type=Path, help="where the data is written; default: the system's temporary folder")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "bench", help="the folder of gallery.json and .png")
    return parser.parse_args()


if __name__ == "__main__":
    main()
