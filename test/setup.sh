#!/usr/bin/env bash
# Installs what the end-to-end tests need and is not there: a Docker engine,
# docker-compose, a browser, npm and slapd from Debian. Does nothing where it may not.
set -eu
missing=""
need() { command -v "$1" >/dev/null || missing="$missing $2"; }
need dockerd docker.io
need docker-compose docker-compose
need ip iproute2
need iptables iptables
need chromium chromium
need npm npm
need slapd slapd
need etcd etcd-server
need etcdctl etcd-client
need redis-server redis-server
if [ -z "$missing" ]; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "test/setup.sh: cannot install$missing here: the tests that need them will not run" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
# A service that the installation starts would stay behind.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq
# shellcheck disable=SC2086 # a list of names
apt-get install -y -qq --no-install-recommends $missing ca-certificates >/dev/null
