# usage: unshare -mnpf --kill-child --mount-proc podman.sh BIN PODS ROUNDS
# Debian's podman with its CNI back end and runc, with the list that podman itself would write: our
# program under the names of the reference plugins.
source "$(dirname "$0")/node.sh"
group=slc-podman-$RANDOM

configure() {
  cat > /etc/cni/net.d/10-pods.conflist << 'END'
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "routes": [{"dst": "0.0.0.0/0"}],
            "ranges": [[{"subnet": "10.88.0.0/24", "gateway": "10.88.0.1"}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}},
  {"type": "tuning"}]}
END
  mkdir -p /etc/containers
  cat > /etc/containers/containers.conf << 'END'
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[network]
network_backend = "cni"
cni_plugin_dirs = ["/opt/cni/bin"]
network_config_dir = "/etc/cni/net.d"
default_network = "pods"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
END
  printf '[storage]\ndriver = "vfs"\ngraphroot = "/mnt/storage"\nrunroot = "/run/storage"\n' > /etc/containers/storage.conf
}

start_pod() {
  local pod=$1
  shift
  podman run -d --network pods --cgroup-parent "/$group" --cap-add NET_RAW --name "$pod" "$@" sluice.test/pod:1 \
    /bin/sleep 1000 > "/mnt/$pod.log" 2>&1 || fail "pod $pod: $(cat "/mnt/$pod.log")"
}
exec_in() { podman exec "$@"; }
remove_pod() { podman rm -f -t 0 "$1" > /dev/null || fail "pod $1 is not removed"; }

# Through a port of the node to a server in a pod.
ports_are_published() {
  start_pod web -p 8080:80
  exec_in web /bin/sh -c 'echo hello > /tmp/index.html && httpd -h /tmp'
  local node
  node=$(ip -4 -o addr show cni0 | sed -E 's/.* inet ([0-9.]+).*/\1/')
  [ "$(curl -s --max-time 5 "http://$node:8080/")" = hello ] || fail "port 8080 does not lead to the pod"
  remove_pod web
  echo "ports are published"
}

make_node "$1"
trap 'remove_cgroups "$group"' EXIT
configure
make_image
podman import /mnt/layer.tar sluice.test/pod:1 > /dev/null 2>&1 || fail "podman import"
pods_talk
ports_are_published
churn "$2" "$3"
