#!/bin/sh
# Write the lock files again with the newest versions that pyproject.toml permits.
#
#   pip install uv pip-licenses && sh workflows/locks/update.sh
#
# image.lock, image-cuda.lock: what workflows/Dockerfile installs.  build.lock: what builds the
# wheel.  ci.lock: what the tests need on Linux with Python 3.11 or later; torch is left out, because its builds for CPUs and for
# cards have one version and different files.  docs/licences.md lists the licences of image.lock.
set -eu
cd "$(dirname "$0")/../.."
locks=workflows/locks

lock() {
    target=$1
    shift
    uv pip compile "$@" --upgrade --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --quiet --output-file "$locks/$target.lock"
}

lock image pyproject.toml --universal --extra lossless --extra film
lock image-cuda pyproject.toml --universal --extra lossless --extra film --extra cuda
lock build - --universal <<END
hatchling
editables
END
overrides=$(mktemp)
venv=$(mktemp -d)
trap 'rm -rf "$overrides" "$venv"' EXIT
echo "torch; python_version < '3'" >"$overrides"
# For one platform, so that releases of which it has no wheel are no choice.
lock ci pyproject.toml --python-platform x86_64-manylinux_2_28 --override "$overrides" --extra test --extra train --extra keras \
    --extra tensorboard --extra docs

# The licences of what the image holds.
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --require-hashes --requirement "$locks/image.lock"
{
    echo "# Licences of the container image"
    echo
    echo "Every package that \`workflows/Dockerfile\` installs on Linux beside archive-colorizer (Apache-2.0),"
    echo "as the package itself says. The wheels of \`av\` carry FFmpeg with encoders under the GPL, and those of"
    echo "\`pyvips-binary\` libraries under the LGPL; leave the extra \`film\` out of the image if that matters."
    echo "\`image-cuda.lock\` adds libraries under NVIDIA's licence. Written by \`workflows/locks/update.sh\`."
    echo
    pip-licenses --python "$venv/bin/python" --format markdown
} >docs/licences.md
