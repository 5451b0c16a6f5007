# A node for a container runtime, in the mount, network and PID namespace of this shell: its own
# /run, /etc, /opt and /var/lib, our plugins, an image made of busybox. Sourced by one script a
# runtime, which defines start_pod, exec_in, remove_pod. Everything goes with the namespaces.
set -euo pipefail

make_node() { # $1: folder of our programs
  mount -t tmpfs tmpfs /mnt
  mkdir -p /mnt/etc /mnt/work /mnt/rootfs
  mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/etc,workdir=/mnt/work /etc
  local folder
  for folder in /run /opt /var/lib; do mount -t tmpfs tmpfs "$folder"; done
  mkdir -p /run/netns /run/lock /opt/cni/bin /etc/cni/net.d
  rm -f /etc/cni/net.d/*
  install -m 0755 "$1/sluice" /opt/cni/bin/sluice
  for folder in sluice-ipam bridge host-local loopback portmap tuning; do
    ln /opt/cni/bin/sluice "/opt/cni/bin/$folder"
  done
  ip link set lo up
}

make_image() { # /mnt/layer.tar: the files of the pods
  local program
  mkdir -p /mnt/rootfs/{bin,dev,etc,proc,run,sys,tmp}
  cp "$(command -v busybox)" /mnt/rootfs/bin/busybox
  for program in sh sleep ping wget httpd; do ln /mnt/rootfs/bin/busybox "/mnt/rootfs/bin/$program"; done
  tar -C /mnt/rootfs -cf /mnt/layer.tar .
}

fail() {
  echo "FAILED: $*"
  exit 1
}

# All that a pod may leave: links, namespaces, records and results, rules.
state_of_node() {
  ip -o link | sed -E 's/^[0-9]+: ([^:@]+).*/link \1/' | sort
  find /run/netns /var/lib/cni -type f ! -name lock ! -name 'last_reserved_ip.*' 2>/dev/null | sort
  nft list ruleset
}

expect_state() { # $1: what it was before
  local now
  now=$(state_of_node)
  [ "$now" = "$1" ] || fail "left behind: $(diff <(echo "$1") <(echo "$now"))"
}

# Two pods talk; then all that came with them is gone.
pods_talk() {
  start_pod p1
  start_pod p2
  exec_in p2 /bin/ping -c1 -W2 "$(address_of p1)" || fail "p2 does not reach p1"
  exec_in p1 /bin/ping -c1 -W2 10.88.0.1 || fail "p1 does not reach its gateway"
  remove_pod p1
  remove_pod p2
  echo "pods talk and are removed"
}

address_of() { # by the store's record
  exec_in "$1" /bin/busybox ip -4 -o addr show eth0 | sed -E 's/.* inet ([0-9.]+).*/\1/'
}

churn() { # $1 pods, $2 rounds
  local before round pod
  before=$(state_of_node)
  for round in $(seq "$2"); do
    for pod in $(seq "$1"); do start_pod "c$pod"; done
    [ "$(find /var/lib/cni/networks/pods -name '10.*' | wc -l)" = "$1" ] || fail "round $round: not $1 records"
    for pod in $(seq "$1"); do remove_pod "c$pod"; done
    expect_state "$before"
  done
  echo "$1 pods x $2 rounds left nothing"
}

remove_cgroups() { # $1: the folder that the runtime was told to use; its last process may be ending
  local try
  for try in $(seq 50); do
    find /sys/fs/cgroup -depth -path "*/$1*" -type d -exec rmdir {} + 2> /dev/null || true
    [ -n "$(find /sys/fs/cgroup -path "*/$1*" -type d 2> /dev/null)" ] || return 0
    sleep 0.1
  done
}
