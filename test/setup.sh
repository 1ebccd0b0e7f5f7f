#!/usr/bin/env bash
# Installs what the end-to-end tests need and is not there: a Docker engine and
# docker-compose from Debian. Does nothing where it may not.
set -eu
if command -v dockerd >/dev/null && command -v docker-compose >/dev/null; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "test/setup.sh: cannot install docker.io and docker-compose here: the tests that need an engine will not run" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends docker.io docker-compose iptables iproute2 ca-certificates >/dev/null
