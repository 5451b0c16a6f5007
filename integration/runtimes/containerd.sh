# usage: unshare -mnpf --kill-child --mount-proc containerd.sh BIN PODS ROUNDS
# Debian's containerd and runc, driven by `ctr run --cni`.
source "$(dirname "$0")/node.sh"
group=slc-containerd-$RANDOM
ctr() { command ctr -a /run/test.sock -n "$group" "$@"; }

write_blob() { # stdin to the image's store; prints digest and size
  local file digest
  file=$(mktemp /mnt/blob.XXXXXX)
  cat > "$file"
  digest=$(sha256sum "$file" | cut -d' ' -f1)
  mv "$file" "/mnt/image/blobs/sha256/$digest"
  stat -c "$digest %s" "/mnt/image/blobs/sha256/$digest"
}

make_oci_image() { # after the OCI image layout specification
  local oci=application/vnd.oci.image layer config manifest
  mkdir -p /mnt/image/blobs/sha256
  read -ra layer < <(write_blob < /mnt/layer.tar)
  read -ra config < <(printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "${layer[0]}" | write_blob)
  read -ra manifest < <(printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"%s","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"%s","digest":"sha256:%s","size":%s}]}' \
    "$oci.manifest.v1+json" "$oci.config.v1+json" "${config[@]}" "$oci.layer.v1.tar" "${layer[@]}" | write_blob)
  echo '{"imageLayoutVersion":"1.0.0"}' > /mnt/image/oci-layout
  printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s","digest":"sha256:%s","size":%s,"annotations":{"io.containerd.image.name":"sluice.test/pod:1"}}]}' \
    "$oci.manifest.v1+json" "${manifest[@]}" > /mnt/image/index.json
  tar -C /mnt/image -cf /mnt/image.tar .
}

start_containerd() {
  printf 'version = 2\nroot = "/mnt/containerd"\nstate = "/run/containerd"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "/run/test.sock"\n' > /mnt/containerd.toml
  containerd -c /mnt/containerd.toml > /mnt/containerd.log 2>&1 &
  local try
  for try in $(seq 200); do
    ctr version > /dev/null 2>&1 && return
    sleep 0.05
  done
  fail "containerd does not answer: $(tail -5 /mnt/containerd.log)"
}

# `ctr run` in the foreground calls DEL when the pod has ended; with -d it never does.
start_pod() {
  ctr run --null-io --rm --cni --snapshotter native sluice.test/pod:1 "$1" /bin/sleep 1000 > "/mnt/$1.log" 2>&1 &
  echo $! > "/mnt/$1.pid"
  local try
  for try in $(seq 200); do
    ctr task ls 2> /dev/null | grep -q "^$1 .*RUNNING" && return
    sleep 0.05
  done
  fail "pod $1 does not run: $(cat "/mnt/$1.log")"
}
exec_in() {
  local pod=$1
  shift
  ctr task exec --exec-id "e$RANDOM" "$pod" "$@"
}
remove_pod() {
  ctr task kill -s 9 "$1"
  wait "$(cat "/mnt/$1.pid")" || true # 137
  grep -v 'exit code 137' "/mnt/$1.log" && fail "pod $1 said so" || true
}

make_node "$1"
trap 'remove_cgroups "$group"' EXIT
cat > /etc/cni/net.d/10-sluice.conflist << 'END'
{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {"type": "sluice", "bridge": "cni0", "isDefaultGateway": true, "hairpinMode": true, "ipMasq": true,
   "ipam": {"type": "sluice-ipam", "ranges": [[{"subnet": "10.88.0.0/24"}], [{"subnet": "fd88::/64"}]]}}]}
END
make_image
make_oci_image
start_containerd
ctr image import --snapshotter native /mnt/image.tar > /dev/null
pods_talk
churn "$2" "$3"
