#!/usr/bin/env bash
# The wheel, used through mim as its users do: `mim search`, `mim train`, `mim test`, `mim run`
# with openmim and with onedl-mim. Needs `make install` and an index for the two mims.
#
# Each mim gets an environment of its own: openmim wants setuptools 60 and old copies of
# requests and rich. torch and the host libraries are not installed again (5 GB each time): a
# .pth file shows this checkout's .venv behind what the environment itself holds. A .pth file
# below .venv is not read that way, so the editable mmsuper there stays out of sight.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
python="$root/.venv/bin/python"
config=dlgsanet-tiny_x4_sample.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_NUM_THREADS=1

say() {
    printf '%4d s  %s\n' "$SECONDS" "$*"
}

# Run a command quietly; show what it printed if it fails.
run() {
    "$@" >"$work/log" 2>&1 || {
        cat "$work/log"
        echo "mim.sh: failed: $*" >&2
        exit 1
    }
}

install() { # FOLDER MIM
    run "$python" -m venv "$1"
    run "$1/bin/pip" install --disable-pip-version-check --no-compile "$2" \
        "$(grep '^numpy==' "$root/requirements/pinned.txt")"
    run "$1/bin/pip" install --disable-pip-version-check --no-compile --no-deps "$work"/dist/*.whl
    local libraries
    libraries=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo "$libraries" >"$("$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/libraries.pth"
    "$1/bin/python" -c 'import mmsuper, sys; assert mmsuper.__file__.startswith(sys.prefix)'
}

try() { # MIM
    local environment="$work/env-$1" out="$work/out-$1"
    install "$environment" "$1"
    say "$1 installed"
    export PATH="$environment/bin:$PATH"
    run mim search mmsuper-lab
    grep -q 'dlgsanet-tiny_x4_sample' "$work/log"
    say "$1: search"
    # By name: mim finds the config in the installed package.
    run mim train mmsuper-lab "$config" --work-dir "$out" --no-validate \
        --cfg-options train_cfg.max_iters=2
    test -s "$out/iter_2.pth"
    run mim train mmsuper-lab svit-sample_digits.py --work-dir "$out-svit" --no-validate \
        --cfg-options train_cfg.max_epochs=1
    test -s "$out-svit/epoch_1.pth"
    say "$1: train, twice"
    run mim test mmsuper-lab "$config" --checkpoint "$out/iter_2.pth" --work-dir "$out/test"
    grep -q PSNR "$out/test/metrics.json"
    say "$1: test"
    run mim run mmsuper-lab list
    grep -q dlgsanet "$work/log"
    say "$1: run"
}

cd "$root"
run "$python" -c "from setuptools import build_meta as b; b.build_sdist('$work/sdist')"
cd "$work"
run "$python" -m pip wheel --no-deps --no-build-isolation -w "$work/dist" "$work"/sdist/*.tar.gz
say "wheel built"
try openmim==0.3.9
try onedl-mim==0.5.1
say "mim: all passed"
