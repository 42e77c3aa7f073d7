#!/usr/bin/env bash
# Installs Chromium where apt-get can; elsewhere the tests that need it say what to do.
set -euo pipefail

[ -z "${CHROMIUM:-}" ] || exit 0
for name in chromium chromium-browser google-chrome google-chrome-stable chrome; do
    if command -v "$name" > /dev/null; then exit 0; fi
done
if [ "$(id -u)" -eq 0 ] && command -v apt-get > /dev/null; then
    echo "installing Chromium"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends chromium > /dev/null
fi
