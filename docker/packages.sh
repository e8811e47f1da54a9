# Install a lock file with hashes into /opt/facenet and compile it. The tests of the packages are removed.
set -eu
python3 -m pip --python /opt/facenet/bin/python install --quiet --no-compile --require-hashes --no-deps --requirement "$1"
find /opt/facenet/lib -type d -name tests -prune -exec rm -r {} +
/opt/facenet/bin/python -m compileall -q /opt/facenet/lib
