#!/bin/sh
# Make an image of llama-server from Debian's package, without any image registry: build-image.sh [NAME:TAG]
set -eu
name=${1:-openai-conformance/llama-server:debian}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mmdebstrap --quiet --variant=minbase --include=llama.cpp-tools \
    --aptopt='Acquire::Check-Valid-Until "false"' sid "$work/rootfs.tar"
docker import --change 'ENTRYPOINT ["/usr/bin/llama-server"]' --change 'ENV LC_ALL=C.UTF-8' "$work/rootfs.tar" "$name"
