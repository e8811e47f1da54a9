"""A process that encrypts a plain gallery, or replaces its key, until it is killed. Its log says how far it is."""

import sys
from pathlib import Path

from service.gallery.opening import rotate_encryption_key
from tests.support.blocking_gallery import BlockingGallery

if __name__ == "__main__":
    print("started", flush=True)  # noqa: T201  # the imports take longer than what follows
    action, data_dir, *key_files = sys.argv[1], *map(Path, sys.argv[2:])
    if action == "encrypt":
        BlockingGallery.open(data_dir, "exact", key_files[0]).close()
    else:
        rotate_encryption_key(data_dir, *key_files)
